"""`reconciler run`: the control loop, until SIGTERM."""

from __future__ import annotations

import signal
from typing import Any

import click

from reconciler.cli.console import EventLines
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import (
    confirm_option,
    host_options,
    host_settings,
    output_option,
    prune_option,
    source_options,
    source_settings,
)
from reconciler.control.inbox import Stop
from reconciler.planning import Options
from reconciler.wiring import running


@click.command()
@source_options
@host_options
@confirm_option
@prune_option
@output_option("text", "json")
def run(output: str, confirmed: str, prune_orphans: bool, **given: Any) -> None:
    """Keep the hosts as PATH, or the repository, asks: now, and after every change.

    One line per event on stdout. SIGTERM or Ctrl-C end it cleanly; the pods keep running.
    """
    source, settings = source_settings(given), host_settings(given)
    configure_logging()
    options = Options(confirmed_revision=confirmed, prune_orphans=prune_orphans)
    with running(source, settings, EventLines(as_json=output == "json"), options) as it:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: it.inbox.put(Stop()))
        it.loop.run(lambda _: False)
