"""`reconciler run`: the control loop, until SIGTERM."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from typing import Any

import click

from reconciler.cli.logging import configure_logging
from reconciler.cli.options import ListenAt, asked, output_option, planning_options, take_over_option
from reconciler.cli.progress import EventLines
from reconciler.control.inbox import Stop
from reconciler.settings import Listen
from reconciler.wiring.loop import measured, running


@click.command()
@planning_options
@take_over_option
@click.option(
    "--metrics",
    type=ListenAt(),
    metavar="[ADDRESS:]PORT",
    help="Serve Prometheus metrics at /metrics; a port alone is for this machine only. Not served without it.",
)
@output_option("text", "json")
def run(output: str, metrics: Listen | None, **given: Any) -> None:
    """Keep the hosts as PATH, or the repository, asks: now, and after every change.

    One reconciler leads a cluster: beside another, this one waits until that one has ended.

    One line per event on stdout. SIGTERM or Ctrl-C end it cleanly; the pods keep running.
    """
    source, settings, options = asked(given)
    configure_logging()
    with running(source, settings, EventLines(as_json=output == "json"), options) as it:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: it.inbox.put(Stop()))
        with measured(it, metrics, settings) if metrics else nullcontext():
            it.loop.run(lambda _: False)
