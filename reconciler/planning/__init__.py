"""What follows from desired, observed and memory: pure functions, with the time passed in.

`plan` is one step, `forecast` the dry run of all of them; docs/explanation/planning.md is the map.
"""

from reconciler.planning.certificates import (
    NO_ORDERS,
    DueOrders,
    account_wanted,
    after_issue,
    after_refusal,
    certificates_due,
    retry_delay,
    with_account,
)
from reconciler.planning.controllers.succession import stays_until
from reconciler.planning.forecast import Forecast, forecast
from reconciler.planning.guard import emptied, held
from reconciler.planning.kubelet.backoff import after_failure, after_success
from reconciler.planning.memory import without_node
from reconciler.planning.options import Options
from reconciler.planning.plan import plan
from reconciler.planning.planner import Planner
from reconciler.planning.world import Rules

__all__ = [
    "DueOrders",
    "Forecast",
    "NO_ORDERS",
    "Options",
    "Planner",
    "Rules",
    "account_wanted",
    "after_failure",
    "after_issue",
    "after_refusal",
    "after_success",
    "certificates_due",
    "emptied",
    "forecast",
    "held",
    "plan",
    "retry_delay",
    "stays_until",
    "with_account",
    "without_node",
]
