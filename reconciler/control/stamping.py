"""When things began: written into statuses where they are published, as a plan knows no clock. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.model.names import Ref
from reconciler.model.plan import Condition, IngressStatus, PodStatus, ServiceStatus, Status

NOTHING_PLANNED: Mapping[Ref, Status] = {}


def stamped(
    before: Mapping[Ref, Status],
    after: Mapping[Ref, Status],
    at: float,
    planned: Mapping[Ref, Status] = NOTHING_PLANNED,
) -> dict[Ref, Status]:
    """`after` with the times of `before` for what has not changed since, and `at` (Unix seconds) for what has.

    `planned` are the statuses that `before` was made from, where they are at hand: comparing is quicker than
    stamping. An unchanged status is the very object of `before`: the store writes only the others.
    """
    return {
        ref: known
        if (known := before.get(ref)) is not None and planned.get(ref) == status
        else _stamped(known, status, at)
        for ref, status in after.items()
    }


def _stamped(before: Status | None, after: Status, at: float) -> Status:
    if isinstance(after, PodStatus):
        known = before if isinstance(before, PodStatus) and before.uid == after.uid else None
        earlier = {condition.type: condition for condition in known.conditions} if known else {}
        after = replace(
            after,
            created=(known.created if known else 0.0) or min(at, after.made or at),
            conditions=tuple(_since(earlier.get(one.type), one, at) for one in after.conditions),
        )
    elif isinstance(after, ServiceStatus):
        after = replace(after, created=(before.created if isinstance(before, ServiceStatus) else 0.0) or at)
    elif isinstance(after, IngressStatus):
        after = replace(after, created=(before.created if isinstance(before, IngressStatus) else 0.0) or at)
    return before if before is not None and before == after else after


def _since(before: Condition | None, after: Condition, at: float) -> Condition:
    same = before is not None and before.status == after.status and before.since
    return replace(after, since=before.since if before is not None and same else at)
