"""Planning with the kinds that there are: what `wiring` hands down, for tests."""

from typing import Final

from reconciler import planning
from reconciler.kinds import COMPARISONS, CONTROLLERS, WORKLOADS
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from reconciler.planning import Forecast, Options, Rules

RULES: Final = Rules(WORKLOADS, CONTROLLERS, COMPARISONS)
_DEFAULTS: Final = Options()
_STARTED: Final = 1_700_000_000.0


def plan(desired: Desired, observed: Observed, memory: Memory, now: float, options: Options = _DEFAULTS) -> Plan:
    return planning.plan(
        desired, observed, memory, clock_at(now), Rules(WORKLOADS, CONTROLLERS, COMPARISONS, options)
    )


def forecast(
    desired: Desired, observed: Observed, memory: Memory, now: float, options: Options = _DEFAULTS
) -> Forecast:
    return planning.forecast(
        desired, observed, memory, clock_at(now), Rules(WORKLOADS, CONTROLLERS, COMPARISONS, options)
    )


def clock_at(now: float) -> Clock:
    """Return an instant of a machine that was started in November 2023."""
    return Clock(now, _STARTED + now)
