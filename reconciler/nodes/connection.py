"""Everything that lives and dies with one SSH connection: its tools (tools.py), and the threads that run them.

Made by session.py for every connection anew.
"""

import queue
import threading
from collections.abc import Callable, Mapping

import structlog
from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.allocations import HostAllocations
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.leases import Claim, HostLease
from reconciler.model.names import SYSTEM_DNS, SYSTEM_PROXY, system_name
from reconciler.model.observed import Facts, ObservedContainer, ProxyState
from reconciler.model.setups import NodeSetup
from reconciler.nodes.docker.notes import Note
from reconciler.nodes.docker.replies import read_facts, read_load
from reconciler.nodes.docker.watch import follow_events
from reconciler.nodes.errors import CommandFailed, HostRefused, NodeError, Superseded, Unusable, defect
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.lease.lease import LeaseKeeper
from reconciler.nodes.lease.script import look_command, read_lease
from reconciler.nodes.network.interfaces import given_pod_cidr
from reconciler.nodes.peers import Inquiry
from reconciler.nodes.pods.runs import PodRun
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.login import Credentials
from reconciler.nodes.ssh.pulse import Pulse
from reconciler.nodes.tools import HostContext, HostTools, disk_use, look_at_files, make_tools

EVENTS_ENDED = "events ended"
SILENT = "silent"
STOP = "stop"
CLAIM = "claim"
"""Notes beside the container ids that `follow_events` writes."""

DOCKER_BEATS = 2
"""Heartbeats from one to the next at which Docker and a shell have to answer, too."""
_ANSWER_SECONDS = 1.0
_JOIN_SECONDS = 5.0


class EarlierConnection(Struct, frozen=True):
    """What the session remembers of the node from before this connection."""

    engine_id: str = ""
    checks: frozenset[SocketAddress] = frozenset()
    claim: Claim | None = None
    """The lease on the host that it asks for; None: only to look."""


class FirstReading(Struct, frozen=True):
    """What is read of a host beside its containers before it counts as reachable."""

    facts: Facts
    images: frozenset[str]
    proxy: ProxyState
    answers: Mapping[SocketAddress, PodRun]
    given: HostAllocations


