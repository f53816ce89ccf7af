"""One step towards the desired state: `plan` reads as the story of it.

The control loop calls it after every event, with what is known then; the dry run over and over (`forecast`).
"""

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec.structs import replace

from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import ref_of
from reconciler.model.desired import Desired
from reconciler.model.memory import Backoff, ClaimRecord, Memory, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Observed
from reconciler.model.operations import PodWork
from reconciler.model.plan import Action, Plan, PodChange
from reconciler.planning.controllers.deciding import decide
from reconciler.planning.controllers.endpoint_slices import slice_endpoints
from reconciler.planning.controllers.endpoints import endpoints, select
from reconciler.planning.controllers.ingress import ingress_records
from reconciler.planning.controllers.service import service_records
from reconciler.planning.controllers.succession import has_owner, makes_room
from reconciler.planning.decisions import Decision, Wanted
from reconciler.planning.diff import differences
from reconciler.planning.guard import held
from reconciler.planning.kubelet.booting import booting_pods
from reconciler.planning.kubelet.draining import Rotation, is_gone, leaving, rotation_of
from reconciler.planning.kubelet.garbage_collection import forgotten_files, released_volumes, tidy
from reconciler.planning.kubelet.probes import probed_containers
from reconciler.planning.kubelet.sync import Clocks, Works, works_of
from reconciler.planning.memory import remember
from reconciler.planning.options import Options
from reconciler.planning.scheduling.cycle import NOTHING_PLACED, Placement, place
from reconciler.planning.scheduling.node_info import snapshot_of
from reconciler.planning.state.adoption import incarnations, match
from reconciler.planning.state.completion import done_elsewhere, with_ends
from reconciler.planning.state.nodes import NodeView, view_nodes
from reconciler.planning.state.pods import PodView, by_owner, new_pod, ready_since, view_pods
from reconciler.planning.state.restarts import Counted, count
from reconciler.planning.state.templates import brought_up_to_date, templates_of
from reconciler.planning.state.volume_binding import claim_records, volumes_found
from reconciler.planning.status.all import standing_of

_DEFAULTS = Options()


def plan(
    desired: Desired,
    observed: Observed,
    memory: Memory,
    now: float,
    options: Options = _DEFAULTS,
    rotation: Rotation | None = None,
) -> Plan:
    """What to do now. `now` is monotonic seconds, of the same clock as every other time in the inputs.

    `rotation`: the pods that the proxies of all nodes know, where these inputs are of some nodes (see `planner`).

    A plan with a `hold` has nothing but that and the differences: the caller goes on with the revision in force.
    """
    objects = differences(desired, memory)
    hold = held(desired, memory, options)
    if hold is not None:
        return Plan(changes=(), objects=objects, work=(), memory=memory, statuses={}, hold=hold)

    nodes = view_nodes(desired, observed, memory, now)
    templates = templates_of(desired)
    known = brought_up_to_date(memory.pods, templates)
    matched = match(desired.cluster.metadata.name, templates, nodes, known, memory.runs)
    hidden = templates if any(node.record.hidden for node in nodes.values()) else ()
    if hidden or matched.pods is not known:
        numbers = incarnations(memory.incarnations, matched.pods.values(), hidden)
        memory = memory if numbers is memory.incarnations else replace(memory, incarnations=numbers)
    backends, checks = select(desired.of(Service), matched.pods)
    seen = view_pods(matched.pods, matched.containers, nodes, checks, memory, desired)
    ends = with_ends(seen, memory, now)
    present = {uid: pod for uid, pod in ends.pods.items() if pod.intent.wanted == "run" or not is_gone(pod)}
    since = ready_since(present, memory, now)

    owned = by_owner(present.values())
    done = done_elsewhere(desired, matched.pods, nodes)
    found = volumes_found(nodes)
    bound = claim_records(desired, memory.claims, matched.pods, found)
    decision = decide(desired, present, owned, {intent.ref for intent in done.values()}, memory, since, now)
    placement = _place(desired, decision, nodes, present, memory, bound)
    decision = _making_room(desired, decision, placement, nodes, present, memory, bound)
    pods = _with_decisions(desired, present, decision, placement, nodes)
    owned = owned if pods is present else by_owner(pods.values())

    services = service_records(desired, memory, nodes.values())
    intents = {**done, **{uid: pod.intent for uid, pod in pods.items()}}
    claims = claim_records(desired, bound, intents, found)
    counted = count(pods, memory, now)
    rotation = rotation if rotation is not None else rotation_of(nodes.values())
    clocks = _clocks(pods, rotation, since, memory, now, counted, ends.started)
    repairs = works_of(pods.values(), memory.ready_since, rotation, clocks, desired, matched.renamed)
    tidying = (
        tidy(matched, nodes, pods, clocks, options, {work.uid for work in repairs.work}),
        forgotten_files(matched, nodes, pods, clocks),
        released_volumes(desired, claims, nodes, intents.values(), clocks),
    )
    behind = endpoints(desired.of(Service), backends, pods, nodes.values()) | slice_endpoints(desired)
    standing = standing_of(
        desired,
        nodes,
        pods,
        owned,
        placement.unplaced,
        done,
        services,
        claims,
        behind,
        memory,
        clocks,
    )

    work = (*repairs.work, *(work for tidied in tidying for work in tidied.work))
    return Plan(
        changes=(
            *_forgotten(desired, nodes, matched.pods, done),
            *_departures(desired, present, decision),
            *_arrivals(desired, placement),
            *repairs.changes,
            *(change for tidied in tidying for change in tidied.changes),
        ),
        objects=objects,
        work=work,
        memory=remember(
            desired,
            memory,
            nodes,
            intents,
            placement,
            services,
            ingress_records(desired, memory, nodes.values()),
            claims,
            _with_failures(clocks, memory, work),
        ),
        statuses=standing.statuses,
        endpoints=behind,
        probed=probed_containers((pod.intent for pod in pods.values() if pod.shape.probed), desired),
        booting=booting_pods((pod.intent for pod in pods.values()), desired),
        unplaced=placement.unplaced,
        orphans=tuple(f"{stray.node}/{stray.container.name}" for stray in matched.orphans),
        due=_due(desired, nodes, pods, clocks, decision, (*standing.due, *ends.due, *_awaited(repairs, *tidying))),
        unsettled=_unsettled(nodes, pods, clocks, decision, placement, work, repairs) | standing.incomplete,
    )


