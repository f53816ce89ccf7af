"""The whole plan again, from the one before and the plan of a part of the world."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Plan, PlanDelta
from reconciler.planning.incremental.index import PodIndex
from reconciler.planning.incremental.reach import BY_POD, Reach
from reconciler.planning.kubelet.booting import booting_pods
from reconciler.planning.kubelet.probes import probed_containers
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pod_info import pod_info_of
from reconciler.planning.status.nodes import nodes_with_status

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Part(Struct, frozen=True):
    """A part of the world, and the plan that was made of it."""

    reach: Reach
    memory: Memory
    """The memory as it was given to that plan."""
    plan: Plan
    pod_owners: frozenset[Ref]
    """What the pods belonged to, by what was remembered of their templates."""


def merged_memory(memory: Memory, desired: Desired, part: Part) -> Memory:
    """What is remembered of all pods; the memory given, itself, where nothing is to be remembered anew."""
    given, after = part.memory, part.plan.memory
    changed: dict[str, Any] = {
        name: put
        for name in (*BY_POD, "nodes", "incarnations", "template_revisions")
        if (put := _merged(getattr(memory, name), getattr(given, name), getattr(after, name))) is not None
    }
    if memory.revision != desired.revision.id:
        changed |= {"revision": desired.revision.id, "applied": desired.manifests}
    return replace(memory, **changed) if changed else memory


def changed_uids(part: Part) -> Sequence[Uid]:
    """The pods of which something else is remembered than before; new ones in the order in which they came."""
    given, after = part.memory, part.plan.memory
    changed = (uid for name in BY_POD for uid in _differing(getattr(given, name), getattr(after, name)))
    return list(dict.fromkeys(changed))


def changed_nodes(part: Part) -> frozenset[str]:
    """The nodes of which something else is remembered than before."""
    return frozenset(_differing(part.memory.nodes, part.plan.memory.nodes))


class Rest(Struct, frozen=True):
    """All but the part."""

    last: Plan
    """The plan before."""
    memory: Memory
    """What was remembered before this one."""
    index: PodIndex
    """The index of what is remembered after it."""
    nodes: Mapping[str, NodeView]
    """Every node, as it is judged now."""
    lost_at: Mapping[Ref, float]
    """When each silent node will be lost."""


def merged_plan(
    rest: Rest, part: Part, memory: Memory, uids: Collection[Uid], nodes: Iterable[str], desired: Desired
) -> Plan:
    """`memory` is what is remembered of all; `uids` are the pods that it remembers otherwise than before; `nodes`
    may stand otherwise."""
    reach, plan, last, before = part.reach, part.plan, rest.last, rest.memory
    moved = {
        intent.node
        for uid in uids
        if before.pods.get(uid) is not memory.pods.get(uid)
        for intent in (before.pods.get(uid), memory.pods.get(uid))
        if intent is not None
    }
    statuses = {ref: status for ref, status in plan.statuses.items() if _is_of_part(ref, reach)}
    statuses |= nodes_with_status({name: rest.nodes[name] for name in sorted(nodes)})
    gone = reach.owners | part.pod_owners | {before.pods[uid].ref for uid in reach.uids if uid in before.pods}
    gone |= {pod.ref for one in last.unplaced for pod in one.pods}
    changed = {
        ref: status
        for ref, status in statuses.items()
        if (known := last.statuses.get(ref)) is not status and known != status
    }
    lost = {ref for ref in gone if ref not in statuses and ref in last.statuses}
    on_moved = {name: [memory.pods[uid] for uid in rest.index.on_node(name)] for name in moved}
    due = {ref: at for ref, at in last.due.items() if ref.kind != "Node" and not _is_member(ref, reach)}
    due |= {ref: at for ref, at in plan.due.items() if ref.kind != "Node"}
    return Plan(
        changes=plan.changes,
        objects=plan.objects,
        work=plan.work,
        memory=memory,
        statuses=_put(last.statuses, changed, lost),
        endpoints=_put_services(last.endpoints, plan.endpoints, reach.services),
        probed=_put_by_node(
            last.probed,
            {name: probed_containers(filter(_is_probed, on), desired) for name, on in on_moved.items()},
        ),
        booting=_put_by_node(last.booting, {name: booting_pods(on, desired) for name, on in on_moved.items()}),
        unplaced=plan.unplaced,
        orphans=last.orphans,
        due={**due, **rest.lost_at},
        unsettled=frozenset(one for one in last.unsettled if not _is_member(one, reach)) | plan.unsettled,
        delta=PlanDelta(frozenset(changed.keys() | lost), frozenset(uids)),
    )


def _is_of_part(ref: Ref, reach: Reach) -> bool:
    """Whether its status in the plan of the part is the whole one: a Service that is only looked at has others
    behind it, nodes are told of by themselves, and a claim's data is looked for on all nodes."""
    if ref.kind in ("Service", "Endpoints"):
        return Ref("Service", ref.namespace, ref.name) in reach.services
    return ref.kind not in ("Node", "PersistentVolumeClaim")


def _is_probed(intent: PodIntent) -> bool:
    return pod_info_of(intent.spec).probed


def _is_member(ref: Ref, reach: Reach) -> bool:
    """Whether the part has told of it; `Pod//uid` stands for what has a uid and is no pod any more."""
    return ref in reach.owners or (not ref.namespace and ref.name in reach.uids)


def _put_services(
    before: Mapping[Ref, tuple[Value, ...]], after: Mapping[Ref, tuple[Value, ...]], services: Iterable[Ref]
) -> Mapping[Ref, tuple[Value, ...]]:
    changed = {ref: after[ref] for ref in services if after[ref] != before.get(ref)}
    return {**before, **changed} if changed else before


def _put_by_node(
    before: Mapping[str, tuple[Value, ...]], after: Mapping[str, Mapping[str, tuple[Value, ...]]]
) -> Mapping[str, tuple[Value, ...]]:
    changed = {name: own.get(name, ()) for name, own in after.items() if own.get(name, ()) != before.get(name, ())}
    if not changed:
        return before
    return {name: own for name, own in {**before, **changed}.items() if own}


def _put(before: Mapping[Key, Value], changed: Mapping[Key, Value], lost: Collection[Key]) -> Mapping[Key, Value]:
    if not changed and not lost:
        return before
    after = {**before, **changed}
    for key in lost:
        del after[key]
    return after


def _merged(
    whole: Mapping[Any, Any], given: Mapping[Any, Any], after: Mapping[Any, Any]
) -> Mapping[Any, Any] | None:
    """None: the whole as it is."""
    differing = list(_differing(given, after))
    if not differing:
        return None
    put = {**whole}
    for key in differing:
        if key in after:
            put[key] = after[key]
        else:
            del put[key]
    return put


def _differing(given: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterable[Any]:
    """In the order in which they came: what follows from the order of pods is the same in a plan of all."""
    if given is after:
        return ()
    changed = [key for key, value in after.items() if given.get(key) is not value]
    return [*changed, *(key for key in given if key not in after)]
