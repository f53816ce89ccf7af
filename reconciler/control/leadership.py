"""Which of several reconcilers acts: one that has the lease of every host it reaches, and no other.

The loop asks before each turn. Nothing is done to any host while the answer is no. A reconciler that finds another
one's lease on any host waits until it ends or is released, or takes it where a person said so; one that is
superseded on any host lets go of all.
"""

import random
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.control.processes import UNKNOWN, has_ended
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import (
    ANNOTATION_LEADER,
    ANNOTATION_LEASE_EPOCH,
    Node,
    NodeStatus,
    SshAddress,
)
from reconciler.model.api.meta import Condition, ObjectMeta, ref_of
from reconciler.model.leases import Claim, HostLease, Seat
from reconciler.model.names import Ref
from reconciler.model.plan import Status
from reconciler.model.records import Event

LEASE_SECONDS: Final = 15.0
_BEATS: Final = 5
"""A lease lasts as many heartbeats at least."""
_PATIENCE_SECONDS: Final = 5.0
"""How long a host may take to answer a claim before the others are led without it."""
_RACE_SECONDS: Final = 2.0
_ASK_AGAIN_SECONDS: Final = 0.1
_PAUSE_SECONDS: Final = 0.5, 2.0
_NOBODY: Final = Ref("Cluster", "", "")


class Candidate(Struct, frozen=True):
    """Who we are."""

    owner: str
    """The identity of the state that we keep (`Store.identity`)."""
    holder: str
    """Who we are, for people: user, machine, command, process and since when, in one line."""
    take_over: bool = False
    """Whether the leases are taken at the start, whoever holds them."""
    process: str = UNKNOWN
    """This one (`processes`)."""


class Blocked(Struct, frozen=True):
    """Why nothing is done."""

    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.why}; {self.fix}"


class Leadership:
    """Used by the loop's thread alone. `lead` is told what to ask of every host."""

    def __init__(
        self,
        me: Candidate,
        lead: Callable[[Claim | None], None],
        tell: Callable[[Event], None],
        ended: Callable[[str], bool] = has_ended,
    ) -> None:
        self._me = me
        self._lead = lead
        self._tell = tell
        self._ended = ended
        self._take_over = me.take_over
        self._claim: Claim | None = None
        self._claimed_at = 0.0
        self._granted = False
        self._wait_until = 0.0
        self._lost = False
        self._about = _NOBODY
        self.blocked: Blocked | None = None
        """Why another reconciler acts and this one does not; None: it leads, or may come to."""

    @property
    def leading(self) -> bool:
        return self._granted

    def step(self, seats: Mapping[str, Seat], now: float, cluster: Cluster, settled: bool) -> float:
        """Take in how the leases stand; `leading` is the answer. When to ask again, unless something comes first.

        `settled`: each host has answered once, or was waited for; nothing is claimed before."""
        self._about = ref_of(cluster)
        if self._claim is None:
            return self._consider(seats, now, cluster.spec.sync.heartbeat_seconds, settled)
        if not self._granted:
            return self._await(self._claim, seats, now)
        self._keep(self._claim, seats, now)
        return inf if self._granted else now

    def resume(self, now: float) -> None:
        """Begin again after a rest: every host is asked anew."""
        if self._claim is not None:
            self._granted = False
            self._ask(replace(self._claim, epoch=self._claim.epoch + 1), now)

    # --- inside ---------------------------------------------------------------------------------------------

    def _consider(self, seats: Mapping[str, Seat], now: float, heartbeat: float, settled: bool) -> float:
        connected = [seat for seat in seats.values() if seat.connected]
        others = [one.lease for one in connected if one.lease is not None and one.lease.owner != self._me.owner]
        living = [lease for lease in others if self._lives(lease)]
        self._granted = False
        if living and not self._take_over:
            self._block(max(living, key=_rank), seats)
            return inf
        if not settled:
            return inf
        fallen = [lease for lease in others if not lease.released and not self._ended(lease.process)]
        if fallen and not self._take_over and 2 * len(connected) <= len(seats):
            self._block_without_most(max(fallen, key=_rank), len(connected), len(seats))
            return inf
        if not connected:
            self._granted = True  # There is nothing to act on, and much to say of hosts that do not answer.
            return inf
        if now < self._wait_until:
            return self._wait_until
        epoch = max([seat.lease.epoch for seat in seats.values() if seat.lease is not None], default=0) + 1
        seconds = max(LEASE_SECONDS, _BEATS * heartbeat)
        orphaned = any(lease.live for lease in others)  # By a process that has ended, for all who live block.
        claim = Claim(
            self._me.owner, epoch, self._me.holder, self._take_over or orphaned, seconds, self._me.process
        )
        self._ask(claim, now)
        return self._await(claim, seats, now)

    def _await(self, claim: Claim, seats: Mapping[str, Seat], now: float) -> float:
        """Every host that is reached has to grant the claim."""
        refused = [seat.lease for seat in seats.values() if seat.refused == claim.epoch]
        refusing = [lease for lease in refused if lease is not None]
        if refusing:
            return self._refused(claim, max(refusing, key=_rank), seats, now)
        left = self._claimed_at + _PATIENCE_SECONDS - now
        if left > 0 and any(seat.connected and seat.granted != claim.epoch for seat in seats.values()):
            return now + left
        self._granted = True
        if self._lost or self._take_over or self.blocked is not None:
            self._tell(Event(self._about, "Normal", "LeaderElection", f"became leader, with epoch {claim.epoch}"))
        self.blocked, self._lost, self._take_over = None, False, False
        # A host that comes back with a lease of before has a lower epoch: that one ends there.
        self._claim = replace(claim, take_over=True)
        self._lead(self._claim)
        return now

    def _refused(self, claim: Claim, winner: HostLease, seats: Mapping[str, Seat], now: float) -> float:
        if winner.epoch >= claim.epoch and (not self._lives(winner) or self._take_over):
            self._ask(replace(claim, epoch=winner.epoch + 1), now)
            return now + _ASK_AGAIN_SECONDS
        granted = any(seat.granted == claim.epoch for seat in seats.values())
        if granted and winner.owner > claim.owner and now < self._claimed_at + _RACE_SECONDS:
            # Two have begun at the same moment, and each has some hosts: the smaller name stays.
            self._lead(replace(claim))
            return now + _ASK_AGAIN_SECONDS
        self._withdraw(now)
        self._block(winner, seats)
        return self._wait_until

    def _keep(self, claim: Claim, seats: Mapping[str, Seat], now: float) -> None:
        """Has another one taken a host from us?"""
        found = [seat.lease for seat in seats.values() if seat.lease is not None and _is_above(seat.lease, claim)]
        if not found:
            return
        self._withdraw(now)
        self._lost = True
        self._block(max(found, key=_rank), seats)

    def _lives(self, lease: HostLease) -> bool:
        """Its holder may act: it has renewed the lease in time, and is not known to have ended since."""
        return lease.live and not self._ended(lease.process)

    def _ask(self, claim: Claim, now: float) -> None:
        self._claim, self._claimed_at = claim, now
        self._lead(claim)

    def _withdraw(self, now: float) -> None:
        self._claim, self._granted = None, False
        self._wait_until = now + random.uniform(*_PAUSE_SECONDS)
        self._lead(None)

    def _block(self, lease: HostLease, seats: Mapping[str, Seat]) -> None:
        held = sorted(
            name for name, seat in seats.items() if seat.lease is not None and seat.lease.owner == lease.owner
        )
        lasts = f"its lease on {', '.join(held)} lasts {lease.seconds:.0f} s more unless renewed"
        since = f"leads this cluster (epoch {lease.epoch}; {lasts})"
        self._say(
            Blocked(
                f"{lease.holder} {since if lease.live else f'has led this cluster since (epoch {lease.epoch})'}",
                "stop that one, or wait until it has ended, or take over with --take-over",
            ),
            lease,
        )

    def _block_without_most(self, lease: HostLease, reached: int, nodes: int) -> None:
        self._say(
            Blocked(
                f"{lease.holder} has led this cluster (epoch {lease.epoch}) and has not let go of it, and only "
                f"{reached} of {nodes} nodes are reached from here: it may still lead the others",
                "make sure that it has ended, and take over with --take-over",
            ),
            lease,
        )

    def _say(self, blocked: Blocked, lease: HostLease) -> None:
        """Once per holder."""
        before = self.blocked
        self.blocked = blocked
        if before is None or not before.why.startswith(lease.holder):
            what = "stopped leading" if self._lost else "nothing is done"
            self._tell(Event(self._about, "Warning", "LeaderElection", f"{what}: {blocked}"))


