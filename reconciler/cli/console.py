"""What is shown while a command works, and afterwards: plain lines in a pipe, colour on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import click

from reconciler.model.problems import Problem
from reconciler.reporting import Line, Style, problems_github, problems_json, problems_text

_RICH = {
    Style.PLAIN: "",
    Style.ADD: "green",
    Style.CHANGE: "yellow",
    Style.REMOVE: "red",
    Style.WARN: "yellow",
    Style.ERROR: "bold red",
    Style.DIM: "dim",
    Style.HEAD: "bold",
}


def show_lines(lines: Iterable[Line], *, to_stderr: bool = False) -> None:
    """Print styled lines; on anything but a terminal they are the same words without colour."""
    if not (shown := list(lines)):
        return
    from rich.text import Text  # only what is shown pays for rich

    from reconciler.cli.piped_console import PipedConsole

    console = PipedConsole(stderr=to_stderr, highlight=False, soft_wrap=True)
    for line in shown:
        console.print(Text(line.text, style=_RICH[line.style]))


def show_values(values: Sequence[dict[str, object]]) -> None:
    """A list for programs."""
    click.echo(json.dumps({"items": list(values)}, indent=2))


def show_problems(
    problems: tuple[Problem, ...], output: str = "text", *, folder: str = "", to_stderr: bool = True
) -> None:
    """`folder`: from the repository's root to the manifests, which GitHub's annotations need."""
    match output:
        case "json":
            click.echo(json.dumps(problems_json(problems), indent=2), err=to_stderr)
        case "github":
            click.echo(problems_github(problems, folder), nl=False, err=to_stderr)
        case _:
            show_lines(problems_text(problems), to_stderr=to_stderr)


def show_rejection(problems: tuple[Problem, ...], output: str) -> None:
    """Show why a command cannot go on with a revision: as JSON on stdout if that is asked for, else on stderr."""
    as_json = output == "json"
    show_problems(problems, "json" if as_json else "text", to_stderr=not as_json)
