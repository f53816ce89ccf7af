"""One scheduling cycle: each pod gets a node, a name, a uid and an address: the intent, before any effect."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, Memory, NodeRecord, PodIntent
from reconciler.model.names import Ref
from reconciler.model.plan import PendingPod, Unschedulable
from reconciler.model.resource_requests import Requests
from reconciler.planning.allocation.pod_ips import PodAddresses
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.equivalence import EquivalenceClass, EquivalenceClasses
from reconciler.planning.scheduling.framework import CycleState, Verdicts, bind, equivalence, verdicts
from reconciler.planning.scheduling.identities import Identities
from reconciler.planning.scheduling.ledger import Ledger
from reconciler.planning.scheduling.node_info import NO_NODES, Snapshot
from reconciler.planning.scheduling.profile import PROFILE
from reconciler.planning.scheduling.template_queue import TemplateQueue
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pod_info import pod_info_of
from reconciler.planning.state.volume_binding import claims_of, unlisted, volumes_found


class Placed(Struct, frozen=True):
    """A pod that has been given to a node."""

    wanted: PodToCreate
    intent: PodIntent
    chosen: str = ""
    """Why this node, in words."""


class Placement(Struct, frozen=True):
    """What came of one scheduling cycle."""

    placed: tuple[Placed, ...]
    unplaced: tuple[Unschedulable, ...]
    records: Mapping[str, NodeRecord]
    """The nodes whose address cursor moved."""
    incarnations: Mapping[Ref, int]
    """How many pods there ever were, of each owner that got some."""
    before: Snapshot
    """The nodes as they were before: a caller may keep this, and begin the next snapshot with it."""


NOTHING_PLACED: Final = Placement((), (), {}, {}, NO_NODES)


def place(
    desired: Desired,
    wanted: Sequence[PodToCreate],
    snapshot: Snapshot,
    memory: Memory,
    claims: Mapping[Ref, ClaimRecord],
) -> Placement:
    """Give each of these pods a node, in the order asked for. `claims` are those whose data is on a node already.

    Once a pod of a template has found no node, the others of that template are not tried; each pod that is one of
    a kind is, as its claims are its own."""
    cycle = _Cycle(desired, wanted, snapshot, memory, claims)
    placed: list[Placed] = []
    short: dict[tuple[Ref, str, str], list[PodToCreate]] = {}
    for pod in wanted:
        key = (pod.owner, pod.hash, pod.name)
        found = None if short and key in short else cycle.schedule(pod)
        if found is not None:
            placed.append(found)
        else:
            short.setdefault(key, []).append(pod)
    return Placement(
        tuple(placed),
        tuple([cycle.unplaced(pods) for pods in short.values()]),
        cycle.moved_cursors(),
        cycle.incarnations(),
        snapshot,
    )


def state_of(desired: Desired, snapshot: Snapshot, claims: Mapping[Ref, ClaimRecord]) -> CycleState:
    """Gather what plugins may look at beside the pod and one node."""
    nodes = {name: info.node for name, info in snapshot.nodes.items()}
    return CycleState(
        desired.cluster.metadata.name,
        nodes,
        claims,
        volumes_found(nodes),
        unlisted(nodes),
        [node for node in nodes.values() if node.record.hidden],
    )


class _Cycle:
    """One cycle: each pod sees the nodes as the ones before it left them."""

    def __init__(
        self,
        desired: Desired,
        wanted: Sequence[PodToCreate],
        snapshot: Snapshot,
        memory: Memory,
        claims: Mapping[Ref, ClaimRecord],
    ) -> None:
        self._desired = desired
        self._claims = dict(claims)
        self._identities = Identities(desired.cluster.metadata.name, memory.incarnations, snapshot.pods)
        self._ledger = Ledger(snapshot, {pod.owner for pod in wanted}, _largest(wanted))
        self._state = state_of(desired, snapshot, self._claims)
        self._classes = EquivalenceClasses(PROFILE, self._ledger, self._state)
        self._queues: dict[tuple[Ref, str, int], TemplateQueue] = {}
        self._verdicts: dict[Hashable, Verdicts] = {}
        self._last: tuple[PodToCreate, TemplateQueue] | None = None

    def schedule(self, pod: PodToCreate) -> Placed | None:
        """Give the pod the best node that can have it; None where no node can."""
        queue = self._queue(pod)
        ledger = self._ledger
        while (keys := queue.best()) is not None:
            best, next_best = keys
            rank = best % len(ledger.nodes)
            addresses = ledger.addresses(rank)
            if queue.nodes.refuses(ledger.nodes[rank], addresses):
                ledger.exhausted.add(rank)
                continue
            chosen = _chosen(queue.nodes, len(ledger.nodes), best, next_best)
            intent = self._intent(pod, ledger.nodes[rank].node, addresses)
            ledger.take(rank, intent, queue.holders)
            addresses.take(intent.ip)
            if pod.spec.volumes:
                for ref in claims_of(pod.owner.namespace, pod.spec):
                    self._claims.setdefault(ref, ClaimRecord(intent.node, ""))
            return Placed(pod, intent, chosen)
        return None

    def unplaced(self, pods: Sequence[PodToCreate]) -> Unschedulable:
        """Tell of pods of one template that are on no node why that is so, as the nodes are filled now."""
        alike = equivalence(PROFILE, pods[0], self._state)
        if alike not in self._verdicts:
            plugins = bind(PROFILE, pods[0], self._state)
            self._verdicts[alike] = verdicts(plugins, self._ledger.nodes, self._ledger.addresses)
        found = self._verdicts[alike]
        return Unschedulable(pods[0].owner, len(pods), found.reasons, self._pending(pods), found.turned_away)

    def moved_cursors(self) -> Mapping[str, NodeRecord]:
        """Return the records of the nodes that gave addresses, with the one given last."""
        return {
            name: replace(self._state.nodes[name].record, last_ip=last)
            for name, last in self._ledger.last_addresses().items()
        }

    def incarnations(self) -> Mapping[Ref, int]:
        """Return how many pods there ever were, of each owner that got some."""
        return self._identities.incarnations

    def _queue(self, pod: PodToCreate) -> TemplateQueue:
        if self._last is not None and self._last[0] is pod and not pod.spec.volumes:
            return self._last[1]
        nodes = self._classes.of(pod)
        key = (pod.owner, pod.hash, id(nodes))
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = TemplateQueue(self._ledger, nodes, pod.owner, pod.hash)
        self._last = (pod, queue)
        return queue

    def _intent(self, pod: PodToCreate, node: NodeView, addresses: PodAddresses) -> PodIntent:
        """Name the pod, and give it an address of its own; or the node's, for a pod on its host's network."""
        owner = pod.owner
        name, uid = self._identities.give(pod)
        is_itself = owner == Ref("Pod", owner.namespace, name)
        return PodIntent(
            uid,
            owner.namespace,
            name,
            node.name,
            pod.hash,
            self._desired.revision.id,
            node.manifest.ssh.host if pod.spec.host_network else addresses.peek() or "",
            None if is_itself else owner,
            pod.labels,
            pod.spec,
        )

    def _pending(self, short: Sequence[PodToCreate]) -> tuple[PendingPod, ...]:
        """Name the pods of one template that found no node as they will be named when one has room."""
        names = self._identities.next_ones(short)
        images = {one.name: one.image for one in short[0].spec.containers}
        namespace, pod_hash = short[0].owner.namespace, short[0].hash
        return tuple([PendingPod(Ref("Pod", namespace, name), uid, pod_hash, images) for name, uid in names])


def _largest(wanted: Iterable[PodToCreate]) -> Requests:
    """Return the most that any of these pods requests, of each resource."""
    cpu = memory = 0
    for spec in {id(pod.spec): pod.spec for pod in wanted}.values():
        requests = pod_info_of(spec).requests
        cpu, memory = max(cpu, requests.cpu_milli), max(memory, requests.memory_bytes)
    return Requests(cpu, memory)


def _chosen(nodes: EquivalenceClass, number: int, best: int, next_best: int | None) -> str:
    """Say what decided, in words: the weightiest score in which the next best node is worse."""
    if number == 1:
        return ""
    if nodes.candidates is not None:
        return nodes.candidates.words
    fitting = nodes.fitting
    if next_best is None:
        return f"the only one of {number} nodes that fits" if fitting == 1 else "the only one with an address left"
    for weight, words in nodes.decisive:
        if best // weight != next_best // weight:
            return f"{fitting} of {number} nodes fit, {words}"
    return f"{fitting} of {number} nodes fit, the first by name of equals"
