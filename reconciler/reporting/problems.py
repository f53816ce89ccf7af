"""What is wrong with a revision, for people, for programs, and as annotations on a pull request."""

from collections.abc import Sequence
from typing import Any, Final

from reconciler.model.problems import Problem, Severity
from reconciler.reporting.lines import Line, Style, inert
from reconciler.reporting.plan_report import count

_STYLES: Final = {Severity.ERROR: Style.ERROR, Severity.WARNING: Style.WARN}


def problems_text(problems: Sequence[Problem]) -> list[Line]:
    """One line each, in the order of the files, and how many at the end; nothing where there are none."""
    if not problems:
        return []
    lines = [Line(_STYLES[problem.severity], problem_line(problem)) for problem in _sorted(problems)]
    errors = _errors(problems)
    words = f"{count(errors, 'error')}, {count(len(problems) - errors, 'warning')}."
    rejected = " The revision is rejected, and changes nothing." if errors else ""
    return [*lines, Line(Style.ERROR if errors else Style.WARN, words + rejected)]


def problem_line(problem: Problem) -> str:
    """`web.yaml:12:5: error: what at /pointer [code] (fix)`: the form editors know from compilers."""
    pointer = f" at {problem.pointer}" if problem.pointer else ""
    fix = f" ({problem.fix})" if problem.fix else ""
    return inert(f"{problem.place}: {problem.severity}: {problem.message}{pointer} [{problem.code}]{fix}")


def problems_json(problems: Sequence[Problem]) -> dict[str, Any]:
    """The schema is docs/reference/report.md."""
    errors = _errors(problems)
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": "ProblemReport",
        "accepted": errors == 0,
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [problem_json(problem) for problem in _sorted(problems)],
    }


def problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity.value,
        "code": problem.code,
        "path": problem.place.path,
        "line": problem.place.line,
        "column": problem.place.column,
        "pointer": problem.pointer,
        "message": problem.message,
        "fix": problem.fix,
    }


def problems_github(problems: Sequence[Problem], folder: str = "") -> str:
    """Workflow commands, which GitHub shows beside the lines of the pull request.

    `folder` leads from the repository's root to the manifests. Rule for escaping:
    https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
    """
    prefix = f"{folder.strip('/')}/" if folder.strip("/.") else ""
    return "".join(f"{_annotation(problem, prefix)}\n" for problem in _sorted(problems))


def _annotation(problem: Problem, prefix: str) -> str:
    place = problem.place
    where = [("file", prefix + place.path)]
    if place.line:
        where += [("line", str(place.line)), ("col", str(place.column))]
    properties = ",".join(f"{key}={_property(value)}" for key, value in [*where, ("title", problem.code)])
    fix = f" ({problem.fix})" if problem.fix else ""
    return f"::{problem.severity} {properties}::{_data(problem.message + fix)}"


def _data(text: str) -> str:
    return inert(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _sorted(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.place, problem.severity, problem.pointer, problem.code))


def _errors(problems: Sequence[Problem]) -> int:
    return sum(problem.severity is Severity.ERROR for problem in problems)