def _rank(lease: HostLease) -> tuple[int, bool]:
    return lease.epoch, lease.live


def _is_above(lease: HostLease, claim: Claim) -> bool:
    return not lease.is_held_by(claim) and lease.epoch >= claim.epoch


def led_nodes(statuses: Mapping[Ref, Status], seats: Mapping[str, Seat]) -> dict[Ref, Status]:
    """Return those of these nodes whose status does not say yet who has their lease, with a status that does."""
    led: dict[Ref, Status] = {}
    for name, seat in seats.items():
        ref = Ref("Node", "", name)
        known = statuses.get(ref)
        if known is None:
            led[ref] = _with_lease(_unplanned(name, seat), seat.lease)
        elif isinstance(known, Node) and (told := _with_lease(known, seat.lease)) is not known:
            led[ref] = told
    return led


def _unplanned(name: str, seat: Seat) -> Node:
    """A node of which no plan of ours has told anything yet."""
    message = "another reconciler leads: see LEADER"
    ready = Condition("Ready", "True" if seat.connected else "False", message=message)
    return Node(ObjectMeta(name), SshAddress("", ""), status=NodeStatus(conditions=(ready,)))


def _with_lease(node: Node, lease: HostLease | None) -> Node:
    """The node given, itself, if its annotations say who has the lease."""
    given = {}
    if lease is not None and lease.live:
        given = {ANNOTATION_LEADER: lease.holder, ANNOTATION_LEASE_EPOCH: str(lease.epoch)}
    before = node.metadata.annotations
    if {key: before[key] for key in _LEASE_ANNOTATIONS if key in before} == given:
        return node
    others = {key: note for key, note in before.items() if key not in _LEASE_ANNOTATIONS}
    return replace(node, metadata=replace(node.metadata, annotations={**others, **given}))


_LEASE_ANNOTATIONS = (ANNOTATION_LEADER, ANNOTATION_LEASE_EPOCH)
