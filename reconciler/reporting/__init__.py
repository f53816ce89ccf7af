"""The words people and CI jobs see: plans, problems, statuses and events, as values to print.

Nothing here prints, colours or measures the terminal: the command line does, so a pipe gets the same text.
"""

from reconciler.reporting.events import event_json, event_line, events_table
from reconciler.reporting.lines import Line, Style, inert
from reconciler.reporting.objects import certificates_json, manifest_json, object_json, object_list, with_metadata
from reconciler.reporting.plan_json import plan_json
from reconciler.reporting.plan_markdown import plan_markdown
from reconciler.reporting.plan_report import PlanReport, RejectedBase, UnreachableNode, not_compared_words
from reconciler.reporting.plan_text import plan_text
from reconciler.reporting.problems import problems_github, problems_json, problems_text
from reconciler.reporting.tables import Table, table_lines
from reconciler.reporting.traffic_objects import traffic_objects
from reconciler.reporting.view import Column, Context, View, table_of

__all__ = [
    "Column",
    "Context",
    "Line",
    "PlanReport",
    "RejectedBase",
    "Style",
    "Table",
    "UnreachableNode",
    "View",
    "certificates_json",
    "event_json",
    "event_line",
    "events_table",
    "inert",
    "manifest_json",
    "not_compared_words",
    "object_json",
    "object_list",
    "plan_json",
    "plan_markdown",
    "plan_text",
    "problems_github",
    "problems_json",
    "problems_text",
    "table_lines",
    "table_of",
    "with_metadata",
    "traffic_objects",
]
