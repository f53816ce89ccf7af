"""The words people and CI jobs see: plans, problems, statuses and events, as values to print.

Nothing here prints, colours or measures the terminal: the command line does, so a pipe gets the same text.
"""

from reconciler.reporting.events import event_json, event_line, events_table
from reconciler.reporting.lines import Line, Style, inert
from reconciler.reporting.objects import manifest_object, object_list, status_object
from reconciler.reporting.plan_json import plan_json
from reconciler.reporting.plan_markdown import plan_markdown
from reconciler.reporting.plan_report import PlanReport, RejectedBase, UnreachableNode, not_compared_words
from reconciler.reporting.plan_text import plan_text
from reconciler.reporting.problems import problems_github, problems_json, problems_text
from reconciler.reporting.service_objects import certificate_objects, endpoints_object
from reconciler.reporting.tables import Table, endpoints_table, manifests_table, table, table_lines
from reconciler.reporting.traffic_objects import traffic_objects

__all__ = [
    "Line",
    "PlanReport",
    "RejectedBase",
    "Style",
    "Table",
    "UnreachableNode",
    "certificate_objects",
    "endpoints_object",
    "endpoints_table",
    "event_json",
    "event_line",
    "events_table",
    "inert",
    "manifest_object",
    "manifests_table",
    "not_compared_words",
    "object_list",
    "plan_json",
    "plan_markdown",
    "plan_text",
    "problems_github",
    "problems_json",
    "problems_text",
    "status_object",
    "table",
    "table_lines",
    "traffic_objects",
]
