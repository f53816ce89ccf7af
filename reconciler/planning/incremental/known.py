"""The plan before, what it was made of, and what is indexed of it: from these the next one is planned in part."""

import heapq
from collections.abc import Iterable, Mapping
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.core.service import Service
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Observed, Reachable
from reconciler.model.operations import RemoveVolume
from reconciler.model.plan import Plan, PlanDelta
from reconciler.planning.diff import differences
from reconciler.planning.guard import held
from reconciler.planning.incremental.changes import changed_memory, changed_owners, moments_of, volatile
from reconciler.planning.incremental.index import PodIndex
from reconciler.planning.incremental.merge import (
    Part,
    Rest,
    changed_nodes,
    changed_uids,
    merged_memory,
    merged_plan,
)
from reconciler.planning.incremental.node_infos import NodeInfos
from reconciler.planning.incremental.nodes import JudgedNodes, cut_node
from reconciler.planning.incremental.observation import (
    Proxies,
    RotationChanges,
    Strays,
    change_of,
    is_watched,
    uids_on,
)
from reconciler.planning.incremental.reach import BY_POD, Reach, cut_desired, cut_memory, reach_of
from reconciler.planning.plan import plan
from reconciler.planning.scheduling.node_info import Snapshot
from reconciler.planning.state.volume_binding import released
from reconciler.planning.workload import pod_owners, pod_templates
from reconciler.planning.world import Beside, Rules


class Changed(Struct, frozen=True):
    """What differs from the plan before."""

    uids: frozenset[Uid]
    owners: frozenset[Ref]
    nodes: frozenset[str]


