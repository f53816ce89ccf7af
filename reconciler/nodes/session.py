"""One host, as the control loop holds it: connects, watches, reconnects, and hands work to workers.

`wiring` makes one for each Node. Its thread does all the looking; a hung host makes it wait, and nobody else.
"""

import queue
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from reconciler.model.objects import Cluster, Node
from reconciler.model.observed import Observation
from reconciler.model.operations import Outcome, PodWork
from reconciler.model.setups import NodeSetup
from reconciler.nodes.endings import Note
from reconciler.nodes.errors import ConnectionLost, EngineError, NodeError, Refused, defect
from reconciler.nodes.link import EVENTS_ENDED, STOP, Known, Link
from reconciler.nodes.ssh import Credentials
from reconciler.nodes.view import HostView

_WORKERS = 512
"""One for each pod with work under way, as in a kubelet: most wait, for a grace period to end, a hook or a pull.
How many of them act at once, acting.py limits."""
_MISSED_BEATS = 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
_STEADY_SECONDS = 30.0
"""A connection that lasted longer is tried again at once; one that keeps breaking, ever later."""
_CLOSE_SECONDS = 5.0


class Listener(Protocol):
    """Who is told that something happened: the loop's inbox. Called from the session's own threads."""

    def observed(self, node: str) -> None: ...

    def finished(self, node: str, outcome: Outcome) -> None: ...


class SshNodeSession:
    """Implements `control.ports.NodeSession`. Connects in the background from the moment it is made.

    `engine_id` is Docker's own id as remembered for this node; empty accepts the first one seen.
    """

    def __init__(
        self, node: Node, cluster: Cluster, listener: Listener, credentials: Credentials, engine_id: str = ""
    ) -> None:
        self._node = node
        self._cluster = cluster
        self._listener = listener
        self._credentials = credentials
        self._engine_id = engine_id
        self._view = HostView(self._changed)
        self._log = structlog.get_logger().bind(node=node.metadata.name)
        self._link: Link | None = None
        self._setup: NodeSetup | None = None
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
        return self._view.observation()

    def submit(self, work: PodWork) -> None:
        self._view.begin(work.uid)
        self._workers.submit(self._carry_out, work, self._link)

    def ensure(self, setup: NodeSetup) -> None:
        with self._lock:
            self._setup = setup
            if self._link is not None:
                self._link.want(setup)

    def stop(self) -> None:
        self._closing.set()
        self._close_by = time.monotonic() + _CLOSE_SECONDS
        if (link := self._link) is not None:
            link.notes.put(Note(STOP))
            link.ssh.close()
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
            except NodeError as error:
                if not self._closing.is_set():
                    self._lost(error)
            except Exception as error:
                self._lost(NodeError(f"a defect of reconciler, please report it: {defect(error)}"))
            finally:
                self._disconnect()
            failures = 0 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
            self._closing.wait(_pause(failures))

    def _lost(self, error: NodeError) -> None:
        self._view.lost(str(error), isinstance(error, Refused))
        self._log.warning("unreachable", reason=str(error))

    def _connect(self) -> None:
        known = Known(self._engine_id, self._setup.checks if self._setup else frozenset())
        link = Link.open(self._node, self._cluster, self._view, self._credentials, known)
        with self._lock:
            self._link = link
            self._engine_id = link.engine_id
            if self._setup is not None:
                link.want(self._setup)
        if self._closing.is_set():
            raise ConnectionLost("the session was closed while it connected")
        link.begin()
        self._log.info("connected")

    def _disconnect(self) -> None:
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _serve(self) -> None:
        """Until the connection is lost (ConnectionLost) or the session closed."""
        link, sync = self._link, self._cluster.spec.sync
        assert link is not None
        next_beat, next_list = time.monotonic(), time.monotonic() + sync.relist_seconds
        missed = 0
        while not self._closing.is_set():
            noted = _take(link.notes, min(next_beat, next_list) - time.monotonic())
            try:
                if EVENTS_ENDED in noted:
                    raise ConnectionLost("Docker's event stream ended; did dockerd or the connection end?")
                link.catch_up({about: note for about, note in noted.items() if about != STOP})
                if time.monotonic() >= next_list:
                    next_list = time.monotonic() + sync.relist_seconds
                    link.list_all()
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + sync.heartbeat_seconds
                    link.beat()
                    missed = 0
            except EngineError as error:
                # Docker answers, and something in it is wrong: no reason to give the host up.
                self._log.warning("Docker cannot say", reason=error.message)
            except NodeError as error:
                missed += 1
                if missed >= _MISSED_BEATS or isinstance(error, ConnectionLost) or not link.ssh.alive:
                    raise ConnectionLost(str(error)) from error

    # --- the workers ----------------------------------------------------------------------------------------

    def _carry_out(self, work: PodWork, link: Link | None) -> None:
        outcome = Outcome(work, work.operations[0], "the host is not connected: nothing was sent", "NodeNotReady")
        try:
            if link is not None:
                outcome = link.actor.carry_out(work)
        except Exception as error:
            # Without an outcome the pod would stay busy for ever.
            self._log.error("operation broke off", pod=str(work.pod), defect=defect(error))
            outcome = Outcome(work, work.operations[0], f"a defect of reconciler: {defect(error)}", unknown=True)
        if outcome.unknown and link is not None:
            self._observe_again(link)
        self._view.end(work.uid)
        if not self._closing.is_set():
            self._listener.finished(self.name, outcome)

    def _observe_again(self, link: Link) -> None:
        try:
            link.watcher.list_all()
        except NodeError as error:
            self._log.warning("cannot observe after a lost reply", reason=str(error))

    def _changed(self) -> None:
        if (link := self._link) is not None:
            link.changed()
        if not self._closing.is_set():
            self._listener.observed(self.name)


def _take(notes: "queue.SimpleQueue[Note]", timeout: float) -> dict[str, Note]:
    """Everything noted, waiting for the first; a burst about one container is one note."""
    taken: dict[str, Note] = {}
    try:
        note = notes.get(timeout=max(0.0, timeout))
        while True:
            taken[note.about] = note.after(taken[note.about]) if note.about in taken else note
            note = notes.get_nowait()
    except queue.Empty:
        return taken


def _pause(failures: int) -> float:
    """Capped, and jittered: hosts that were lost together do not come back in step."""
    longest = min(_FIRST_PAUSE * 2.0 ** min(failures, 16), _LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)
