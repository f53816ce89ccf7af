"""What follows from desired, observed and memory: pure functions, with the time passed in.

`plan` is one step, `forecast` the dry run of all of them; docs/explanation/planning.md is the map.
"""

from reconciler.planning.backoff import after_failure, after_success
from reconciler.planning.forecast import Forecast, forecast
from reconciler.planning.guard import held
from reconciler.planning.options import Options
from reconciler.planning.plan import plan
from reconciler.planning.remembering import without_node

__all__ = [
    "Forecast",
    "Options",
    "after_failure",
    "after_success",
    "forecast",
    "held",
    "plan",
    "without_node",
]
