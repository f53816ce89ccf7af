"""What is shown while a command works, and afterwards: plain lines in a pipe, colour on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reconciler.model.plan import DeploymentStatus, NodeStatus, PodStatus
from reconciler.model.problems import Problem
from reconciler.model.records import Event
from reconciler.reporting import Line, Style, event_json, event_line, problems_github, problems_json, problems_text

if TYPE_CHECKING:  # Most commands plan nothing.
    from reconciler.control.cycle import Turn

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


class PipedConsole(Console):
    """Where rich would exit with 1, a reader that went away is for `main` to answer: 1 is a command's own "no"."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def show_lines(lines: Iterable[Line], *, to_stderr: bool = False) -> None:
    """Print styled lines; on anything but a terminal they are the same words without colour."""
    console = PipedConsole(stderr=to_stderr, highlight=False, soft_wrap=True)
    for line in lines:
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
    """Of a revision that a command cannot go on with: JSON on stdout where that is asked for, else on stderr."""
    as_json = output == "json"
    show_problems(problems, "json" if as_json else "text", to_stderr=not as_json)


class EventLines:
    """A `Narrator` for `run`: one line per event on stdout."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = PipedConsole(highlight=False, soft_wrap=True)

    def tell(self, event: Event) -> None:
        if self._as_json:
            print(json.dumps({"time": _utc(), **event_json(event)}), flush=True)
            return
        style = "yellow" if event.type == "Warning" else ""
        self._console.print(Text(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {event_line(event)}", style=style))
        sys.stdout.flush()

    def progress(self, turn: Turn) -> None:
        """`run` tells events only; the standing of everything is what `get` shows."""


class Progress:
    """A `Narrator` for `apply`: a live table per workload on a terminal, event lines in a pipe; both on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = PipedConsole(stderr=True, highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self.last_warning = ""

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def tell(self, event: Event) -> None:
        if event.type == "Warning":
            self.last_warning = event.message
        self._console.print(Text(event_line(event), style="yellow" if event.type == "Warning" else ""))

    def progress(self, turn: Turn) -> None:
        if self._live.is_started:
            self._live.update(_workloads(turn))

    def conclude(self, words: str, turn: Turn | None, *, converged: bool) -> None:
        """The last word on stdout."""
        statuses = tuple(turn.plan.statuses.values()) if turn else ()
        workloads = [status for status in statuses if isinstance(status, DeploymentStatus)]
        pods = [status for status in statuses if isinstance(status, PodStatus)]
        if self._as_json:
            summary = {
                "converged": converged,
                "message": words,
                "deployments": {
                    f"{status.ref.namespace}/{status.ref.name}": {
                        "available": status.available,
                        "replicas": status.replicas,
                    }
                    for status in workloads
                },
                "pods": len(pods),
            }
            click.echo(json.dumps(summary, indent=2))
            return
        for status in workloads:
            if not status.complete:
                click.echo(
                    f"{status.ref}: {status.available}/{status.replicas} available {status.message}".rstrip()
                )
        for node in (status for status in statuses if isinstance(status, NodeStatus)):
            if node.message and not converged:
                click.echo(f"{node.ref}: {node.message}")
        for pod in pods:
            if not pod.ready and pod.reason:
                click.echo(f"{pod.ref} on {pod.node}: {pod.reason} {pod.message}".rstrip())
        click.echo(words)


def _workloads(turn: Turn) -> Table:
    table = Table("WORKLOAD", "UPDATED", "AVAILABLE", "WANTED", box=None, pad_edge=False)
    for status in turn.plan.statuses.values():
        if isinstance(status, DeploymentStatus):
            style = "green" if status.complete else "yellow"
            cells = (str(status.ref), str(status.updated), str(status.available), str(status.replicas))
            table.add_row(*cells, style=style)
    return table


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
