"""Asks the workload of each object that pods exist for, and gathers what they decide."""

from collections.abc import Iterable, Mapping

from reconciler.model.names import Uid
from reconciler.planning.controllers.port_conflicts import port_conflicts
from reconciler.planning.controllers.succession import succession
from reconciler.planning.decisions import Decision, PodToCreate, PodToDelete
from reconciler.planning.state.pods import by_owner
from reconciler.planning.workload import Owned, owners
from reconciler.planning.world import World


def reconcile(world: World) -> Decision:
    """Decide what is to come and to go, each pod at most once, in the order of the manifests' names."""
    gone = succession(world)
    leaving = {leaver.uid: leaver for leaver in (*port_conflicts(world.pods, world.memory), *gone.leaving)}
    wanted: list[PodToCreate] = []
    for owned in _owned(world, leaving):
        decision = world.rules.workloads[owned.ref.kind].reconcile(owned)
        wanted += decision.wanted
        leaving |= {leaver.uid: leaver for leaver in decision.leaving}
    kept = {uid: refs for uid, refs in gone.staying.items() if uid not in leaving} if gone.staying else {}
    return Decision(tuple(wanted), tuple(leaving.values()), kept, gone.wake_at)


def _owned(world: World, leaving: Mapping[Uid, PodToDelete]) -> Iterable[Owned[object]]:
    """Yield each object with its pods, without those that are to leave already."""
    ousted = {world.pods[uid].owner for uid in leaving}
    owned = world.owned if not leaving else by_owner(pod for uid, pod in world.pods.items() if uid not in leaving)
    for ref in owners(world.desired):
        yield world.owned_by(ref, owned.get(ref, ()), ousted=ref in ousted)
