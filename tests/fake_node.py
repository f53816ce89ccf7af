"""A session of a host in memory: what `nodes.SshNodeSession` is to a real one, for the same tests and the loop's.

The host is the simulator's (`planning.simulated_host`). Its session is told of what happens to it by `change`,
`lose` and `return_`. Work is done at once, in the calling thread, unless it is given a way to do it beside others.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from reconciler.model.leases import Claim, HostLease, Seat
from reconciler.model.names import SYSTEM_PROXY, Uid
from reconciler.model.observed import (
    BootState,
    DnsState,
    Facts,
    NetworkState,
    Observation,
    ObservedContainer,
    ProxyState,
    Reachable,
    Unreachable,
)
from reconciler.model.operations import Operation, Outcome, PodWork, StartContainer, StopContainers
from reconciler.model.probes import Hook, RunCommand
from reconciler.model.setups import NodeSetup
from reconciler.nodes.session import Listener
from reconciler.planning.simulated_host import SimulatedHost

Run: TypeAlias = Callable[[Callable[[], None]], object]


def at_once(task: Callable[[], None]) -> None:
    task()


def in_a_thread(task: Callable[[], None]) -> None:
    """In a thread of its own, as long as it takes."""
    threading.Thread(target=task, daemon=True).start()


class FakeLease:
    """A host's lease by the rules of `nodes.lease_script`. Several sessions of one host share it."""

    def __init__(self) -> None:
        self.now: HostLease | None = None
        self.sessions: list[FakeNodeSession] = []

    def take(self, claim: Claim) -> bool:
        if (now := self.now) is not None and not now.is_held_by(claim):
            if claim.epoch <= now.epoch:
                return False
            if now.owner != claim.owner and now.live and not claim.take_over:
                return False
        self.now = HostLease(claim.owner, claim.epoch, claim.holder, claim.seconds, process=claim.process)
        return True

    def release(self, claim: Claim) -> None:
        if self.now is not None and self.now.is_held_by(claim):
            self.now = msgspec.structs.replace(self.now, seconds=0.0, released=True)

    def expire(self) -> None:
        """Its holder was silent for too long."""
        assert self.now is not None
        self.now = msgspec.structs.replace(self.now, seconds=0.0)
        self.tell()

    def tell(self) -> None:
        for session in self.sessions:
            session.look_at_lease()


