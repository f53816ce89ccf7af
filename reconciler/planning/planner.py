"""`plan` for a loop: the same value, at the cost of what changed since the plan before.

`plan` is pure, and is the only one who knows any rule. A `Planner` finds what changed by identity, gives `plan`
the part of the world that this can reach, and puts the outcome into the plan before. Where a change may reach
further, everything is planned. Every so often everything is planned all the same, and compared: a difference is a
defect of this module, is told, and the whole plan counts.
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.core.service import Service
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Observed, Reachable
from reconciler.model.plan import Plan, PlanDelta
from reconciler.planning.diff import differences
from reconciler.planning.guard import held
from reconciler.planning.incremental.changes import changed_memory, changed_owners, moments_of, volatile
from reconciler.planning.incremental.index import PodIndex
from reconciler.planning.incremental.merge import (
    Part,
    changed_nodes,
    changed_uids,
    merged_memory,
    merged_plan,
)
from reconciler.planning.incremental.observation import Proxies, SetDifferences, Strays, change_of
from reconciler.planning.incremental.reach import (
    BY_POD,
    Reach,
    cut_desired,
    cut_memory,
    cut_observed,
    reach_of,
)
from reconciler.planning.plan import plan
from reconciler.planning.state.volume_binding import released
from reconciler.planning.workload import pod_owners, pod_templates
from reconciler.planning.world import Rules

AUDIT_EVERY: Final = 500
"""Plans of a part between two that are planned whole, and compared."""


class Changed(Struct, frozen=True):
    """What differs from the plan before."""

    uids: frozenset[Uid]
    owners: frozenset[Ref]
    nodes: frozenset[str]


class Planner:
    """Plans for one loop. Not shared between threads."""

    def __init__(self, audit_every: int = AUDIT_EVERY) -> None:
        self._audit_every = audit_every
        self._until_audit = audit_every
        self._known: _Known | None = None
        self.difference = ""
        """Where the last plan of a part would have differed from that of the whole; empty: it did not."""
        self.parts = 0
        """How many plans were of a part."""

    def forget(self) -> None:
        """Plan everything next: nobody can be sure what became of the plan before."""
        self._known = None

    def plan(self, desired: Desired, observed: Observed, memory: Memory, clock: Clock, rules: Rules) -> Plan:
        """What `planning.plan` makes of this, and in `delta` what differs from the plan before."""
        self.difference = ""
        made = None
        if self._known is not None and self._known.rules == rules:
            made = self._known.plan(desired, observed, memory, clock)
        if made is None:
            return self._whole(desired, observed, memory, clock, rules)
        self.parts += 1
        self._until_audit -= 1
        if self._until_audit > 0:
            return made
        self._until_audit = self._audit_every
        whole = self._whole(desired, observed, memory, clock, rules)
        self.difference = difference(made, whole)
        return whole if self.difference else replace(whole, delta=made.delta)

    def _whole(self, desired: Desired, observed: Observed, memory: Memory, clock: Clock, rules: Rules) -> Plan:
        made = plan(desired, observed, memory, clock, rules)
        self._known = None if made.hold is not None else _Known(desired, observed, memory, rules, made)
        return made


def difference(one: Plan, other: Plan) -> str:
    """The first field in which two plans differ, with an example; empty: none, but for `delta`."""
    for field in Plan.__struct_fields__:
        mine, others = getattr(one, field), getattr(other, field)
        if field == "delta" or mine == others:
            continue
        if isinstance(mine, Mapping):
            keys = [str(key) for key in mine.keys() | others.keys() if mine.get(key) != others.get(key)]
            return f"{field} of {', '.join(sorted(keys)[:3])}"
        if field == "memory":
            parts = [part for part in Memory.__struct_fields__ if getattr(mine, part) != getattr(others, part)]
            return f"memory: {', '.join(parts)}"
        return field
    return ""


class _Known:
    """The plan before, what it was made of, and what is indexed of it."""

    def __init__(self, desired: Desired, observed: Observed, memory: Memory, rules: Rules, made: Plan) -> None:
        self._desired = desired
        self._observed = observed
        self.rules = rules
        self._plan = made
        self._memory = made.memory
        pruning = rules.options.prune_orphans and bool(made.orphans)
        self._is_open = not pruning and _is_open(desired, observed, made)
        self._index: PodIndex | None = None
        """Made when it is needed first."""
        self._proxies = Proxies(observed)
        self._uids = _followed(memory, made)
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
        self._strays: Strays | None = None

    def plan(self, desired: Desired, observed: Observed, memory: Memory, clock: Clock) -> Plan | None:
        """None: everything is to be planned."""
        if not self._is_open or held(desired, memory, self.rules.options) is not None:
            return None
        now, index = clock.monotonic, self._indexed()
        changed = self._changed(desired, observed, memory, now, index)
        if changed is None:
            return None
        if not (changed.uids or changed.owners or changed.nodes or desired is not self._desired):
            return self._unchanged(desired, observed, memory)
        if self._strays is None:
            self._strays = Strays(observed, memory.pods)
        templates = pod_templates(desired, self.rules.workloads)
        reach = reach_of(
            changed.uids, changed.owners, changed.nodes, desired, memory, index, self._strays.by_uid, templates
        )
        if reach is None:
            return None
        part = self._part(desired, observed, memory, clock, reach)
        return self._merge(desired, observed, memory, now, part, changed) if part is not None else None

    def _part(
        self, desired: Desired, observed: Observed, memory: Memory, clock: Clock, reach: Reach
    ) -> Part | None:
        """None: it is not of this part alone."""
        given = cut_memory(memory, desired, reach)
        made = plan(
            cut_desired(desired, reach, self.rules.workloads),
            cut_observed(observed, reach),
            given,
            clock,
            self.rules,
            self._proxies.rotation(),
        )
        after = made.memory
        reaches_out = made.unplaced or made.orphans or after.claims or after.services is not given.services
        if reaches_out or self._has_orphans(reach) or not (after.pods.keys() <= given.pods.keys()):
            return None
        return Part(reach, given, made, pod_owners(given.template_revisions, self.rules.workloads))

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

    def _merge(
        self,
        desired: Desired,
        observed: Observed,
        memory: Memory,
        now: float,
        part: Part,
        changed: Changed,
    ) -> Plan:
        index, uids = self._indexed(), changed_uids(part)
        after = merged_memory(memory, desired, part)
        for uid in uids:
            old, new = memory.pods.get(uid), after.pods.get(uid)
            if old is not new:
                if old is not None:
                    index.remove(old)
                if new is not None:
                    index.add(new)
        merged = merged_plan(self._plan, part, after, uids, changed.nodes, desired, observed, memory, index, now)
        merged = replace(merged, objects=differences(desired, memory, self.rules.workloads))
        self._desired, self._observed = desired, observed
        self._plan, self._memory = merged, after
        self._uids = frozenset((*uids, *(work.uid for work in merged.work)))
        self._owners = _bereft(memory, after, uids)
        self._nodes = changed_nodes(part)
        for ref, at in part.plan.due.items():
            heapq.heappush(self._due, (at, ref))
        for uid in part.reach.uids:
            for at in moments_of(uid, after):
                if at > now:
                    heapq.heappush(self._moments, (at, uid))
        return merged

    def _unchanged(self, desired: Desired, observed: Observed, memory: Memory) -> Plan:
        self._desired, self._observed, self._memory = desired, observed, memory
        delta = PlanDelta(frozenset(), frozenset())
        self._plan = replace(self._plan, changes=(), objects=(), work=(), memory=memory, delta=delta)
        return self._plan

    def _changed(
        self, desired: Desired, observed: Observed, memory: Memory, now: float, index: PodIndex
    ) -> Changed | None:
        """None: something that may concern everything."""
        owners = changed_owners(self._desired, desired, self.rules.workloads)
        remembered = changed_memory(self._memory, memory)
        due = self._due_by(now)
        if owners is None or remembered is None or due is None:
            return None
        uids, nodes = {*self._uids, *remembered}, {*self._nodes}
        differing = SetDifferences()
        before = self._observed.nodes
        if observed.nodes.keys() != before.keys():
            return None
        for name, node in observed.nodes.items():
            was = before[name]
            if node is was:
                continue
            if not isinstance(node, Reachable) or not isinstance(was, Reachable):
                return None
            change = change_of(name, was, node, index, differing)
            if change.everywhere or not all(uid in memory.pods for uid in change.uids if uid):
                return None
            uids |= change.uids
            if change.node or change.uids:
                nodes.add(name)
            self._proxies.put(name, node)
            if self._strays is not None and node.containers is not was.containers:
                self._strays.put(name, node, memory.pods)
        uids.discard("")
        return Changed(frozenset(uids) | due.uids, owners | due.owners | self._owners, frozenset(nodes))

    def _due_by(self, now: float) -> Changed | None:
        """For whom a moment has come. None: it is not of one owner or pod."""
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
            else:
                return None
        return Changed(frozenset(uids), frozenset(owners), frozenset())

    def _indexed(self) -> PodIndex:
        if self._index is None:
            self._index = PodIndex(self._desired.of(Service), self._memory.pods.values())
        return self._index


def _is_open(desired: Desired, observed: Observed, made: Plan) -> bool:
    """Whether what changes next may be planned without the rest: nothing is undecided that concerns all."""
    memory = made.memory
    engines: set[str] = set()
    for name in desired.nodes:
        node, record = observed.nodes.get(name), memory.nodes.get(name)
        if not isinstance(node, Reachable) or record is None or record.engine_id != node.facts.engine_id:
            return False
        if node.facts.engine_id in engines:
            return False
        engines.add(node.facts.engine_id)
    if made.unplaced or any(record.message for record in memory.services.values()):
        return False
    return not released(desired, memory.claims)


def _bereft(before: Memory, after: Memory, uids: Iterable[Uid]) -> frozenset[Ref]:
    """The owners of those of the pods that are remembered no more."""
    return frozenset(before.pods[uid].workload for uid in uids if uid in before.pods and uid not in after.pods)


def _followed(memory: Memory, made: Plan) -> frozenset[Uid]:
    """The pods that a plan of everything has remembered something else of, or given work."""
    found = {work.uid for work in made.work}
    for part in BY_POD:
        before, after = getattr(memory, part), getattr(made.memory, part)
        if before is not after:
            found.update(uid for uid in before.keys() | after.keys() if before.get(uid) is not after.get(uid))
    return frozenset(found)
