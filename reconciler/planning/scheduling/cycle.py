"""Gives each wanted pod a node, a name, an identity and an address: the intent, before any effect."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, Memory, NodeRecord, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Action, PendingPod, Unplaced
from reconciler.planning.allocation.identity import pod_name, pod_uid
from reconciler.planning.decisions import Wanted
from reconciler.planning.resource_requests import Demand, Demands, demand_of
from reconciler.planning.scheduling.filters import away_from_data, no_address, refusal, shortage
from reconciler.planning.scheduling.node_info import Room, rooms_of
from reconciler.planning.scheduling.taints import avoided
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.volume_binding import claims_of, undecided, volumes_found


class Placed(Struct, frozen=True):
    wanted: Wanted
    intent: PodIntent
    chosen: str = ""
    """Why this node, in words."""


class Placement(Struct, frozen=True):
    placed: tuple[Placed, ...]
    unplaced: tuple[Unplaced, ...]
    records: Mapping[str, NodeRecord]
    """Of the nodes whose address cursor moved."""
    incarnations: Mapping[Ref, int]
    """Of the owners that got pods."""


NOTHING_PLACED = Placement((), (), {}, {})


def place(
    desired: Desired,
    wanted: Iterable[Wanted],
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodIntent],
    memory: Memory,
    claims: Mapping[Ref, ClaimRecord],
) -> Placement:
    """In the order asked for. `pods` are all that hold something on a node, also those that leave; `claims` those
    whose data is on a node already."""
    scheduler = _Scheduler(desired, nodes, pods, memory, claims)
    placed: list[Placed] = []
    short: dict[tuple[Ref, str], list[Wanted]] = {}
    for pod in wanted:
        key = (pod.owner, pod.hash)
        found = None if key in short else scheduler.place(pod)
        if found is not None:
            placed.append(found)
        else:
            short.setdefault(key, []).append(pod)
    return Placement(
        tuple(placed),
        tuple(
            Unplaced(owner, len(pods_short), scheduler.reasons(pods_short[0]), scheduler.pending(pods_short))
            for (owner, _), pods_short in short.items()
        ),
        scheduler.moved_cursors(),
        scheduler.incarnations,
    )


class _Scheduler:
    """One round of placing: each pod sees the nodes as the ones before it left them."""

    def __init__(
        self,
        desired: Desired,
        nodes: Mapping[str, NodeView],
        pods: Mapping[Uid, PodIntent],
        memory: Memory,
        claims: Mapping[Ref, ClaimRecord],
    ) -> None:
        self._desired = desired
        self._nodes = nodes
        self._claims = dict(claims)
        self._found = volumes_found(nodes)
        self._rooms = rooms_of(nodes, pods.values(), Demands(), memory.pods.keys() | pods.keys())
        self._taken = set(pods)
        self._memory = memory
        self.incarnations: dict[Ref, int] = {}
        self._suited: dict[tuple[Ref, str], tuple[Demand, list[Room]]] = {}

    def place(self, pod: Wanted) -> Placed | None:
        if self._undecided(pod):
            return None
        demand, suited = self._candidates(pod)
        bound = self._bound(pod)
        fitting = [
            room
            for room in suited
            if not away_from_data(bound, room.node, self._nodes) and not shortage(pod.spec, demand, room)
        ]
        count = len(fitting)
        while fitting:
            fitting.sort(key=lambda room: _preference(pod, demand, room))
            room, others = fitting[0], fitting[1:]
            address = self._address(pod, room)
            if address is not None:
                ip, offset = address
                chosen = self._chosen(pod, demand, room, others, count)
                intent = self._intent(pod, room.node.name, ip)
                room.take(intent, demand, offset)
                for ref in claims_of(pod.owner.namespace, pod.spec):
                    self._claims.setdefault(ref, ClaimRecord(room.node.name, ""))
                return Placed(pod, intent, chosen)
            fitting = others
        return None

    def _chosen(self, pod: Wanted, demand: Demand, room: Room, others: Sequence[Room], fitting: int) -> str:
        """What decided, in words: the first of the preferences in which the next best node is worse."""
        every = len(self._rooms)
        if every == 1:
            return ""
        if pod.spec.node_name:
            return "the pod names it"
        for ref, record in self._bound(pod).items():
            return f"its claim {ref.name} has its data there" if record.node == room.node.name else ""
        if not others:
            return (
                f"the only one of {every} nodes that fits" if fitting == 1 else "the only one with an address left"
            )
        mine, next_best = (_preference(pod, demand, one) for one in (room, others[0]))
        decided = next(
            number for number, (own, other) in enumerate(zip(mine, next_best, strict=True)) if own != other
        )
        return f"{fitting} of {every} nodes fit, {_DECISIVE[decided]}"

    def reasons(self, pod: Wanted) -> Mapping[str, str]:
        if why := self._undecided(pod):
            return dict.fromkeys(self._rooms, why)
        demand, _ = self._candidates(pod)
        bound = self._bound(pod)
        return {
            name: away_from_data(bound, room.node, self._nodes)
            or refusal(pod.spec, room.node)
            or shortage(pod.spec, demand, room)
            or no_address(room)
            for name, room in self._rooms.items()
        }

    def pending(self, short: Sequence[Wanted]) -> tuple[PendingPod, ...]:
        """The pods of one template that found no node, with the names that they will have when one has room."""
        number = self._next_number(short[0].owner)
        pods = []
        for pod in short:
            name, uid, number = self._identity(pod.owner, pod.hash, number)
            self._taken.add(uid)
            images = {one.name: one.image for one in pod.spec.containers}
            pods.append(PendingPod(Ref("Pod", pod.owner.namespace, name), uid, pod.hash, images))
        return tuple(pods)

    def moved_cursors(self) -> Mapping[str, NodeRecord]:
        return {
            name: replace(room.node.record, last_ip=room.addresses.last)
            for name, room in self._rooms.items()
            if room.addresses.last != room.node.record.last_ip
        }

    def _bound(self, pod: Wanted) -> Mapping[Ref, ClaimRecord]:
        """Those of the pod's claims whose data is somewhere already, or will be with a pod placed before it."""
        refs = claims_of(pod.owner.namespace, pod.spec)
        return {ref: self._claims[ref] for ref in refs if ref in self._claims}

    def _undecided(self, pod: Wanted) -> str:
        """Why it is not known yet whether it runs, or where the data of its claims is, in words; empty where it is
        known. What a lost node may have is replaced, but for bare pods: those exist once."""
        for node in self._nodes.values() if pod.action is Action.CREATE else ():
            if node.record.hidden and (pod.owner.kind == "Pod" or not node.lost):
                return (
                    f"it may run on {node.name}, which has not been seen since the state was lost; "
                    "make the host answer, or remove its Node"
                )
        cluster = self._desired.cluster.metadata.name
        refs = [ref for ref in claims_of(pod.owner.namespace, pod.spec) if ref not in self._claims]
        return next((why for ref in refs if (why := undecided(cluster, ref, self._nodes, self._found))), "")

    def _address(self, pod: Wanted, room: Room) -> tuple[str, int] | None:
        """Its own, of the node's pod CIDR; or the node's, for a pod on its host's network."""
        if pod.spec.host_network:
            return room.node.manifest.ssh.host, room.addresses.last
        return room.addresses.peek()

    def _candidates(self, pod: Wanted) -> tuple[Demand, list[Room]]:
        key = (pod.owner, pod.hash)
        if key not in self._suited:
            suited = [room for room in self._rooms.values() if not refusal(pod.spec, room.node)]
            self._suited[key] = (demand_of(pod.spec), suited)
        return self._suited[key]

    def _intent(self, pod: Wanted, node: str, ip: str) -> PodIntent:
        owner = pod.owner
        bare = owner.kind == "Pod"
        name, uid, self.incarnations[owner] = self._identity(owner, pod.hash, self._next_number(owner))
        self._taken.add(uid)
        return PodIntent(
            uid=uid,
            namespace=owner.namespace,
            name=name,
            node=node,
            hash=pod.hash,
            revision=self._desired.revision.id,
            ip=ip,
            owner=None if bare else owner,
            labels=pod.labels,
            spec=pod.spec,
        )

    def _next_number(self, owner: Ref) -> int:
        return self.incarnations.get(owner, self._memory.incarnations.get(owner, 0))

    def _identity(self, owner: Ref, pod_hash: str, number: int) -> tuple[str, Uid, int]:
        """The first free name and uid from this number on, and the number after theirs."""
        cluster = self._desired.cluster.metadata.name
        while True:
            name = owner.name if owner.kind == "Pod" else pod_name(owner, pod_hash, number)
            uid = pod_uid(cluster, owner.namespace, name, number)
            number += 1
            if uid not in self._taken:
                return name, uid, number


_DECISIVE: Final = (
    "the others have a taint that it would rather avoid",
    "it has the fewest pods of this template",
    "it has the most room",
    "the first by name of equals",
)
"""Of each part of `_preference`, what it says of the node that wins by it."""


def _preference(pod: Wanted, demand: Demand, room: Room) -> tuple[int, int, int, str]:
    """Smallest first: spread the template's pods; then the node with the most left.

    What leaves, and what will give way to this very template, has no say: when it goes is a matter of timing,
    and a rollout must end on the nodes that its forecast named.
    """
    spread = room.of_template[pod.owner, pod.hash]
    return (
        avoided(pod.spec, room.node.manifest),
        spread,
        room.share_with(pod.owner, pod.hash, demand),
        room.node.name,
    )
