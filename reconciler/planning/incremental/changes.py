"""What changed between two calls of a planner, beside the observations: the revision, the memory, and the time."""

from collections.abc import Iterator

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.planning.state.restarts import HEALTHY_SECONDS, trusted_at
from reconciler.planning.workload import Workloads

_OF_THE_LOOP = frozenset({"orders", "accounts"})
"""Parts that no plan looks at."""
_HELD_OFF = ("backoffs", "failures")
"""Parts that the loop writes by pod, from the outcome of work."""


def changed_owners(before: Desired, after: Desired, workloads: Workloads) -> frozenset[Ref] | None:
    """The objects that pods exist for and that differ between two revisions; None: something else does."""
    if before is after:
        return frozenset()
    if before.digests is not after.digests and before.digests != after.digests:
        return None
    found: set[Ref] = set()
    types = {workload.type for workload in workloads.values()}
    for kind in before.objects.keys() | after.objects.keys():
        old, new = before.of(kind), after.of(kind)
        if old is new or old == new:
            continue
        if kind not in types:
            return None
        found.update(ref for ref in old.keys() | new.keys() if _differ(old.get(ref), new.get(ref)))
    if before.templates is not after.templates:
        found.update(ref for ref, one in after.templates.items() if _differ(before.templates.get(ref), one))
    return frozenset(found)


def _differ(before: object, after: object) -> bool:
    return before is not after and before != after


def changed_memory(before: Memory, after: Memory) -> frozenset[Uid] | None:
    """The pods of which something else is remembered than the plan before has left; None: something else is."""
    if before is after:
        return frozenset()
    uids: set[Uid] = set()
    for part in Memory.__struct_fields__:
        old, new = getattr(before, part), getattr(after, part)
        if old is new or part in _OF_THE_LOOP:
            continue
        if part not in _HELD_OFF:
            return None
        uids.update(uid for uid in old.keys() | new.keys() if old.get(uid) is not new.get(uid))
    return frozenset(uids)


def moments_of(uid: Uid, memory: Memory) -> Iterator[float]:
    """When what is remembered of a pod will say something else by itself, whether or not anybody waits for it."""
    if (held := memory.backoffs.get(uid)) is not None:
        yield held.not_before
    for held in memory.failures.get(uid, {}).values():
        yield held.not_before
    for crashes in memory.crashes.get(uid, {}).values():
        yield crashes.not_before
        yield trusted_at(crashes)
        yield crashes.since + HEALTHY_SECONDS


def volatile(memory: Memory) -> frozenset[Uid]:
    """The pods of which something is remembered that will be otherwise by itself."""
    return frozenset((*memory.backoffs, *memory.failures, *memory.crashes))