class PlannedBefore:
    """The plan before, with what it was made of and what is indexed of it. Not shared between threads."""

    def __init__(
        self, desired: Desired, observed: Observed, memory: Memory, now: float, rules: Rules, made: Plan
    ) -> None:
        """`made` is the plan of all this; what is indexed of it, is when it is needed first."""
        self.rules = rules
        self._desired = desired
        self._observed = observed
        self._plan = made
        self._memory = made.memory
        self._is_open = _is_open(desired, observed, made, rules)
        self._judged_as = (desired, observed, memory, now)
        self._followed: _Followed | None = None
        self._uids = _uids_changed(memory, made)
        """What the plan itself has changed, or asked for: it is looked at again."""
        self._owners = _bereft(memory, made.memory, self._uids)
        """The owners of pods that it has forgotten."""
        self._nodes = frozenset(
            name for name, one in made.memory.nodes.items() if memory.nodes.get(name) is not one
        )
        self._due = [(at, ref) for ref, at in made.due.items()]
        heapq.heapify(self._due)
        self._moments = [(at, uid) for uid in volatile(made.memory) for at in moments_of(uid, made.memory)]
        heapq.heapify(self._moments)

    def plan(self, desired: Desired, observed: Observed, memory: Memory, clock: Clock) -> Plan | None:
        """Make the next plan in part; None: everything is to be planned."""
        if not self._is_open or held(desired, memory, self.rules.options) is not None:
            return None
        now = clock.monotonic
        changed = self._changed(desired, observed, memory, now)
        if changed is None:
            return None
        if not (changed.uids or changed.owners or changed.nodes or desired is not self._desired):
            return self._unchanged(desired, observed, memory)
        follow = self._following()
        templates = pod_templates(desired, self.rules.workloads)
        reach = reach_of(
            changed.uids,
            changed.owners | {one.owner for one in self._plan.unplaced},
            changed.nodes,
            desired,
            memory,
            follow.index,
            follow.strays.by_uid,
            templates,
        )
        if reach is None:
            return None
        part = self._part(desired, memory, clock, reach)
        return self._merge(desired, observed, memory, now, part, changed) if part is not None else None

    # --- finding what changed ----------------------------------------------------------------------------------

    def _changed(self, desired: Desired, observed: Observed, memory: Memory, now: float) -> Changed | None:
        """None: something that may concern everything."""
        owners = changed_owners(self._desired, desired, self.rules.workloads)
        remembered = changed_memory(self._memory, memory)
        due = self._due_by(now)
        if owners is None or remembered is None or due is None:
            return None
        told = self._changed_nodes(desired, observed, memory, now)
        if told is None:
            return None
        uids = {*self._uids, *remembered, *told.uids, *due.uids}
        return Changed(frozenset(uids), owners | due.owners | self._owners, told.nodes)

    def _changed_nodes(self, desired: Desired, observed: Observed, memory: Memory, now: float) -> Changed | None:
        """What nodes say that they have not said before. None: something that may concern everything."""
        before = self._observed.nodes
        if observed.nodes.keys() != before.keys():
            return None
        names: set[str] = set()
        if observed is not self._observed:
            names = {name for name, node in observed.nodes.items() if node is not before[name]}
            names &= desired.nodes.keys()
        follow = self._following()
        judged = follow.nodes.follow(desired, observed, memory, now, names | self._nodes)
        rotation = RotationChanges(follow.watched)
        uids: set[Uid] = set()
        nodes = {*self._nodes}
        for name, one in judged.items():
            was, last = one.before.last, one.after.last
            concerned: set[Uid] = set()
            if last is not was:
                if last is None or was is None:
                    return None
                change = change_of(name, was, last, follow.index)
                if change.everywhere:
                    return None
                concerned |= change.uids
                if change.node or change.uids:
                    nodes.add(name)
            if one.has_turned:
                if any(stray.startswith(f"{name}/") for stray in self._plan.orphans):
                    return None
                concerned |= uids_on(was) | uids_on(last) | {*follow.index.on_node(name)}
                nodes.add(name)
            if not all(uid in memory.pods for uid in concerned if uid):
                return None
            uids |= concerned
            uids.update(rotation.between(one.before.answers, one.after.answers))
            follow.proxies.put(one.after)
            follow.strays.put(one.after, memory.pods)
        uids.discard("")
        return Changed(frozenset(uids), frozenset(), frozenset(nodes))

    def _due_by(self, now: float) -> Changed | None:
        """For whom a moment has come. None: it is not of one owner, pod or node."""
        uids: set[Uid] = set()
        owners: set[Ref] = set()
        while self._moments and self._moments[0][0] <= now:
            uids.add(heapq.heappop(self._moments)[1])
        while self._due and self._due[0][0] <= now:
            at, ref = heapq.heappop(self._due)
            if self._plan.due.get(ref) != at:
                continue  # It was planned anew since, and waits for another moment, or for none.
            if ref.kind == "Pod" and not ref.namespace:
                uids.add(ref.name)
            elif ref.namespace and ref.kind in self.rules.workloads:
                owners.add(ref)
            elif ref.kind != "Node":  # Those that are silent are judged again in any case.
                return None
        return Changed(frozenset(uids), frozenset(owners), frozenset())

    def _following(self) -> "_Followed":
        if self._followed is None:
            self._followed = _Followed(*self._judged_as, self._memory)
        return self._followed

    # --- planning the part -------------------------------------------------------------------------------------

    def _part(self, desired: Desired, memory: Memory, clock: Clock, reach: Reach) -> Part | None:
        """None: it is not of this part alone."""
        given, follow = cut_memory(memory, desired, reach), self._following()
        views = follow.nodes.views
        beside = Beside(
            {name: cut_node(views[name], reach.uids) for name in sorted(reach.nodes)},
            follow.proxies.rotation(),
            partial(self._snapshot, memory, reach),
        )
        cut = cut_desired(desired, reach, self.rules.workloads)
        made = plan(cut, Observed({}), given, clock, self.rules, beside)
        after = made.memory
        created = {change.uid for change in made.changes}
        if (
            made.orphans
            or _removes_data(made)
            or after.claims is not given.claims
            or not (after.pods.keys() <= given.pods.keys() | created)
        ):
            return None
        if self._has_orphans(reach):
            return None
        return Part(reach, given, made, pod_owners(given.template_revisions, self.rules.workloads))

    def _snapshot(self, memory: Memory, reach: Reach, pods: Mapping[Uid, PodIntent]) -> Snapshot:
        follow = self._following()
        return follow.infos.snapshot(follow.nodes.views, follow.index, memory.pods, reach.nodes, reach.uids, pods)

    def _has_orphans(self, reach: Reach) -> bool:
        """Some container with the uid of one of the pods was explained by nothing before."""
        orphans = self._plan.orphans
        nodes = [(name, self._observed.nodes[name]) for name in reach.nodes] if orphans else []
        return any(
            one.uid in reach.uids and f"{name}/{one.name}" in orphans
            for name, node in nodes
            if isinstance(node, Reachable)
            for one in node.containers
        )

    # --- putting it into the whole -----------------------------------------------------------------------------

    def _merge(
        self, desired: Desired, observed: Observed, memory: Memory, now: float, part: Part, changed: Changed
    ) -> Plan:
        follow, uids = self._following(), changed_uids(part)
        after = merged_memory(memory, desired, part)
        for uid in uids:
            follow.remember(uid, memory, after)
        rest = Rest(self._plan, memory, follow.index, follow.nodes.views, follow.nodes.lost_at)
        merged = merged_plan(rest, part, after, uids, changed.nodes, desired)
        merged = replace(merged, objects=differences(desired, memory, self.rules.comparisons))
        self._desired, self._observed = desired, observed
        self._plan, self._memory = merged, after
        self._uids = frozenset((*uids, *(work.uid for work in merged.work)))
        self._owners = _bereft(memory, after, uids)
        self._nodes = changed_nodes(part)
        follow.infos.changed((*part.reach.nodes, *self._nodes))
        for ref, at in part.plan.due.items():
            heapq.heappush(self._due, (at, ref))
        for uid in part.reach.uids:
            for at in moments_of(uid, after):
                if at > now:
                    heapq.heappush(self._moments, (at, uid))
        return merged

    def _unchanged(self, desired: Desired, observed: Observed, memory: Memory) -> Plan:
        self._desired, self._observed, self._memory = desired, observed, memory
        due, lost_at = self._plan.due, self._following().nodes.lost_at
        if {ref: at for ref, at in due.items() if ref.kind == "Node"} != lost_at:
            due = {**{ref: at for ref, at in due.items() if ref.kind != "Node"}, **lost_at}
        delta = PlanDelta(frozenset(), frozenset())
        self._plan = replace(self._plan, changes=(), objects=(), work=(), memory=memory, due=due, delta=delta)
        return self._plan


