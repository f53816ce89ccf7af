"""One host, as the control loop holds it: connects, watches, reconnects, and hands work to workers.

`wiring` makes one for each Node. Its thread does all the looking; a hung host makes it wait, and nobody else.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.leases import Claim, Seat
from reconciler.model.observed import Observation
from reconciler.model.operations import Outcome, PodWork
from reconciler.model.setups import NodeSetup
from reconciler.nodes.connection import (
    CLAIM,
    DOCKER_BEATS,
    EVENTS_ENDED,
    SILENT,
    STOP,
    Connection,
    EarlierConnection,
)
from reconciler.nodes.docker.notes import Note, take_notes
from reconciler.nodes.errors import (
    ConnectionLost,
    EngineError,
    HostRefused,
    NodeError,
    Superseded,
    Unusable,
    defect,
)
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.lease.seat import connected_seat, differs, refused_epoch
from reconciler.nodes.peers import Inquiry, Neighbours, PeerPort, address_of
from reconciler.nodes.ssh.login import Credentials

_WORKERS = 512
"""One for each pod with work under way, as in a kubelet: most wait, for a grace period to end, a hook or a pull.
How many of them act at once, pods/worker.py limits."""
_MISSED_BEATS = 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
_STEADY_SECONDS = 30.0
"""A connection that lasted longer is tried again at once; one that keeps breaking, ever later."""
_CLOSE_SECONDS = 5.0
_ANSWER_SECONDS = 1.0
_RELEASE_SECONDS = 2.0
"""How long a host may take to answer before its lease is left to run out."""


class _LetGo(NodeError):
    """The lease was given back as asked for: on with a connection that only looks."""


class Listener(Protocol):
    """The loop's inbox, where a session reports that something happened. Called from the session's own threads."""

    def observed(self, node: str) -> None: ...

    def finished(self, node: str, outcome: Outcome) -> None: ...


class SshNodeSession:
    """Implements `control.ports.NodeSession`. Connects in the background from the moment it is made.

    `engine_id` is Docker's own id as remembered for this node; empty accepts the first one seen. `neighbours` are
    those who are asked for this node when it is silent.
    """

    def __init__(
        self,
        node: Node,
        cluster: Cluster,
        listener: Listener,
        credentials: Credentials,
        engine_id: str = "",
        neighbours: Neighbours | None = None,
    ) -> None:
        self._node = node
        self._cluster = cluster
        self._listener = listener
        self._credentials = credentials
        self._engine_id = engine_id
        self._cache = HostCache(self._changed)
        self._neighbours = neighbours or Neighbours()
        self._neighbours.enter(self.name)
        self._inquiry = Inquiry(self.name, self._neighbours, self._targets, self._cache.record_peers)
        self._log = structlog.get_logger().bind(node=node.metadata.name)
        self._connection: Connection | None = None
        self._setup: NodeSetup | None = None
        self._claim: Claim | None = None
        self._seat = Seat(connected=False)
        self._releasing = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._close_by = 0.0
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"work {self.name}")
        self._thread = threading.Thread(target=self._live, name=f"node {self.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._node.metadata.name

    def observe(self) -> Observation:
        return self._cache.observation()

    @property
    def seat(self) -> Seat:
        return self._seat

    def lead(self, claim: Claim | None) -> None:
        with self._lock:
            self._claim = claim
            if claim is None:
                self._setup = None
            if (connection := self._connection) is not None:
                if claim is None:
                    connection.lease.rest()
                connection.notes.put(Note(CLAIM))

    def rest(self) -> None:
        with self._lock:
            self._setup = None
            if self._connection is not None:
                self._connection.rest()

    def submit(self, work: PodWork) -> None:
        self._cache.begin_work(work.uid)
        self._workers.submit(self._carry_out, work, self._connection)

    def ensure(self, setup: NodeSetup) -> None:
        with self._lock:
            self._setup = setup
            if self._connection is not None and self._connection.lease.held:
                self._connection.want(setup)

    def stop(self, release: bool = False) -> None:
        self._releasing = release
        self._closing.set()
        self._neighbours.leave(self.name)
        self._inquiry.end()
        self._close_by = time.monotonic() + _CLOSE_SECONDS
        if (connection := self._connection) is not None:
            connection.notes.put(Note(STOP))
            if release and connection.lease.held:
                connection.lease.rest()
                _after(_RELEASE_SECONDS, connection.ssh.close)
            else:
                connection.ssh.close()
        self._workers.shutdown(wait=False, cancel_futures=True)

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        """Within seconds, whatever the host does; operations that were sent may still be done by it."""
        if not self._closing.is_set():
            self.stop()
        self._thread.join(max(0.0, self._close_by - time.monotonic()))

    # --- the session's thread -------------------------------------------------------------------------------

    def _live(self) -> None:
        failures = 0
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._connect()
                self._serve()
            except Superseded as error:
                self._superseded(error)
            except _LetGo as let_go:
                self._cache.record_lost(str(let_go), answers=True)
            except NodeError as error:
                if not self._closing.is_set():
                    self._lost(self._judged(error))
            except Exception as error:
                self._lost(NodeError(f"a defect of reconciler, please report it: {defect(error)}"))
            finally:
                self._disconnect()
            failures = 0 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
            self._closing.wait(_pause(failures))

    def _superseded(self, error: Superseded) -> None:
        """Only looked at from here on, until the loop claims the host anew."""
        with self._lock:
            refused = self._claim.epoch if self._claim is not None else 0
            self._claim = self._setup = None
            self._seat = Seat(False, error.lease or self._seat.lease, refused=refused)
        self._cache.record_lost(str(error), answers=True)
        self._log.warning("superseded", reason=str(error))

    def _judged(self, error: NodeError) -> NodeError:
        """Whatever broke the connection: where sshd still answers, the host is up."""
        connection = self._connection
        if connection is None or isinstance(error, HostRefused | Unusable):
            return error
        if connection.silent:
            return ConnectionLost(connection.silent)
        return Unusable(str(error)) if connection.ssh.alive and connection.ssh.pulse(_ANSWER_SECONDS) else error

    def _lost(self, error: NodeError) -> None:
        with self._lock:
            self._seat = Seat(False, self._seat.lease)
        self._neighbours.silent(self.name)
        refused = isinstance(error, HostRefused)
        answers = isinstance(error, Unusable)
        self._cache.record_lost(str(error), refused, answers)
        if refused or answers or self._closing.is_set():
            self._inquiry.end()
        else:
            self._inquiry.begin()
        self._log.warning("unreachable", reason=str(error))

    def _targets(self) -> list[PeerPort]:
        """Where others may find this host: its SSH port, and one of its pods."""
        found = []
        if address := self._cache.address() or address_of(self._node.ssh.host):
            found.append((address, self._node.ssh.port))
        if pod := self._cache.a_listening_pod():
            found.append((pod.ip, pod.port))
        return found

    def _connect(self) -> None:
        remembered = EarlierConnection(
            self._engine_id, self._setup.checks if self._setup else frozenset(), self._claim
        )
        connection = Connection.open(
            self._node, self._cluster, self._cache, self._credentials, remembered, self._inquiry
        )
        with self._lock:
            self._connection = connection
            self._engine_id = connection.engine_id
            self._seat = _answered_seat(connection, remembered.claim)
            if self._setup is not None and connection.lease.held:
                connection.want(self._setup)
            if self._claim is not remembered.claim:
                connection.notes.put(Note(CLAIM))
        if self._closing.is_set():
            raise ConnectionLost("the session was closed while it connected")
        connection.begin()
        self._inquiry.end()
        if not connection.ssh.is_local:
            self._neighbours.connected(self.name, connection.ssh)
        self._log.info("connected")

    def _disconnect(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            if self._releasing:
                self._release(connection)
            connection.close()

    def _release(self, connection: Connection) -> None:
        try:
            connection.lease.release()
        except NodeError as error:
            self._log.warning("the lease was not released, and ends by itself", reason=str(error))

    def _answer_claim(self, connection: Connection) -> None:
        """Take, or let go of, the lease on the host, as the loop has asked last."""
        claim = self._claim
        if claim is None:
            if connection.lease.held:
                self._take_seat(Seat(True, connection.lease.release()))
                raise _LetGo(f"the lease on {self.name} was given back; only looked at from here on")
            return
        if connection.lease.held != claim.epoch:
            try:
                connection.claim(claim)
            except Superseded:
                raise
            except NodeError as error:
                # Without an answer nobody knows who may act there: ask again over a connection of its own.
                raise ConnectionLost(str(error)) from error
            with self._lock:
                if connection.lease.held and self._setup is not None:
                    connection.want(self._setup)
        self._take_seat(_answered_seat(connection, claim))

    def _take_seat(self, seat: Seat) -> None:
        """The loop is told of what it may have waited for: not of a renewal."""
        with self._lock:
            before, self._seat = self._seat, seat
        if differs(before, seat):
            self._listener.observed(self.name)

    def _serve(self) -> None:
        """Until the connection is lost (ConnectionLost) or the session closed."""
        connection, sync = self._connection, self._cluster.spec.sync
        assert connection is not None
        next_beat, next_list = time.monotonic(), time.monotonic() + sync.relist_seconds
        missed = 0
        while not self._closing.is_set():
            noted = take_notes(connection.notes, min(next_beat, next_list) - time.monotonic())
            try:
                if SILENT in noted:
                    raise ConnectionLost(connection.silent)
                if EVENTS_ENDED in noted:
                    raise ConnectionLost("Docker's event stream ended; did dockerd or the connection end?")
                if CLAIM in noted:
                    self._answer_claim(connection)
                if (lost := connection.lease.lost) is not None:
                    raise lost
                connection.catch_up({about: note for about, note in noted.items() if about not in (STOP, CLAIM)})
                if time.monotonic() >= next_list:
                    next_list = time.monotonic() + sync.relist_seconds
                    connection.list_all()
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + DOCKER_BEATS * sync.heartbeat_seconds
                    connection.beat()
                    missed = 0
                    self._take_seat(_seat(connection, self._seat.refused))
            except (Superseded, _LetGo):
                raise
            except EngineError as error:
                # Docker answers, and something in it is wrong: no reason to give the host up.
                self._log.warning("Docker cannot say", reason=error.message)
            except NodeError as error:
                missed += 1
                if missed >= _MISSED_BEATS or isinstance(error, ConnectionLost) or not connection.ssh.alive:
                    raise ConnectionLost(str(error)) from error

    # --- the workers ----------------------------------------------------------------------------------------

    def _carry_out(self, work: PodWork, connection: Connection | None) -> None:
        outcome = Outcome(work, work.operations[0], "the host is not connected: nothing was sent", "NodeNotReady")
        try:
            if connection is not None and not connection.lease.may_act:
                outcome = Outcome(
                    work, work.operations[0], "the host was not given to this reconciler", "NotLeading"
                )
            elif connection is not None:
                outcome = connection.worker.carry_out(work)
                if connection.lease.lost is not None:
                    connection.notes.put(Note(CLAIM))  # The session sees at once that there is none any more.
        except Exception as error:
            # Without an outcome the pod would stay busy for ever.
            self._log.error("operation broke off", pod=str(work.pod), defect=defect(error))
            outcome = Outcome(work, work.operations[0], f"a defect of reconciler: {defect(error)}", unknown=True)
        if outcome.unknown and connection is not None:
            self._observe_again(connection)
        self._cache.end_work(work.uid)
        if not self._closing.is_set():
            self._listener.finished(self.name, outcome)

    def _observe_again(self, connection: Connection) -> None:
        try:
            connection.watcher.list_all()
        except NodeError as error:
            self._log.warning("cannot observe after a lost reply", reason=str(error))

    def _changed(self) -> None:
        if (connection := self._connection) is not None:
            connection.changed()
        if not self._closing.is_set():
            self._listener.observed(self.name)


def _answered_seat(connection: Connection, claim: Claim | None) -> Seat:
    """The seat after this claim was answered."""
    return _seat(connection, refused_epoch(claim, connection.lease.held))


def _seat(connection: Connection, refused: int) -> Seat:
    return connected_seat(connection.found, connection.lease.held, refused)


def _after(seconds: float, do: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, do)
    timer.daemon = True
    timer.start()


def _pause(failures: int) -> float:
    """Capped, and jittered: hosts that were lost together do not come back in step."""
    longest = min(_FIRST_PAUSE * 2.0 ** min(failures, 16), _LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)
