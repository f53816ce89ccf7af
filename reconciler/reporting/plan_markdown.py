"""A plan as a comment on a pull request.

Names, values and reasons come from a branch that nobody may have reviewed, so they appear only where Markdown
interprets nothing: in code spans, fenced blocks, and escaped inside `<code>`. There `@name`, `#1`, links and HTML
stay text.
"""

import html
import re
from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.model.plan import FieldChange, ObjectChange, PodChange
from reconciler.reporting.changes import (
    POD_SIGNS,
    field_lines,
    field_sign,
    field_words,
    owner_of,
    pod_where,
    pod_words,
)
from reconciler.reporting.lines import inert
from reconciler.reporting.plan_report import PlanReport, count, not_compared_words, summary
from reconciler.reporting.plan_text import unreachable_words

_DIFF_MARKS: Final = {"+": "+", "-": "-", "~": "!"}
"""What GitHub and GitLab colour in a `diff` block."""


LONGEST_COMMENT: Final = 60_000
"""Bytes; GitHub refuses a comment of more than 65,536."""


def plan_markdown(report: PlanReport) -> str:
    """The summary first; the rest in tables, with each object's fields folded away. A long one is cut there."""
    sections = (_heading, _warnings, _hold, _objects, _details, _pods, _unplaced, _orphans)
    parts: list[str] = []
    size = 0
    for part in _separated(section(report) for section in sections):
        size += len(part.encode()) + 1
        if size > LONGEST_COMMENT:
            parts.append("\n**Cut here:** a comment cannot be longer. `reconciler diff` prints the whole plan.")
            break
        parts.append(part)
    return "\n".join(parts) + "\n"


def _separated(sections: Iterable[Iterator[str]]) -> Iterator[str]:
    """A blank line between sections: without one Markdown would read on in the table before."""
    first = True
    for section in sections:
        for number, part in enumerate(section):
            if number == 0 and not first:
                yield ""
            first = False
            yield part


def _heading(report: PlanReport) -> Iterator[str]:
    yield f"### {summary(report)}"
    title = f": {_code(report.revision.title)}" if report.revision.title else ""
    yield f"Revision {_code(str(report.revision))} of {_code(report.revision.origin)}{title}"


def _warnings(report: PlanReport) -> Iterator[str]:
    if not report.objects_compared:
        yield f"- :warning: {_code(not_compared_words(report.rejected_base))}"
    for node in report.unreachable:
        yield f"- :warning: {_code(unreachable_words(node))}"
    for words in report.unserved:
        yield f"- :warning: {_code(words)}"
    for problem in report.warnings:
        yield f"- :warning: {_code(str(problem))}"


def _hold(report: PlanReport) -> Iterator[str]:
    if report.hold is not None:
        yield f"- :no_entry: {_code(report.hold.reason)}"
        yield f"- To go on: {_code(report.hold.fix)}"


def _objects(report: PlanReport) -> Iterator[str]:
    if report.objects:
        yield "| | Object | Manifest |"
        yield "|---|---|---|"
    for change in report.objects:
        place = _cell(f"{change.place.path}:{change.place.line}") if change.place else ""
        yield f"| {_cell(change.sign)} | {_cell(str(change.ref))} | {place} |"


def _details(report: PlanReport) -> Iterator[str]:
    yield from (_fold(change) for change in report.objects if change.fields)


def _fold(change: ObjectChange) -> str:
    lines = [line for field in change.fields for line in _field(field)]
    title = html.escape(inert(f"{change.sign} {change.ref}"))
    fields = count(len(change.fields), "field")
    return f"<details><summary><code>{title}</code> ({fields})</summary>\n\n{_fenced(lines)}\n\n</details>"


def _field(field: FieldChange) -> Iterator[str]:
    yield f"{_DIFF_MARKS[field_sign(field)]} {field_words(field)}"
    yield from (f"{mark}   {line}" for mark, line in field_lines(field))


def _pods(report: PlanReport) -> Iterator[str]:
    if report.changes:
        yield "| | Pod | Of | Node | Why |"
        yield "|---|---|---|---|---|"
    for change in report.pods:
        yield _pod(change)


def _pod(change: PodChange) -> str:
    sign = f"{_cell(POD_SIGNS[change.action])} {change.action}"
    owner, where, why = (_cell(words) for words in (str(owner_of(change)), pod_where(change), pod_words(change)))
    return f"| {sign} | {_cell(change.pod.name)} | {owner} | {where} | {why} |"


def _unplaced(report: PlanReport) -> Iterator[str]:
    if report.unplaced:
        yield "| Fits nowhere now | Pods | Node | Why |"
        yield "|---|---|---|---|"
    for unplaced in report.unplaced:
        for node, reason in sorted(unplaced.reasons.items()) or [("", "there is no node")]:
            yield f"| {_cell(str(unplaced.owner))} | {unplaced.count} | {_cell(node)} | {_cell(reason)} |"


def _orphans(report: PlanReport) -> Iterator[str]:
    if report.orphans:
        yield "Containers of ours that nothing explains; they are left alone:"
        yield ""
    for orphan in report.orphans:
        yield f"- {_code(orphan)}"


def _code(text: str) -> str:
    """A code span: its fence is longer than any run of backticks inside."""
    shown = inert(text)
    if not shown.strip():
        return ""
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown[0] in " `" or shown[-1] in " `" else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _cell(text: str) -> str:
    """A code span in a table, where a bar would end the cell even inside the span."""
    return _code(text.replace("|", "¦"))


def _fenced(lines: list[str]) -> str:
    fence = "`" * max(3, *(_longest_run(line) + 1 for line in lines))
    return "\n".join([f"{fence}diff", *lines, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