def _place(
    desired: Desired,
    decision: Decision,
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodView],
    memory: Memory,
    claims: Mapping[Ref, ClaimRecord],
) -> Placement:
    if not decision.wanted:
        return NOTHING_PLACED
    intents = {uid: pod.intent for uid, pod in pods.items()}
    return place(desired, decision.wanted, snapshot_of(nodes, intents, memory.pods), memory, claims)


def _making_room(
    desired: Desired,
    decision: Decision,
    placement: Placement,
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodView],
    memory: Memory,
    claims: Mapping[Ref, ClaimRecord],
) -> Decision:
    """Of the pods that stay until others can take their place, one goes where those can have none beside it; the
    next one when it is gone, and when all that has a place is available."""
    if not decision.staying or not placement.unplaced:
        return decision
    busy = {one.wanted.owner for one in placement.placed} | {pod.owner for pod in pods.values() if not pod.ready}
    leaving = {leaver.uid for leaver in decision.leaving}
    leaving |= {uid for uid, pod in pods.items() if pod.intent.wanted == "leave"}
    if any(not has_owner(pods[uid].intent, desired) for uid in leaving):
        return decision
    for owner in sorted({one.owner for one in placement.unplaced} - busy):
        asked = [one for one in decision.wanted if one.owner == owner][:1]

        def fits_without(gone: frozenset[Uid], asked: Sequence[Wanted] = asked) -> bool:
            left = {uid: pod.intent for uid, pod in pods.items() if uid not in gone}
            return bool(place(desired, asked, snapshot_of(nodes, left, memory.pods), memory, claims).placed)

        if leaver := makes_room(desired, pods, decision.staying, owner, fits_without):
            staying = {uid: refs for uid, refs in decision.staying.items() if uid != leaver.uid}
            return replace(decision, leaving=(*decision.leaving, leaver), staying=staying)
    return decision


def _with_decisions(
    desired: Desired,
    pods: Mapping[Uid, PodView],
    decision: Decision,
    placement: Placement,
    nodes: Mapping[str, NodeView],
) -> Mapping[Uid, PodView]:
    """The pods as they are to be remembered: some are to leave, some are new."""
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
        changed[one.intent.uid] = new_pod(one.intent, nodes[one.intent.node], desired)
    return changed


def _clocks(
    pods: Mapping[Uid, PodView],
    rotation: Rotation,
    since: Mapping[Uid, float],
    memory: Memory,
    now: float,
    counted: Counted,
    started: Mapping[Uid, float],
) -> Clocks:
    """What was held off because it failed to start is not held off from leaving."""
    leaves = leaving(pods, rotation, memory, now)
    newly = {uid for uid in leaves if uid not in memory.leaving}
    over = [uid for uid, held in memory.backoffs.items() if uid in newly or _is_over(pods.get(uid), held, now)]
    backoffs = {uid: held for uid, held in memory.backoffs.items() if uid not in over} if over else memory.backoffs
    failures = _failures(pods, memory, now)
    return Clocks(now, since, leaves, backoffs, failures, counted.runs, counted.crashes, started)


