"""What is decided: which pods come and go, where those that come are to run, and what is remembered of both."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import ClaimRecord, PodIntent, TemplateRevision
from reconciler.model.names import Ref, Uid
from reconciler.planning.controllers.succession import has_owner, makes_room
from reconciler.planning.decisions import Decision, PodToCreate
from reconciler.planning.reconcile import reconcile
from reconciler.planning.scheduling.cycle import NOTHING_PLACED, Placement, place
from reconciler.planning.scheduling.preemption import DryRun
from reconciler.planning.state.pods import PodView, by_owner, new_pod
from reconciler.planning.state.revisions import template_revisions
from reconciler.planning.state.volume_binding import claim_records
from reconciler.planning.world import World


class Decided(Struct, frozen=True):
    """What a plan decides about pods, before it follows what each node is asked to do."""

    decision: Decision
    placement: Placement
    pods: Mapping[Uid, PodView]
    """The pods as they are to be remembered: some are to leave, some are new."""
    owned: Mapping[Ref, Sequence[PodView]]
    """The pods by the object that each exists for."""
    intents: Mapping[Uid, PodIntent]
    """What is to be remembered of each pod, also of those that ran to their end on a node that is gone."""
    claims: Mapping[Ref, ClaimRecord]
    """Where the data of each claim is, or will be with the pods that are new."""
    revisions: Mapping[Ref, tuple[TemplateRevision, ...]]
    """The templates that each object has had whose kind keeps a history, and the one that it has."""


def decide(world: World) -> Decided:
    """Decide which pods come and go, and where those that come are to run."""
    decision = reconcile(world)
    placement = _placement(world, decision.wanted)
    decision = _making_room(world, decision, placement)
    pods = _pods_after(world, decision, placement)
    intents = {**world.done, **{uid: pod.intent for uid, pod in pods.items()}}
    claims = claim_records(world.desired, world.claims, intents, world.volumes)
    owned = world.owned if pods is world.pods else by_owner(pods.values())
    return Decided(decision, placement, pods, owned, intents, claims, template_revisions(world, owned))


def _placement(world: World, wanted: Sequence[PodToCreate]) -> Placement:
    if not wanted:
        return NOTHING_PLACED
    snapshot = world.snapshot({uid: pod.intent for uid, pod in world.pods.items()})
    return place(world.desired, wanted, snapshot, world.memory, world.claims)


def _making_room(world: World, decision: Decision, placement: Placement) -> Decision:
    """Let one of the pods that stay until others can take their place go, where those can have none beside it.

    The next one goes when it is gone, and when all that has a place is available.
    """
    if not decision.staying or not placement.unplaced:
        return decision
    pods = world.pods
    leaving = {leaver.uid for leaver in decision.leaving}
    leaving |= {uid for uid, pod in pods.items() if pod.intent.wanted == "leave"}
    if any(not has_owner(pods[uid].intent, world.desired) for uid in leaving):
        return decision
    busy = {one.wanted.owner for one in placement.placed} | {pod.owner for pod in pods.values() if not pod.ready}
    for owner in sorted({one.owner for one in placement.unplaced} - busy):
        stuck = next(one for one in decision.wanted if one.owner == owner)
        fits_without = DryRun(world.desired, stuck, placement.before, world.claims).fits_without
        if leaver := makes_room(world, decision.staying, owner, fits_without):
            staying = {uid: refs for uid, refs in decision.staying.items() if uid != leaver.uid}
            return replace(decision, leaving=(*decision.leaving, leaver), staying=staying)
    return decision


def _pods_after(world: World, decision: Decision, placement: Placement) -> Mapping[Uid, PodView]:
    pods = world.pods
    stay = {uid: refs for uid, refs in decision.staying.items() if pods[uid].intent.succeeded_by != refs}
    if not decision.leaving and not placement.placed and not stay:
        return pods
    reasons = {leaver.uid: leaver.reason for leaver in decision.leaving}
    reasons |= {
        one.wanted.moved: f"moved to {one.intent.node}: {one.wanted.reason}"
        for one in placement.placed
        if one.wanted.moved
    }
    changed = dict(pods)
    for uid, reason in reasons.items():
        pod = pods[uid]
        leaving = replace(pod.intent, wanted="leave", reason=reason)
        changed[uid] = replace(pod, intent=leaving, serving=False)
    for uid, refs in stay.items():
        changed[uid] = replace(pods[uid], intent=replace(pods[uid].intent, succeeded_by=refs))
    for one in placement.placed:
        node = placement.before.nodes[one.intent.node].node
        changed[one.intent.uid] = new_pod(one.intent, node, world.desired)
    return changed
