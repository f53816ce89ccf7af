"""How everything stands after this step, and whether anything is left to wait for."""

from collections.abc import Mapping

from msgspec import Struct

from reconciler.model.api.meta import ref_of
from reconciler.model.names import Ref
from reconciler.model.plan import Status, Unschedulable
from reconciler.planning.controller import ClusterState, statuses_of
from reconciler.planning.decided import Decided
from reconciler.planning.progress import Progress
from reconciler.planning.status.nodes import departed_nodes, nodes_with_status
from reconciler.planning.status.pods import done_pod, pod_statuses
from reconciler.planning.workload import Standing, availability_of
from reconciler.planning.world import World


class ClusterStatus(Struct, frozen=True):
    statuses: Mapping[Ref, Status]
    incomplete: frozenset[Ref]
    """The objects with pods that are not as wanted."""
    due: tuple[tuple[Ref, float], ...]
    """When a pod that is ready now will count as available, and the object it is of."""


def cluster_status(world: World, decided: Decided, progress: Progress, state: ClusterState) -> ClusterStatus:
    """Return every object with its status, and what is left to wait for."""
    desired, nodes, pods, owned = world.desired, world.nodes, decided.pods, decided.owned
    unplaced, done, memory = decided.placement.unplaced, world.done, world.memory
    statuses: dict[Ref, Status] = {**desired.metadata}
    statuses.update(nodes_with_status(nodes))
    statuses.update(departed_nodes(memory.nodes, nodes))
    statuses.update((intent.ref, done_pod(intent)) for intent in done.values())
    statuses.update(pod_statuses(world, pods, unplaced, progress))
    incomplete: set[Ref] = set()
    due: list[tuple[Ref, float]] = []
    short: dict[Ref, list[Unschedulable]] = {}
    for one in unplaced:
        short.setdefault(one.owner, []).append(one)
    for workload in world.rules.workloads.values():
        for ref in desired.of(workload.type):
            mine = world.owned_by(ref, owned.get(ref, ()))
            availability = availability_of(mine, workload.min_ready_seconds(mine.object))
            revisions = decided.revisions.get(ref, ())
            stands = workload.status(Standing(mine, availability, short.get(ref, ()), statuses, revisions))
            if stands.object is not None:
                statuses[ref] = stands.object
            statuses.update((ref_of(one), one) for one in stands.dependents)
            if not stands.complete:
                incomplete.add(ref)
            if availability.wake_at is not None:
                due.append((ref, availability.wake_at))
    statuses.update((ref_of(thing), thing) for thing in statuses_of(world.rules.controllers, state))
    return ClusterStatus(statuses, frozenset(incomplete), tuple(due))