class FakeNodeSession:
    """Implements `control.ports.NodeSession`."""

    def __init__(
        self,
        name: str,
        cluster: str,
        listener: Listener,
        images: frozenset[str],
        lease: FakeLease | None = None,
        host: SimulatedHost | None = None,
        run: Run = at_once,
    ) -> None:
        """`lease` and `host`: those of another session of the same host; `run` does one pod's work."""
        self.lease = lease or FakeLease()
        self.lease.sessions.append(self)
        self._claim: Claim | None = None
        self._refused = 0
        self._resting = False
        self._name = name
        self._cluster = cluster
        self._listener = listener
        self._run = run
        self._lock = threading.RLock()
        self._busy: set[Uid] = set()
        self._stopped = False
        self._connection = 0
        """Counted up whenever the host is lost: what was under way has no answer."""
        self._lost: Unreachable | None = None
        self.host = host or _empty_host(name, images)
        self.setup: NodeSetup | None = None
        self.calls: list[Operation] = []
        """Every operation that was begun."""

    @property
    def name(self) -> str:
        return self._name

    def observe(self) -> Observation:
        with self._lock:
            return self._lost or self._reachable()

    @property
    def seat(self) -> Seat:
        return Seat(self._lost is None, self.lease.now, self._held(), self._refused)

    def lead(self, claim: Claim | None) -> None:
        if claim is None:
            if self._claim is not None:
                self.lease.release(self._claim)
            self._claim = None
            self.lease.tell()
            return
        self._resting = False
        if self._lost is not None:
            self._claim = claim
        elif self._held() != claim.epoch:
            granted = self.lease.take(claim)
            self._claim, self._refused = (claim, 0) if granted else (None, claim.epoch)
            self.lease.tell()

    def rest(self) -> None:
        self._resting = True

    def look_at_lease(self) -> None:
        """What a heartbeat does."""
        if self._claim is not None and self._lost is None and not self._held():
            self._claim = None
        self._listener.observed(self._name)

    def _held(self) -> int:
        now, claim = self.lease.now, self._claim
        return claim.epoch if now is not None and claim is not None and now.is_held_by(claim) else 0

    def submit(self, work: PodWork) -> None:
        if not self._held() or self._resting:
            refused = Outcome(work, work.operations[0], "the host was not given to this reconciler", "NotLeading")
            self._listener.finished(self._name, refused)
            return
        if self._lost is not None:
            self._listener.finished(self._name, Outcome(work, work.operations[0], "not connected", "NodeNotReady"))
            return
        with self._lock:
            self._busy.add(work.uid)
        self._run(lambda: self._carry_out(work))

    def ensure(self, setup: NodeSetup) -> None:
        if setup == self.setup or not self._held():
            return
        with self._lock:
            self.setup = setup
            seen = self.host.seen
            if complaint := re.search(r"^\s*nonsense.*$", setup.proxy.preamble, re.MULTILINE):
                proxy = msgspec.structs.replace(seen.proxy, error=f"unknown keyword {complaint[0].strip()!r}")
            else:
                proxy = ProxyState(True, setup.proxy.fingerprint, setup.proxy.routed)
            self.host.seen = msgspec.structs.replace(
                seen,
                proxy=proxy,
                network=NetworkState("in force", policies=frozenset(setup.network.policy.pods)),
                dns=DnsState(setup.dns.fingerprint) if setup.dns is not None else seen.dns,
                boot=BootState(setup.boot),
                containers=(
                    *(one for one in seen.containers if one.container != SYSTEM_PROXY),
                    self._proxy_container(setup.proxy.image),
                ),
            )
        self._listener.observed(self._name)

    def stop(self, release: bool = False) -> None:
        if release:
            self.lead(None)
        with self._lock:
            self._stopped = True
            self._lost = Unreachable(time.monotonic(), "closed", self.last())

    @property
    def ended(self) -> bool:
        return True

    def close(self) -> None:
        self.stop()

    # --- what happens to a host -----------------------------------------------------------------------------

    def lose(self, why: str = "the network is cut", refused: bool = False, answers: bool = False) -> None:
        with self._lock:
            self._connection += 1
            self._lost = Unreachable(time.monotonic(), why, self.last(), refused, answers)
        self._listener.observed(self._name)

    def return_(self) -> None:
        with self._lock:
            self._lost, self._stopped = None, False
        if (claim := self._claim) is not None:
            self.lead(claim)
        self._listener.observed(self._name)

    def change(self, name: str, change: Callable[[ObservedContainer], ObservedContainer | None]) -> None:
        """By hand, or by a crash; None removes it."""
        with self._lock:
            changed = (change(one) if one.name == name else one for one in self.host.seen.containers)
            containers = tuple(one for one in changed if one is not None)
            self.host.seen = msgspec.structs.replace(self.host.seen, containers=containers)
        self._listener.observed(self._name)

    def last(self) -> Reachable:
        """The host itself, seen from beside it: also while it cannot be reached."""
        return self._reachable() if self._lost is None or self._lost.last is None else self._lost.last

    # --- inside ---------------------------------------------------------------------------------------------

    def _carry_out(self, work: PodWork) -> None:
        outcome = self._outcome(work, self._connection)
        with self._lock:
            self._busy.discard(work.uid)
            told = not self._stopped
        if told:
            self._listener.observed(self._name)
            self._listener.finished(self._name, outcome)

    def _outcome(self, work: PodWork, connection: int) -> Outcome:
        """One operation after the other, each as long as its hooks take; up to a lost connection."""
        for operation in work.operations:
            self.calls.append(operation)
            if seconds := _seconds_of(operation):
                time.sleep(seconds)
            with self._lock:
                if self._stopped or self._connection != connection:
                    return Outcome(work, operation, "the reply was lost", unknown=True)
                if not self._held():
                    return Outcome(work, operation, "the host was not given to this reconciler", "NotLeading")
                done = self.host.carry_out(msgspec.structs.replace(work, operations=(operation,)))
            if done.failed is not None:
                return msgspec.structs.replace(done, work=work)
        return Outcome(work)

    def _proxy_container(self, image: str) -> ObservedContainer:
        name = f"{self._cluster}_proxy"
        return ObservedContainer(
            f"{self._name}-proxy", name, image, "running", self._cluster, container=SYSTEM_PROXY
        )

    def _reachable(self) -> Reachable:
        """Whatever runs, answers: on every port that is asked for."""
        self.host.answer(self.setup.checks if self.setup else ())
        return msgspec.structs.replace(self.host.seen, busy=frozenset(self._busy), at=time.monotonic())


def _empty_host(name: str, images: frozenset[str]) -> SimulatedHost:
    facts = Facts(f"engine-{name}", "20.10", "fake", "6", "x86_64", 4, 8 << 30)
    host = SimulatedHost(Reachable(facts, (), images), pullable=frozenset())
    host.failing_commands = frozenset({("false",)})
    return host


def _seconds_of(operation: Operation) -> float:
    """How long the hooks of an operation take: they run at the same time."""
    hooks: Iterable[Hook | None] = ()
    if isinstance(operation, StartContainer):
        hooks = (operation.post_start,)
    elif isinstance(operation, StopContainers):
        hooks = [one.pre_stop for one in operation.containers]
    return max((_sleep(hook) for hook in hooks), default=0.0)


def _sleep(hook: Hook | None) -> float:
    sleeps = isinstance(hook, RunCommand) and hook.command[0] == "sleep"
    return float(hook.command[1]) if sleeps and isinstance(hook, RunCommand) else 0.0