class Connection:
    """`open` connects and reads everything, `begin` shows it and starts the threads, `close` ends all of it."""

    def __init__(self, wire: HostContext, tools: HostTools, inquiry: Inquiry) -> None:
        self.ssh = wire.ssh
        self.lease = wire.lease
        self.engine_id = tools.info.engine_id
        self.watcher = tools.watcher
        self.worker = tools.worker
        self.found: HostLease | None = None
        """The lease, as it was last read on the host."""
        self.silent = ""
        """Why the connection was given up, where the host has fallen silent."""
        self.notes: queue.SimpleQueue[Note] = queue.SimpleQueue()
        self._wire = wire
        self._tools = tools
        self._cache = wire.cache
        self._cluster = wire.cluster.metadata.name
        heartbeat = wire.cluster.spec.sync.heartbeat_seconds
        self._patience = DOCKER_BEATS * heartbeat
        self._address = wire.ssh.peer
        self._pulse = Pulse(wire.ssh, heartbeat, inquiry, wire.cache.record_sign_of_life, self._give_up)
        self._threads: list[threading.Thread] = []
        self._disk = disk_use(tools.shell, tools.info.root)

    @classmethod
    def open(
        cls,
        node: Node,
        cluster: Cluster,
        cache: HostCache,
        credentials: Credentials,
        remembered: EarlierConnection,
        inquiry: Inquiry,
    ) -> "Connection":
        """Raises NodeError; Refused also where the engine is not the one remembered."""
        name, log = node.metadata.name, structlog.get_logger().bind(node=node.metadata.name)
        ssh = SshConnection.connect(node, credentials, cluster.spec.ssh.connect_timeout_seconds)
        try:
            lease = LeaseKeeper(ssh, cluster.metadata.name, name)
            if remembered.claim is not None:
                # First: all that is read from here on is read after the end of whoever acted before.
                lease.take(remembered.claim)
            wire = HostContext(name, cluster, ssh, lease, cache, log)
            connection = cls(wire, make_tools(wire), inquiry)
            _check_engine(node, connection.engine_id, remembered.engine_id)
            connection._read_everything(remembered.checks)
        except NodeError as error:
            try:
                if isinstance(error, HostRefused | Superseded | Unusable) or not ssh.pulse(_ANSWER_SECONDS):
                    raise
                raise Unusable(ssh.explained(str(error))) from error
            finally:
                ssh.close()
        except BaseException:
            ssh.close()
            raise
        return connection

    def begin(self) -> None:
        """Let the host count as reachable from here on: whoever holds the connection must be ready for work."""
        first, clock = self._first, self._tools.info.clock
        self._cache.record_connected(first.facts, first.images, first.proxy, first.answers, first.given, clock)
        self._run("pulse", self._pulse.work)
        self._run("setup", self._tools.setup.work)
        self._run("checks", self._tools.checker.work)
        self._run("ports", self._tools.ports.work)
        self._run("images", self._tools.collector.work)

    def claim(self, claim: Claim) -> None:
        """Ask for the lease; `lease.held` and `found` say what has come of it. Raises NodeError."""
        before, self.found = self.found, self.lease.take(claim)
        if self.lease.held and before is not None and before.owner != claim.owner:
            self.list_all()  # What another had begun, and was cut off from, is observed before it is added to.

    def rest(self) -> None:
        """Begin nothing more on the host, and keep the lease."""
        self.lease.rest()
        self._tools.setup.rest()

    def want(self, setup: NodeSetup) -> None:
        self._tools.setup.want(setup)
        self._tools.checker.want(setup.checks)
        self._tools.collector.want(setup.image_gc)

    def changed(self) -> None:
        """The host's cache changed: perhaps there is a pod to try, perhaps one to try again."""
        self._tools.checker.changed()
        self._tools.ports.changed()

    def catch_up(self, noted: Mapping[str, Note]) -> None:
        """Look at what these notes are about. Raises NodeError."""
        before = self._system_containers()
        self.watcher.catch_up(noted)
        if self._system_containers() != before:
            self._tools.setup.container_changed()

    def beat(self) -> None:
        """Is Docker, and is the host's shell, still there? Raises NodeError."""
        self._tools.looker.ping_within(self._patience)
        facts, lease = self._facts()
        self.found = self.lease.keep(lease, self._tools.shell)
        self._cache.record_facts(facts)

    def list_all(self) -> None:
        """The full look that catches what no event told. Raises NodeError."""
        self.watcher.list_all()
        self.watcher.look_at_images()
        self.watcher.look_at_volumes()
        self._look_at_files()
        self._disk = disk_use(self._tools.shell, self._tools.info.root)
        if self.lease.may_act:
            self._tools.collector.look(self._disk)

    def close(self) -> None:
        self._pulse.stop()
        self._tools.stop()
        self.ssh.close()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    # --- inside ---------------------------------------------------------------------------------------------

    def _give_up(self, why: str) -> None:
        self.silent = why
        self.ssh.close()
        self.notes.put(Note(SILENT))

    def _system_containers(self) -> list[ObservedContainer | None]:
        return [self._cache.container(system_name(self._cluster, part)) for part in (SYSTEM_PROXY, SYSTEM_DNS)]

    def _read_everything(self, checks: frozenset[SocketAddress]) -> None:
        self._run("events", self._follow_events)
        self.watcher.list_all()
        self.watcher.look_at_volumes()
        self._look_at_files()
        self._run("prober", self._tools.prober.follow)
        self._tools.prober.read_back()
        proxy, balanced = self._tools.proxy.read_back()
        facts, self.found = self._facts()
        self._first = FirstReading(
            facts,
            self.watcher.images(),
            proxy,
            self._tools.checker.first_look(balanced | checks),
            replace(self._tools.proxy.given, pod_cidr=given_pod_cidr(self._cluster, self._tools.looker)),
        )

    def _look_at_files(self) -> None:
        look_at_files(self._tools.files, self._tools.shell, self._cache)

    def _facts(self) -> tuple[Facts, HostLease | None]:
        lines = self._tools.shell.run(look_command(self._cluster), timeout=self._patience).out.splitlines()
        if not lines:
            raise CommandFailed(f"the load of {self._wire.node} cannot be read from /proc")
        facts = read_facts(self._tools.info.reply, self._disk, read_load(lines[0]), self._address)
        return facts, read_lease(lines[1:])

    def _follow_events(self) -> None:
        try:
            # Since that moment of the host's own clock: nothing is missed between the list and the stream.
            follow_events(self._tools.events, self._tools.info.moment, self.notes)
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
                # With a thread missing the connection is of no use: the session makes a new one.
                self._wire.log.error("thread ended", thread=what, defect=defect(error))
                self.ssh.close()

        thread = threading.Thread(target=guarded, name=f"{what} {self._wire.node}", daemon=True)
        thread.start()
        self._threads.append(thread)


def _check_engine(node: Node, found: str, remembered: str) -> None:
    """Refused where the host's engine is not the one that is remembered for this node."""
    if remembered and found != remembered:
        name = node.metadata.name
        raise HostRefused(
            f"Node {name}: {node.ssh} runs Docker engine {found}, and the one remembered for this node is "
            f"{remembered}: the host was installed anew, or two Nodes name the same host. Correct the address, or "
            f"accept it with `reconciler node reset {name} SOURCE`"
        )
