"""A plan for a terminal: what `reconciler diff` prints. The form is fixed in docs/reference/report.md."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from reconciler.model.plan import Action, ObjectChange
from reconciler.reporting.ages import age
from reconciler.reporting.changes import (
    POD_SIGNS,
    field_lines,
    field_sign,
    field_words,
    owner_of,
    pod_where,
    pod_words,
)
from reconciler.reporting.lines import Line, Style, inert
from reconciler.reporting.plan_report import PlanReport, UnreachableNode, count, not_compared_words, summary
from reconciler.reporting.problems import problem_line

_SIGN_STYLES: Final = {
    "+": Style.ADD,
    "~": Style.CHANGE,
    "-": Style.REMOVE,
    "-/+": Style.CHANGE,
    "!": Style.WARN,
}


def plan_text(report: PlanReport) -> list[Line]:
    """The revision and its warnings, then objects, then pods; the summary is the last line."""
    sections = (_heading, _warnings, _objects, _pods, _unplaced, _orphans, _hold)
    lines = [Line(style, inert(text)) for section in sections for style, text in _spaced(section(report))]
    return [*lines, Line(_summary_style(report), inert(summary(report)))]


def _summary_style(report: PlanReport) -> Style:
    if report.hold is not None:
        return Style.ERROR
    return Style.HEAD if report.has_changes else Style.ADD


def unreachable_words(node: UnreachableNode) -> str:
    lasting = f" for {age(node.for_seconds)}" if node.for_seconds else ""
    unknown = "what runs there stays as it is, and whether that is as asked cannot be told"
    return f"{node.name} unreachable{lasting} ({node.why}): {unknown}"


_Words = Iterator[tuple[Style, str]]


def _spaced(section: _Words) -> _Words:
    empty = True
    for line in section:
        empty = False
        yield line
    if not empty:
        yield Style.PLAIN, ""


def _heading(report: PlanReport) -> _Words:
    title = f": {report.revision.title}" if report.revision.title else ""
    yield Style.HEAD, f"Revision {report.revision} of {report.revision.origin}{title}"


def _warnings(report: PlanReport) -> _Words:
    if not report.objects_compared:
        yield Style.WARN, f"warning: {not_compared_words(report.rejected_base)}"
    for node in report.unreachable:
        yield Style.WARN, f"warning: {unreachable_words(node)}"
    for words in report.unserved:
        yield Style.WARN, f"warning: {words}"
    for problem in report.warnings:
        yield Style.WARN, problem_line(problem)


def _objects(report: PlanReport) -> _Words:
    for change in report.objects:
        yield from _object(change)


def _object(change: ObjectChange) -> _Words:
    place = f"   {change.place.path}:{change.place.line}" if change.place else ""
    yield _SIGN_STYLES[change.sign], f"{change.sign} {change.ref}{place}"
    for field in change.fields:
        sign = field_sign(field)
        yield _SIGN_STYLES[sign], f"    {sign} {field_words(field)}"
        for mark, line in field_lines(field):
            yield _SIGN_STYLES.get(mark, Style.PLAIN), f"        {mark} {line}"


def _pods(report: PlanReport) -> _Words:
    if not report.changes:
        return
    yield Style.HEAD, "Pods"
    names = max(len(change.pod.name) for change in report.changes)
    places = max(len(pod_where(change)) for change in report.changes)
    for owner, changes in groupby(report.pods, key=owner_of):
        yield Style.PLAIN, f"  {owner}"
        for change in changes:
            sign = POD_SIGNS[change.action]
            what = "" if change.action in (Action.CREATE, Action.DELETE) else f"{change.action}: "
            words = (
                f"    {sign:3} {change.pod.name:{names}}  {pod_where(change):{places}}  {what}{pod_words(change)}"
            )
            yield _SIGN_STYLES[sign], words.rstrip()


def _unplaced(report: PlanReport) -> _Words:
    if not report.unplaced:
        return
    yield Style.WARN, "Fits nowhere now"
    for unplaced in report.unplaced:
        yield Style.WARN, f"  {unplaced.owner}: {count(unplaced.count, 'pod')}"
        for node, reason in sorted(unplaced.reasons.items()):
            yield Style.WARN, f"    {node}: {reason}"


def _orphans(report: PlanReport) -> _Words:
    if not report.orphans:
        return
    yield Style.HEAD, "Orphans: containers of ours that nothing explains; they are left alone"
    for orphan in report.orphans:
        yield Style.DIM, f"  {orphan}"


def _hold(report: PlanReport) -> _Words:
    if report.hold is None:
        return
    yield Style.ERROR, f"held: {report.hold.reason}"
    yield Style.PLAIN, f"  to go on: {report.hold.fix}"
