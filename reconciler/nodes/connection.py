"""Everything that lives and dies with one SSH connection: the channels, Docker's clients, and the threads on them.

Made by session.py for every connection anew. Sessions of sshd in use (it allows 10 by default): one shell on the
host, one in the proxy, and Docker's API with one for events, one for what the prober says, one for looking, one
for pulls and four for the rest: all ten.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping

import paramiko
import structlog
from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.given import Given
from reconciler.model.leases import Claim, HostLease
from reconciler.model.names import SYSTEM_BOOT, SYSTEM_DNS, SYSTEM_PROBER, SYSTEM_PROXY, system_name
from reconciler.model.observed import Facts, ObservedContainer, ProxyState
from reconciler.model.setups import NodeSetup
from reconciler.nodes.boot.keeper import Boot
from reconciler.nodes.dns.servers import Dns
from reconciler.nodes.docker.engine import DIAL, ChannelPool, Engine, engine_errors, negotiate
from reconciler.nodes.docker.exits import Note
from reconciler.nodes.docker.replies import DiskUse, event_time, read_disk, read_facts, read_load
from reconciler.nodes.docker.system_container import SystemContainer
from reconciler.nodes.docker.watch import Watcher, follow_events
from reconciler.nodes.errors import CommandFailed, NodeError, Refused, Superseded, Unusable, defect
from reconciler.nodes.host_state import HostView
from reconciler.nodes.images.garbage_collection import ImageCollector
from reconciler.nodes.images.pull import Puller
from reconciler.nodes.images.record import PulledImages
from reconciler.nodes.lease.lease import LeaseKeeper
from reconciler.nodes.lease.script import look_command, read_lease
from reconciler.nodes.network.bridge_ports import Ports
from reconciler.nodes.network.interfaces import given_pod_cidr
from reconciler.nodes.network.keeper import NetworkKeeper
from reconciler.nodes.node_setup import SetupKeeper
from reconciler.nodes.peers import Inquiry
from reconciler.nodes.pods.attached import detached
from reconciler.nodes.pods.port_checks import Checker
from reconciler.nodes.pods.runs import PodRun
from reconciler.nodes.pods.volumes import PodFiles
from reconciler.nodes.pods.worker import Actor
from reconciler.nodes.prober.session import Prober
from reconciler.nodes.proxy.haproxy import Proxy
from reconciler.nodes.proxy.stats import proxy_shell
from reconciler.nodes.ssh.connection import Credentials, SshConnection
from reconciler.nodes.ssh.pulse import Pulse
from reconciler.nodes.ssh.shell import Shell

EVENTS_ENDED = "events ended"
SILENT = "silent"
STOP = "stop"
CLAIM = "claim"
"""Notes beside the container ids that `follow_events` writes."""

DOCKER_BEATS = 2
"""Heartbeats from one to the next at which Docker and a shell have to answer, too."""
_ANSWER_SECONDS = 1.0
_ACTING_CHANNELS = 4
_ACT_SECONDS = 60.0
_LOOK_SECONDS = 5.0
_LOOK_OPEN_SECONDS = 3.0
_JOIN_SECONDS = 5.0


class Host(Struct, frozen=True):
    """What a connection's `GET /info` said of the host, and its disk."""

    info: dict[str, object]
    disk: DiskUse


class Known(Struct, frozen=True):
    """What the session knows of the node from before this connection."""

    engine_id: str = ""
    checks: frozenset[SocketAddress] = frozenset()
    claim: Claim | None = None
    """Of the lease on the host; None: only to look."""


class First(Struct, frozen=True):
    """What is read of a host beside its containers before anybody is told of it."""

    facts: Facts
    images: frozenset[str]
    proxy: ProxyState
    answered: Mapping[SocketAddress, PodRun]
    given: Given


