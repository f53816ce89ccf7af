"""Hosts that do what they are asked when a benchmark says so, and cost the control loop nothing in between.

Implements `control.ports.NodeSession`. What a real session does on threads of its own happens in `keep_up`, which
is not measured; `observe` is a look at a value, as with a real one.
"""

from collections.abc import Callable

from msgspec.structs import replace

from reconciler.model.leases import Claim, HostLease, Seat
from reconciler.model.observed import BootState, DnsState, Observation, ObservedContainer, Reachable
from reconciler.model.operations import Outcome, PodWork
from reconciler.model.setups import NodeSetup
from reconciler.planning.simulated_host import SimulatedHost


class SimulatedSession:
    def __init__(self, name: str, node: Reachable, tell: Callable[[str], None]) -> None:
        self._name = name
        self._node = node
        self._host = SimulatedHost(node)
        self._tell = tell
        self._seat = Seat(True)
        self._asked: NodeSetup | None = None
        self._setup: NodeSetup | None = None
        self.submitted: list[PodWork] = []

    @property
    def name(self) -> str:
        return self._name

    def observe(self) -> Observation:
        return self._node

    @property
    def seat(self) -> Seat:
        return self._seat

    def lead(self, claim: Claim | None) -> None:
        if claim is not None:
            self._seat = Seat(True, HostLease(claim.owner, claim.epoch, claim.holder, 15.0), claim.epoch)

    def rest(self) -> None: ...

    def submit(self, work: PodWork) -> None:
        self.submitted.append(work)
        self._node = replace(self._node, busy=self._node.busy | {work.uid})

    def ensure(self, setup: NodeSetup) -> None:
        self._asked = setup

    def stop(self, release: bool = False) -> None: ...

    @property
    def ended(self) -> bool:
        return True

    def close(self) -> None: ...

    # --- what happens between two turns ------------------------------------------------------------------------

    def keep_up(self) -> None:
        """Everything that was asked for beside pods is in force."""
        setup = self._asked
        if setup is None or setup is self._setup:
            return
        self._setup = setup
        node = replace(
            self._node,
            proxy=replace(
                self._node.proxy, running=True, fingerprint=setup.proxy.fingerprint, routed=setup.proxy.routed
            ),
            dns=DnsState(setup.dns.fingerprint if setup.dns is not None else ""),
            boot=BootState(setup.boot),
        )
        self._put(self._listening(node))

    def finish(self, work: PodWork) -> Outcome:
        """One pod's work is done, as it should be."""
        self._host.seen = self._node
        outcome = self._host.carry_out(work)
        self._put(self._listening(replace(self._host.seen, busy=self._node.busy - {work.uid})))
        return outcome

    def change(self, number: int, change: Callable[[ObservedContainer], ObservedContainer]) -> None:
        """Something happens to the container of this number."""
        containers = list(self._node.containers)
        containers[number] = change(containers[number])
        self._put(replace(self._node, containers=tuple(containers)))

    def beat(self, at: float) -> None:
        """A heartbeat has come, and nothing else is new."""
        self._node = replace(self._node, at=at)

    def _put(self, node: Reachable) -> None:
        if node != self._node:
            self._node = node
            self._tell(self._name)

    def _listening(self, node: Reachable) -> Reachable:
        """Of what is to be tried, all that runs has answered."""
        checks = self._setup.checks if self._setup is not None else node.listening
        running = {each.ip for each in node.containers if each.state == "running"}
        listening = frozenset(check for check in checks if check.ip in running)
        return node if listening == node.listening else replace(node, listening=listening)
