"""One step towards the desired state: `plan` reads as the story of it.

The control loop calls it after every event, with what is known then; the dry run over and over (`forecast`).
"""

from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from reconciler.planning.controller import ClusterState, recorded
from reconciler.planning.controllers.endpoint_slices import slice_endpoints
from reconciler.planning.controllers.endpoints import endpoints
from reconciler.planning.decided import decide
from reconciler.planning.diff import differences
from reconciler.planning.guard import held
from reconciler.planning.kubelet.booting import booting_pods
from reconciler.planning.kubelet.garbage_collection import collect_garbage
from reconciler.planning.kubelet.probes import probed_containers
from reconciler.planning.kubelet.sync import sync_pods
from reconciler.planning.memory import remember
from reconciler.planning.outlook import due, pod_changes, unsettled
from reconciler.planning.progress import progress_of, with_failures
from reconciler.planning.status.all import cluster_status
from reconciler.planning.world import Beside, Rules, view_world


def plan(
    desired: Desired,
    observed: Observed,
    memory: Memory,
    clock: Clock,
    rules: Rules,
    beside: Beside | None = None,
) -> Plan:
    """Return what to do at the instant of this clock.

    `beside` is given where these inputs are a part of a cluster's (see `planner`): the rest of it.

    A plan with a `hold` has nothing but that and the differences: the caller goes on with the revision in force.
    """
    objects = differences(desired, memory, rules.comparisons)
    hold = held(desired, memory, rules.options)
    if hold is not None:
        return Plan(changes=(), objects=objects, work=(), memory=memory, statuses={}, hold=hold)

    world = view_world(desired, observed, memory, clock, rules, beside)
    decided = decide(world)
    given = world.memory  # In a part of a cluster nothing is given out that is shared by all of it.
    if beside is None:
        given = recorded(rules.controllers, desired, world.memory, tuple(world.nodes.values()))
    behind = endpoints(desired, world.backends, decided.pods, world.rotation)
    behind |= slice_endpoints(desired)

    progress = progress_of(world, decided.pods)
    synced = sync_pods(world, decided, progress)
    collected = collect_garbage(world, decided, progress, synced)
    work = (*synced.work, *collected.work)
    after = remember(world, decided, given, with_failures(progress, memory, work))
    state = ClusterState(desired, after, world.nodes, world.volumes, behind)
    status = cluster_status(world, decided, progress, state)
    return Plan(
        changes=(*pod_changes(world, decided), *synced.changes, *collected.changes),
        objects=objects,
        work=work,
        memory=after,
        statuses=status.statuses,
        endpoints=behind,
        probed=probed_containers((pod.intent for pod in decided.pods.values() if pod.shape.probed), desired),
        booting=booting_pods((pod.intent for pod in decided.pods.values()), desired),
        unplaced=decided.placement.unplaced,
        orphans=tuple(sorted(f"{stray.node}/{stray.container.name}" for stray in world.adopted.orphans)),
        due=due(world, decided, progress, (*status.due, *synced.due, *collected.due)),
        unsettled=unsettled(world, decided, progress, work, (ref for ref, _ in synced.due)) | status.incomplete,
    )