def _failures(pods: Mapping[Uid, PodView], memory: Memory, now: float) -> Mapping[Uid, Mapping[str, Backoff]]:
    """Forgotten with the pod, with what leaves, and when the pod is fine without us."""
    over = [
        uid
        for uid, failures in memory.failures.items()
        if (pod := pods.get(uid)) is None
        or pod.intent.wanted != "run"
        or (pod.ready and all(now >= held.not_before for held in failures.values()))
    ]
    return {uid: held for uid, held in memory.failures.items() if uid not in over} if over else memory.failures


def _is_over(pod: PodView | None, held: Backoff, now: float) -> bool:
    """Forgotten with the pod, or when the pod is fine without us."""
    return now >= held.not_before and (pod is None or (pod.ready and pod.intent.wanted == "run"))


def _with_failures(clocks: Clocks, memory: Memory, work: Iterable[PodWork]) -> Clocks:
    """A pod that is fine may have work all the same (files, a name, a second copy, what Docker is to do when it
    ends): tried again, it still counts how often it failed, until it is done."""
    again = {one.uid for one in work if one.uid not in clocks.leaving}
    backoffs = {uid: memory.backoffs[uid] for uid in again & memory.backoffs.keys() - clocks.backoffs.keys()}
    failures = {uid: memory.failures[uid] for uid in again & memory.failures.keys() - clocks.failures.keys()}
    if not backoffs and not failures:
        return clocks
    return replace(clocks, backoffs={**clocks.backoffs, **backoffs}, failures={**clocks.failures, **failures})


def _forgotten(
    desired: Desired, nodes: Mapping[str, NodeView], pods: Mapping[Uid, PodIntent], done: Container[Uid]
) -> Iterable[PodChange]:
    gone = [intent for uid, intent in pods.items() if intent.node not in nodes and uid not in done]
    for intent in sorted(gone, key=lambda intent: intent.ref):
        reason = (
            f"node {intent.node} is not in revision {desired.revision}: what runs there is left as it is, until "
            f"`reconciler node reset {intent.node} SOURCE` takes it away"
        )
        yield PodChange(Action.FORGET, intent.ref, intent.uid, intent.node, reason, intent.owner)


def _departures(desired: Desired, pods: Mapping[Uid, PodView], decision: Decision) -> Iterable[PodChange]:
    for leaver in decision.leaving:
        intent = pods[leaver.uid].intent
        place = desired.places.get(pods[leaver.uid].owner)
        yield PodChange(
            leaver.action, intent.ref, leaver.uid, intent.node, leaver.reason, intent.owner, place=place
        )


def _arrivals(desired: Desired, placement: Placement) -> Iterable[PodChange]:
    for placed in placement.placed:
        wanted, intent, place = placed.wanted, placed.intent, desired.places.get(placed.wanted.owner)
        yield PodChange(
            wanted.action,
            intent.ref,
            intent.uid,
            intent.node,
            wanted.reason,
            intent.owner,
            wanted.from_node,
            place,
            placed.chosen,
        )


def _awaited(*works: Works) -> Iterable[tuple[Ref, float]]:
    return (moment for each in works for moment in each.due)


def _due(
    desired: Desired,
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodView],
    clocks: Clocks,
    decision: Decision,
    awaited: Iterable[tuple[Ref, float]],
) -> Mapping[Ref, float]:
    """The earliest moment of each."""
    moments = list(awaited)
    moments += [(ref_of(node.manifest), node.lost_at) for node in nodes.values() if node.lost_at is not None]
    moments += [(pods[uid].owner, clocks.now) for uid in clocks.leaving if is_gone(pods[uid])]
    if decision.wake_at is not None:
        moments.append((ref_of(desired.cluster), decision.wake_at))
    earliest: dict[Ref, float] = {}
    for ref, moment in moments:
        earliest[ref] = min(moment, earliest.get(ref, moment))
    return earliest


def _unsettled(
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodView],
    clocks: Clocks,
    decision: Decision,
    placement: Placement,
    work: Iterable[PodWork],
    repairs: Works,
) -> frozenset[Ref]:
    """For whom something is under way, left to do, or waited for."""
    refs = {one.owner for one in placement.unplaced} | {ref for ref, _ in repairs.due}
    refs |= {pods[one.uid].owner if one.uid in pods else one.pod for one in work}
    uids = {uid for node in nodes.values() if node.answers is not None for uid in node.answers.busy}
    uids |= {*clocks.leaving, *decision.staying}
    return frozenset(refs | {pods[uid].owner if uid in pods else Ref("Pod", "", uid) for uid in uids})
