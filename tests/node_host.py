"""A node's session in the hands of a test: a listener to wait on, and the few things that are asked of a host."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from reconciler.control.ports import NodeSession
from reconciler.lab import Lab
from reconciler.model.addresses import SocketAddress, socket_address
from reconciler.model.api.cluster import Cluster, ClusterSpec
from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.container_config import ContainerConfig, PodAddress, PublishedPort, SharedNetwork
from reconciler.model.leases import Claim
from reconciler.model.names import (
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    LABEL_HASH,
    LABEL_NAMESPACE,
    LABEL_OWNER,
    LABEL_POD,
    LABEL_UID,
    SANDBOX,
    Ref,
)
from reconciler.model.observed import ObservedContainer, Reachable, Unreachable
from reconciler.model.operations import CreateContainer, Operation, Outcome, PodWork, StartContainer
from reconciler.model.proxy import NodeProxy, ProxySection, ProxyServer
from reconciler.model.setups import NodeNetwork, NodeSetup
from reconciler.nodes import Credentials, Resetter, SshNodeSession
from reconciler.services.haproxy import guarded

CLUSTER = "contract"
IMAGES = frozenset({"lab/pause:1", "lab/web:1.0", "lab/busybox:1", "lab/proxy:1"})
PREAMBLE = """\
global
    stats socket /etc/reconciler/admin.sock mode 600 level admin expose-fd listeners
    server-state-file /etc/reconciler/servers.state
defaults
    mode tcp
    load-server-state-from-file global
    timeout connect 2s
    timeout client 1h
    timeout server 1h
"""
WEB = ProxySection(
    "default_web_http",
    "listen default_web_http\n    bind 10.96.0.10:80\n",
    "check",
    (ProxyServer("web", socket_address("10.244.9.2:8080")),),
)


_SPEC = ClusterSpec()
RESETTER = Resetter("tests", "tests@here")


class Recorder:
    """A Listener that a test can wait on."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self.outcomes: list[Outcome] = []
        self.observed_count = 0

    def observed(self, node: str) -> None:
        with self._told:
            self.observed_count += 1
            self._told.notify_all()

    def finished(self, node: str, outcome: Outcome) -> None:
        with self._told:
            self.outcomes.append(outcome)
            self._told.notify_all()

    def wait_for(self, what: Callable[[], bool], seconds: float = 40.0) -> None:
        with self._told:
            deadline = time.monotonic() + seconds
            while not what():
                left = deadline - time.monotonic()
                assert left > 0, f"waited {seconds:g} s in vain"
                self._told.wait(min(left, 0.05))


class Host:
    """One session, and a few words for what the tests do with it."""

    def __init__(self, session: NodeSession, told: Recorder) -> None:
        self.session = session
        self.told = told

    def look(self) -> Reachable:
        seen = self.session.observe()
        assert isinstance(seen, Reachable), seen
        return seen

    def container(self, name: str) -> ObservedContainer | None:
        return next((found for found in self.look().containers if found.name == name), None)

    def do(self, uid: str, *operations: Operation) -> Outcome:
        before = len(self.told.outcomes)
        self.session.submit(PodWork(self.session.name, Ref("Pod", "default", "web"), uid, operations))
        self.told.wait_for(lambda: len(self.told.outcomes) > before)
        outcome = self.told.outcomes[-1]
        assert uid not in self.look().busy
        return outcome

    def lead(self, epoch: int = 1, owner: str = "tests", take_over: bool = False) -> int:
        """Ask for the lease, and wait for the answer: the epoch that was granted, or 0."""
        self.session.lead(Claim(owner, epoch, f"{owner}@here", take_over))
        self.told.wait_for(lambda: epoch in (self.session.seat.granted, self.session.seat.refused))
        return self.session.seat.granted

    def ensure(self, setup: NodeSetup) -> None:
        self.session.ensure(setup)

    def lost(self, seconds: float = 30.0) -> Unreachable:
        """Wait until the session says that the host does not answer."""
        self.told.wait_for(lambda: isinstance(self.session.observe(), Unreachable), seconds)
        seen = self.session.observe()
        assert isinstance(seen, Unreachable)
        return seen

    def found(self, seconds: float = 40.0) -> Reachable:
        self.told.wait_for(lambda: isinstance(self.session.observe(), Reachable), seconds)
        return self.look()

    def connected_anew(self, since: float) -> Reachable:
        """Wait for another connection than that of `Reachable.since`; how the host was lost may be over by now."""

        def is_another() -> bool:
            seen = self.session.observe()
            return isinstance(seen, Reachable) and seen.since != since

        self.told.wait_for(is_another)
        return self.look()


@contextmanager
def set_up(host: Host) -> Iterator[Host]:
    """With its network and its proxy in place; the session is closed in the end."""
    try:
        host.lead()
        host.found()
        host.ensure(setup())
        host.told.wait_for(lambda: host.look().proxy.fingerprint == "one")
        yield host
    finally:
        host.session.close()


def node_of(lab: Lab, index: int = 0, **other: Any) -> Node:
    record = lab.records[index]
    known: dict[str, Any] = {"host_key": record.host_key}
    return Node(ObjectMeta(record.name), SshAddress("root", record.ip, record.ssh_port), **(known | other))


def credentials_of(lab: Lab) -> Credentials:
    return Credentials((Path(lab.client_key),))


def connect(node: Node, lab: Lab, engine_id: str = "", spec: ClusterSpec = _SPEC, lead: bool = True) -> Host:
    told = Recorder()
    session = SshNodeSession(node, Cluster(ObjectMeta(CLUSTER), spec), told, credentials_of(lab), engine_id)
    if lead:
        session.lead(Claim("tests", 1, "tests@here"))
    return Host(session, told)


def setup(
    fingerprint: str = "one",
    extra: str = "",
    checks: frozenset[SocketAddress] = frozenset(),
    structure: str = "",
    servers: tuple[ProxyServer, ...] = WEB.servers,
    allowed: tuple[str, ...] | None = None,
) -> NodeSetup:
    """Another fingerprint is another structure too, unless one is given."""
    web = guarded(msgspec.structs.replace(WEB, servers=servers), allowed, None)
    return NodeSetup(
        NodeNetwork("10.244.9.0/24", "10.244.0.0/16", (), ("10.96.0.10",)),
        NodeProxy("lab/proxy:1", PREAMBLE + extra, (web,), structure or fingerprint, fingerprint),
        checks,
    )


def labels(uid: str, container: str) -> Mapping[str, str]:
    return {
        LABEL_CLUSTER: CLUSTER,
        LABEL_NAMESPACE: "default",
        LABEL_POD: "web",
        LABEL_UID: uid,
        LABEL_CONTAINER: container,
        LABEL_OWNER: "Deployment/web",
        LABEL_HASH: "0123456789",
    }


def sandbox(
    uid: str = "u1", name: str = "web_POD", ip: str = "10.244.9.2", host_port: int = 0, **other: Any
) -> ContainerConfig:
    ports = (PublishedPort(8080, host_port),) if host_port else ()
    known: dict[str, Any] = {"image": "lab/pause:1", "ports": ports, "hostname": "web"}
    return ContainerConfig(name=name, labels=labels(uid, SANDBOX), network=PodAddress(ip), **(known | other))


def app(uid: str = "u1", image: str = "lab/web:1.0") -> ContainerConfig:
    return ContainerConfig("web_app", image, labels(uid, "app"), SharedNetwork("web_POD"), env={"MESSAGE": "hi"})


def started(config: ContainerConfig) -> tuple[Operation, ...]:
    return CreateContainer(config), StartContainer(config.name)