class _Followed:
    """What follows the cluster from plan to plan, at the cost of what changes. Made when it is needed first."""

    def __init__(
        self, desired: Desired, observed: Observed, judged_with: Memory, now: float, memory: Memory
    ) -> None:
        """The nodes are those of the plan before, as it has judged them; `memory` is what it has left."""
        self.nodes = JudgedNodes(desired, observed, judged_with, now)
        views = self.nodes.views.values()
        self.index = PodIndex(desired.of(Service), memory.pods.values())
        self.proxies = Proxies(views)
        self.strays = Strays(views, memory.pods)
        self.infos = NodeInfos()
        self.watched = {uid: intent.ip for uid, intent in memory.pods.items() if is_watched(intent, memory)}

    def remember(self, uid: Uid, before: Memory, after: Memory) -> None:
        """Take up what is remembered of a pod after a plan."""
        intent = after.pods.get(uid)
        self.index.replace(before.pods.get(uid), intent)
        if intent is not None and is_watched(intent, after):
            self.watched[uid] = intent.ip
        else:
            self.watched.pop(uid, None)


def _removes_data(made: Plan) -> bool:
    """Whether a volume would be removed: that nobody needs it is seen in sight of everything alone."""
    return any(isinstance(one, RemoveVolume) for work in made.work for one in work.operations)


def _is_open(desired: Desired, observed: Observed, made: Plan, rules: Rules) -> bool:
    """Whether what changes next may be planned without the rest: nothing is undecided that concerns all."""
    memory = made.memory
    if rules.options.prune_orphans and made.orphans:
        return False
    for name in desired.nodes:
        record = memory.nodes.get(name)
        if name not in observed.nodes or record is None or record.hidden:
            return False
    if any(intent.wanted == "run" and intent.workload not in desired.templates for intent in memory.pods.values()):
        return False
    if any(record.message for record in memory.services.values()):
        return False
    return not released(desired, memory.claims)


def _bereft(before: Memory, after: Memory, uids: Iterable[Uid]) -> frozenset[Ref]:
    """The owners of those of the pods that are remembered no more."""
    return frozenset(before.pods[uid].workload for uid in uids if uid in before.pods and uid not in after.pods)


def _uids_changed(memory: Memory, made: Plan) -> frozenset[Uid]:
    """The pods that a plan of everything has remembered something else of, or given work."""
    found = {work.uid for work in made.work}
    for part in BY_POD:
        before, after = getattr(memory, part), getattr(made.memory, part)
        if before is not after:
            found.update(uid for uid in before.keys() | after.keys() if before.get(uid) is not after.get(uid))
    return frozenset(found)
