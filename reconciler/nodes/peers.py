"""Whether the other nodes reach one that is silent to us: asked through their own SSH connections.

A node is reached where its kernel answers, at its SSH port or at a pod's, by accepting a connection or by refusing
it: then it is up, and so may its pods be. Packets get lost, so each of the others tries again and again.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import Protocol

from reconciler.model.observed import Peers

_MOST_ASKED = 3
_STEP_SECONDS, _TRY_SECONDS = 0.25, 1.2
"""A try is long enough for the kernel to send its first packet twice."""
_FRESH_SECONDS = 5.0
"""So long does one that has reached it count as reaching it."""
_SURE_TRIES = 2
_STEADY_SECONDS = 1.0
_HASTE_SECONDS, _LONG_SECONDS, _RARELY_SECONDS = 10.0, 60.0, 20.0
"""Nobody has reached it for so long: tries are fewer then. A witness's sshd logs a line for each that fails."""

PeerPort = tuple[str, int]


def address_of(host: str) -> str:
    """Find the address by which others may reach a host that we have not reached yet; empty: there is none."""
    try:
        address = socket.gethostbyname(host)
    except OSError:
        return ""
    return "" if IPv4Address(address).is_loopback else address


class Witness(Protocol):
    """A connection to another node; `ssh.SshConnection.reaches`."""

    def reaches(self, ip: str, port: int, timeout: float) -> bool | None: ...


class Neighbours:
    """The connections of one master, by node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nodes: set[str] = set()
        self._connections: dict[str, Witness] = {}

    def enter(self, node: str) -> None:
        with self._lock:
            self._nodes.add(node)

    def leave(self, node: str) -> None:
        with self._lock:
            self._nodes.discard(node)

    def connected(self, node: str, connection: Witness) -> None:
        with self._lock:
            self._connections[node] = connection

    def silent(self, node: str) -> None:
        """Note that this node answers us late, or not at all: it can tell nothing of others."""
        with self._lock:
            self._connections.pop(node, None)

    def witnesses_for(self, node: str) -> Mapping[str, Witness]:
        """The next ones by name; none where most are silent themselves: that is a fault of ours, and many
        questions at once would not help."""
        with self._lock:
            others = {name: one for name, one in self._connections.items() if name != node}
            if 2 * len(others) < len(self._nodes - {node}):
                return {}
        after = sorted(others, key=lambda name: (name < node, name))
        return {name: others[name] for name in after[:_MOST_ASKED]}


class _Tries:
    """Of one witness."""

    def __init__(self) -> None:
        self.reached_at = 0.0
        self.in_vain: list[float] = []
        """When each try began that has ended in vain since it reached the node last."""

    def note(self, began: float, reached: bool, now: float) -> None:
        if reached:
            self.reached_at, self.in_vain = now, []
        elif began > self.reached_at:
            self.in_vain = [*self.in_vain[:_SURE_TRIES], began]

    def is_sure(self, now: float) -> bool:
        return len(self.in_vain) >= _SURE_TRIES and now - self.in_vain[0] >= _TRY_SECONDS


class Inquiry:
    """About one node: `begin` when it is silent, `end` when it is heard of again. `tell` is called from threads of
    its own, whenever something is found."""

    def __init__(
        self,
        node: str,
        neighbours: Neighbours,
        targets: Callable[[], Sequence[PeerPort]],
        record: Callable[[Peers], None],
    ) -> None:
        self._new_round = partial(_Round, node, neighbours, targets, record)
        self._record = record
        self._lock = threading.Lock()
        self._round: _Round | None = None

    def begin(self) -> None:
        with self._lock:
            if self._round is None:
                self._round = self._new_round()
                self._round.start()

    def end(self) -> None:
        with self._lock:
            ended, self._round = self._round, None
        if ended is not None:
            ended.stop()
            self._record(Peers())

    @property
    def nobody_reaches_it(self) -> bool:
        """No other node reaches it, and each has tried often enough to be sure."""
        running = self._round
        return running is not None and running.found().failing != () and running.found().reaching == ()


class _Round:
    """From when the node fell silent until it is heard of again."""

    def __init__(
        self,
        node: str,
        neighbours: Neighbours,
        targets: Callable[[], Sequence[PeerPort]],
        record: Callable[[Peers], None],
    ) -> None:
        self._node = node
        self._neighbours = neighbours
        self._targets = targets
        self._record = record
        self._lock = threading.RLock()
        self._tries: dict[str, _Tries] = {}
        self._pending: list[float] = []
        """When each try began that has not ended."""
        self._began = time.monotonic()
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._ask, name=f"inquiry {self._node}", daemon=True).start()

    def stop(self) -> None:
        """Nothing is told any more once this has returned."""
        with self._lock:
            self._stopped.set()

    def found(self) -> Peers:
        now = time.monotonic()
        with self._lock:
            tries = sorted(self._tries.items())
            return Peers(
                tuple(name for name, one in tries if one.reached_at > now - _FRESH_SECONDS),
                tuple(name for name, one in tries if one.is_sure(now)),
                max((one.reached_at for _, one in tries), default=0.0),
            )

    def _ask(self) -> None:
        due = 0.0
        while not self._stopped.is_set():
            now = time.monotonic()
            if now >= due or self._is_late(now):
                due = now + self._pause(now)
                targets = self._targets()
                for name, witness in self._neighbours.witnesses_for(self._node).items():
                    for target in targets:
                        threading.Thread(target=self._try, args=(name, witness, target), daemon=True).start()
            self._stopped.wait(_STEP_SECONDS if due - now < _RARELY_SECONDS else _RARELY_SECONDS)

    def _is_late(self, now: float) -> bool:
        """What answers, answers at once: a packet was lost, or the node is."""
        with self._lock:
            return (
                any(now - began >= _STEP_SECONDS for began in self._pending)
                and self._unheard(now) < _HASTE_SECONDS
            )

    def _pause(self, now: float) -> float:
        """Fast until it is clear whether anybody reaches it."""
        with self._lock:
            if self._tries and not any(one.in_vain for one in self._tries.values()):
                return _STEADY_SECONDS
            unheard = self._unheard(now)
        if unheard < _HASTE_SECONDS:
            return _STEP_SECONDS
        return _STEADY_SECONDS if unheard < _LONG_SECONDS else _RARELY_SECONDS

    def _unheard(self, now: float) -> float:
        return now - max(self._began, *(one.reached_at for one in self._tries.values()), 0.0)

    def _try(self, name: str, witness: Witness, target: PeerPort) -> None:
        began = time.monotonic()
        with self._lock:
            self._pending.append(began)
        reached = witness.reaches(*target, _TRY_SECONDS)
        with self._lock:
            self._pending.remove(began)
            if reached is None or self._stopped.is_set():
                return
            self._tries.setdefault(name, _Tries()).note(began, reached, time.monotonic())
            self._record(self.found())
