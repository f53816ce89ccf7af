"""`plan` for a loop: the same value, at the cost of what changed since the plan before.

`plan` is pure, and is the only one who knows any rule. A `Planner` finds what changed by identity, gives `plan`
the part of the world that this can reach, and puts the outcome into the plan before. Where a change may reach
further, everything is planned. Every so often everything is planned all the same, and compared: a difference is a
defect of this module, is told, and the whole plan counts.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from reconciler.planning.incremental.known import PlannedBefore
from reconciler.planning.plan import plan
from reconciler.planning.world import Rules

AUDIT_EVERY: Final = 500
"""Plans of a part between two that are planned whole, and compared."""


class Planner:
    """Plans for one loop. Not shared between threads."""

    def __init__(self, audit_every: int = AUDIT_EVERY) -> None:
        self._audit_every = audit_every
        self._until_audit = audit_every
        self._known: PlannedBefore | None = None
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
        now = clock.monotonic
        self._known = None if made.hold is not None else PlannedBefore(desired, observed, memory, now, rules, made)
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
