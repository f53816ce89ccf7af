"""What a plan says of the time after it: the changes in words, who is unsettled, and when to plan again."""

from collections.abc import Iterable, Mapping

from reconciler.model.api.meta import ref_of
from reconciler.model.names import Ref
from reconciler.model.operations import PodWork
from reconciler.model.plan import Action, PodChange
from reconciler.planning.decided import Decided
from reconciler.planning.kubelet.draining import is_gone
from reconciler.planning.progress import Progress
from reconciler.planning.world import World


def pod_changes(world: World, decided: Decided) -> Iterable[PodChange]:
    """Yield what was decided about pods, with the reasons."""
    yield from _forgotten(world)
    yield from _departures(world, decided)
    yield from _arrivals(world, decided)


def due(
    world: World, decided: Decided, progress: Progress, awaited: Iterable[tuple[Ref, float]]
) -> Mapping[Ref, float]:
    """Return the earliest moment at which each object must be looked at again, if nothing is heard before."""
    moments = [*awaited, *world.deadlines]
    moments += [(ref_of(node.manifest), node.lost_at) for node in world.nodes.values() if node.lost_at is not None]
    moments += [(decided.pods[uid].owner, world.now) for uid in progress.leaving if is_gone(decided.pods[uid])]
    if decided.decision.wake_at is not None:
        moments.append((ref_of(world.desired.cluster), decided.decision.wake_at))
    earliest: dict[Ref, float] = {}
    for ref, moment in moments:
        earliest[ref] = min(moment, earliest.get(ref, moment))
    return earliest


def unsettled(
    world: World, decided: Decided, progress: Progress, work: Iterable[PodWork], waiting: Iterable[Ref]
) -> frozenset[Ref]:
    """Return the objects for which something is under way, left to do, or waited for."""
    pods = decided.pods
    refs = {one.owner for one in decided.placement.unplaced} | set(waiting)
    refs |= {pods[one.uid].owner if one.uid in pods else one.pod for one in work}
    uids = {uid for node in world.nodes.values() if node.answers is not None for uid in node.answers.busy}
    uids |= {*progress.leaving, *decided.decision.staying}
    return frozenset(refs | {pods[uid].owner if uid in pods else Ref("Pod", "", uid) for uid in uids})


def _forgotten(world: World) -> Iterable[PodChange]:
    gone = [
        intent
        for uid, intent in world.adopted.pods.items()
        if intent.node not in world.nodes and uid not in world.done
    ]
    for intent in sorted(gone, key=lambda intent: intent.ref):
        reason = (
            f"node {intent.node} is not in revision {world.desired.revision}: what runs there is left as it is, "
            f"until `reconciler node reset {intent.node} SOURCE` takes it away"
        )
        yield PodChange(Action.FORGET, intent.ref, intent.uid, intent.node, reason, intent.owner)


def _departures(world: World, decided: Decided) -> Iterable[PodChange]:
    for leaver in decided.decision.leaving:
        pod = world.pods[leaver.uid]
        intent, place = pod.intent, world.desired.places.get(pod.owner)
        yield PodChange(
            leaver.action, intent.ref, leaver.uid, intent.node, leaver.reason, intent.owner, place=place
        )


def _arrivals(world: World, decided: Decided) -> Iterable[PodChange]:
    for placed in decided.placement.placed:
        wanted, intent = placed.wanted, placed.intent
        yield PodChange(
            wanted.action,
            intent.ref,
            intent.uid,
            intent.node,
            wanted.reason,
            intent.owner,
            wanted.from_node,
            world.desired.places.get(wanted.owner),
            placed.chosen,
        )
