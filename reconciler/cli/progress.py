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
from reconciler.kinds import KINDS
from reconciler.model.api.apps import REPLICATED
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.pod import Pod, is_pod_ready
from reconciler.model.api.meta import message_of, ref_of
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


class LiveProgress:
    """A `Narrator` for `apply`: a live table per workload on a terminal, event lines in a pipe; both on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = PipedConsole(stderr=True, highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self.last_warning = ""

    def __enter__(self) -> LiveProgress:
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
        objects = tuple(turn.plan.statuses.values()) if turn else ()
        workloads = [one for one in objects if isinstance(one, REPLICATED)]
        pods = [one for one in objects if isinstance(one, Pod)]
        if self._as_json:
            summary = {
                "converged": converged,
                "message": words,
                **{
                    kind.names.plural: {
                        f"{one.metadata.namespace}/{one.metadata.name}": {
                            "available": one.status.available_replicas,
                            "replicas": one.spec.replicas,
                        }
                        for one in workloads
                        if isinstance(one, kind.type)
                    }
                    for kind in KINDS
                    if kind.type in REPLICATED
                },
                "pods": len(pods),
            }
            click.echo(json.dumps(summary, indent=2))
            return
        for one in workloads:
            if not one.is_rolled_out:
                message = message_of(one.status.conditions, "Available")
                counts = f"{one.status.available_replicas}/{one.spec.replicas} available"
                click.echo(f"{ref_of(one)}: {counts} {message}".rstrip())
        for node in (one for one in objects if isinstance(one, Node)):
            if (message := message_of(node.status.conditions, "Ready")) and not converged:
                click.echo(f"{ref_of(node)}: {message}")
        for pod in pods:
            if not is_pod_ready(pod) and pod.status.reason:
                where, status = pod.spec.node_name, pod.status
                click.echo(f"{ref_of(pod)} on {where}: {status.reason} {status.message}".rstrip())
        click.echo(words)


def _workloads(turn: Turn) -> Table:
    table = Table("WORKLOAD", "UPDATED", "AVAILABLE", "WANTED", box=None, pad_edge=False)
    for one in turn.plan.statuses.values():
        if isinstance(one, REPLICATED):
            style = "green" if one.is_rolled_out else "yellow"
            counts = one.status.updated_replicas, one.status.available_replicas, one.spec.replicas
            table.add_row(str(ref_of(one)), *map(str, counts), style=style)
    return table


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