class Link:
    """`open` connects and reads everything, `begin` shows it and starts the threads, `close` ends all of it."""

    def __init__(
        self,
        node: Node,
        cluster: Cluster,
        view: HostView,
        ssh: SshConnection,
        lease: LeaseKeeper,
        inquiry: Inquiry,
    ) -> None:
        self.ssh = ssh
        self.lease = lease
        self.found: HostLease | None = None
        """The lease, as it was last read on the host."""
        self.silent = ""
        """Why the connection was given up, where the host has fallen silent."""
        self.notes: queue.SimpleQueue[Note] = queue.SimpleQueue()
        self._node = node
        self._log = structlog.get_logger().bind(node=node.metadata.name)
        self._view = view
        self._name = cluster.metadata.name
        self._patience = DOCKER_BEATS * cluster.spec.sync.heartbeat_seconds
        self._pulse = Pulse(ssh, cluster.spec.sync.heartbeat_seconds, inquiry, view.alive, self._give_up)
        self._shell = Shell(lambda: lease.open(("sh",)), node.metadata.name)
        inside = proxy_shell(lease, self._name, node.metadata.name)
        looking = self._pool(1, _LOOK_OPEN_SECONDS)
        version = negotiate(looking, _LOOK_SECONDS)
        self._events = Engine(self._pool(1), version, _LOOK_SECONDS)
        self._looker = Engine(looking, version, _LOOK_SECONDS)
        actor_engine = Engine(self._acting_pool(_ACTING_CHANNELS), version, _ACT_SECONDS)
        self.watcher = Watcher(self._looker, self._name, view)
        acting_watcher = Watcher(actor_engine, self._name, view)
        self._files = PodFiles(self._name, self._shell, view)
        pulled = PulledImages(self._name, self._shell)
        puller = Puller(Engine(self._acting_pool(1), version, _ACT_SECONDS), pulled, view, acting_watcher)
        self.actor = Actor(
            self._name,
            actor_engine,
            self._shell,
            self._connect_for_hook,
            self._files,
            puller,
            view,
            acting_watcher,
            self._log,
        )
        awaited = self.actor.awaited_images
        self._collector = ImageCollector(actor_engine, pulled, awaited, self._disk, self._log)
        self._proxy = Proxy(self._name, actor_engine, self.watcher, self._shell, inside, view.host_repaired)
        servers = self._system_container(SYSTEM_DNS, actor_engine)
        dns = Dns(self._name, servers, self._shell, ssh.connect_to, view)
        self._prober = Prober(
            self._name,
            self._system_container(SYSTEM_PROBER, actor_engine),
            Engine(self._pool(1), version, _LOOK_SECONDS),
            self._shell,
            view,
            lambda: self._setup.container_changed(),
        )
        booting = self._system_container(SYSTEM_BOOT, actor_engine)
        boot = Boot(self._name, booting, self._shell)
        network = NetworkKeeper(self._name, view, actor_engine, self._shell, boot.keep_network, self._log)
        self._setup = SetupKeeper(
            view,
            network,
            dns,
            self._proxy,
            self._prober,
            self._look_at_files,
            boot,
            puller,
            cluster.spec.sync.relist_seconds,
        )
        self._checker = Checker(ssh.accepts, view, self._log)
        self._ports = Ports(view, self._shell, self._log, lambda: lease.may_act)
        self._threads: list[threading.Thread] = []
        with engine_errors("info"):
            info = self._looker.info()
        self._clock = (
            float(event_time(str(info["SystemTime"]))) - time.monotonic() if "SystemTime" in info else None
        )
        self.engine_id = str(info["ID"])
        self._address = ssh.peer
        self._root = str(info.get("DockerRootDir", "/"))
        self._host = Host(info, self._disk())

    @classmethod
    def open(
        cls,
        node: Node,
        cluster: Cluster,
        view: HostView,
        credentials: Credentials,
        known: Known,
        inquiry: Inquiry,
    ) -> "Link":
        """Raises NodeError; Refused also where the engine is not the one remembered."""
        ssh = SshConnection.connect(node, credentials, cluster.spec.ssh.connect_timeout_seconds)
        try:
            lease = LeaseKeeper(ssh, cluster.metadata.name, node.metadata.name)
            if known.claim is not None:
                # First: all that is read from here on is read after the end of whoever acted before.
                lease.take(known.claim)
            link = cls(node, cluster, view, ssh, lease, inquiry)
            link._read_everything(known)
        except NodeError as error:
            try:
                if isinstance(error, Refused | Superseded | Unusable) or not ssh.pulse(_ANSWER_SECONDS):
                    raise
                raise Unusable(ssh.explained(str(error))) from error
            finally:
                ssh.close()
        except BaseException:
            ssh.close()
            raise
        return link

    def claim(self, claim: Claim) -> None:
        """Ask for the lease; `lease.held` and `found` say what has come of it. Raises NodeError."""
        before, self.found = self.found, self.lease.take(claim)
        if self.lease.held and before is not None and before.owner != claim.owner:
            self.list_all()  # What another had begun, and was cut off from, is seen before it is added to.

    def rest(self) -> None:
        """Begin nothing more on the host, and keep the lease."""
        self.lease.rest()
        self._setup.rest()

    def want(self, setup: NodeSetup) -> None:
        self._setup.want(setup)
        self._checker.want(setup.checks)
        self._collector.want(setup.image_gc)

    def changed(self) -> None:
        """The view changed: perhaps a pod to try, perhaps one to try again."""
        self._checker.changed()
        self._ports.changed()

    def catch_up(self, noted: Mapping[str, Note]) -> None:
        before = self._system_containers()
        self.watcher.catch_up(noted)
        if self._system_containers() != before:
            self._setup.container_changed()

    def beat(self) -> None:
        """Is Docker, and is the host's shell, still there? Raises NodeError."""
        self._looker.ping_within(self._patience)
        facts, seen = self._facts()
        self.found = self.lease.keep(seen, self._shell)
        self._view.heard(facts)

    def list_all(self) -> None:
        """The full look that catches what no event told. Raises NodeError."""
        self.watcher.list_all()
        self.watcher.look_at_images()
        self.watcher.look_at_volumes()
        self._look_at_files()
        self._host = Host(self._host.info, self._disk())
        if self.lease.may_act:
            self._collector.look(self._host.disk)

    def close(self) -> None:
        self._pulse.stop()
        self._setup.stop()
        self._checker.stop()
        self._ports.stop()
        self._prober.stop()
        self._collector.stop()
        self.ssh.close()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _look_at_files(self) -> None:
        """Of pods, and whether their containers have them mounted. Raises NodeError."""
        self._files.look()
        mounted = [(one, at) for one, at in self._view.attachments() if self._files.is_volume(at.source)]
        runs = {one.id: one.run for one, _ in mounted}
        found = detached(self._shell, (at for _, at in mounted))
        self._view.has_detached({key: (runs[key], target) for key, target in found.items()})

    # --- inside ---------------------------------------------------------------------------------------------

    def _give_up(self, why: str) -> None:
        self.silent = why
        self.ssh.close()
        self.notes.put(Note(SILENT))

    def _system_containers(self) -> list[ObservedContainer | None]:
        parts = (SYSTEM_PROXY, SYSTEM_DNS)
        return [self._view.container(system_name(self._name, part)) for part in parts]

    def _system_container(self, part: str, engine: Engine) -> SystemContainer:
        return SystemContainer(self._name, part, engine, self.watcher, self._shell, self._view.host_repaired)

    def _pool(self, channels: int, open_seconds: float = 5.0) -> ChannelPool:
        return ChannelPool(lambda: self.ssh.open(DIAL, open_seconds), channels)

    def _acting_pool(self, channels: int) -> ChannelPool:
        return ChannelPool(lambda: self.lease.open(DIAL), channels)

    def _read_everything(self, known: Known) -> None:
        if known.engine_id and self.engine_id != known.engine_id:
            raise Refused(
                f"Node {self._node.metadata.name}: {self._node.ssh} runs Docker engine {self.engine_id}, and the "
                f"one remembered for this node is {known.engine_id}: the host was installed anew, or two Nodes "
                "name the same host. Correct the address, or accept it with `reconciler node reset "
                f"{self._node.metadata.name} SOURCE`"
            )
        self._run("events", self._follow_events)
        self.watcher.list_all()
        self.watcher.look_at_volumes()
        self._look_at_files()
        self._run("prober", self._prober.follow)
        self._prober.read_back()
        proxy, balanced = self._proxy.read_back()
        facts, self.found = self._facts()
        self._first = First(
            facts,
            self.watcher.images(),
            proxy,
            self._checker.first_look(balanced | known.checks),
            replace(self._proxy.given, pod_cidr=given_pod_cidr(self._name, self._looker)),
        )

    def begin(self) -> None:
        """From here on the host counts as reachable: whoever holds the link must be ready for work."""
        first = self._first
        self._view.connected(first.facts, first.images, first.proxy, first.answered, first.given, self._clock)
        self._run("pulse", self._pulse.work)
        self._run("setup", self._setup.work)
        self._run("checks", self._checker.work)
        self._run("ports", self._ports.work)
        self._run("images", self._collector.work)

    def _connect_for_hook(self, ip: str, port: int, timeout: float) -> paramiko.Channel:
        """sshd makes the connection, and knows of no lease: the host's shell, which proved it, is asked first."""
        self._shell.check(["true"], timeout=timeout)
        return self.ssh.connect_to(ip, port, timeout)

    def _facts(self) -> tuple[Facts, HostLease | None]:
        lines = self._shell.run(look_command(self._name), timeout=self._patience).out.splitlines()
        if not lines:
            raise CommandFailed(f"the load of {self._node.metadata.name} cannot be read from /proc")
        return read_facts(self._host.info, self._host.disk, read_load(lines[0]), self._address), read_lease(
            lines[1:]
        )

    def _disk(self) -> DiskUse:
        return read_disk(self._shell.check(["df", "-kP", self._root]))

    def _follow_events(self) -> None:
        try:
            # Since that moment of the host's own clock: nothing is missed between the list and the stream.
            follow_events(self._events, event_time(str(self._host.info["SystemTime"])), self.notes)
        except NodeError:
            # Why does not matter: the session looks at the host, and learns whether it is only this stream.
            pass
        finally:
            self.notes.put(Note(EVENTS_ENDED))

    def _run(self, what: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:
                # With a thread missing the link is of no use: the session makes a new one.
                self._log.error("thread ended", thread=what, defect=defect(error))
                self.ssh.close()

        thread = threading.Thread(target=guarded, name=f"{what} {self._node.metadata.name}", daemon=True)
        thread.start()
        self._threads.append(thread)
