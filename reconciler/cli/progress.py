"""What is shown of a control loop at work: lines of events, or a live table of workloads."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reconciler.cli.piped_console import PipedConsole
from reconciler.control.cycle import Turn
from reconciler.model.plan import DeploymentStatus, NodeStatus, PodStatus
from reconciler.model.records import Event
from reconciler.reporting import event_json, event_line


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
