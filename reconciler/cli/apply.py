"""`reconciler apply`: one run to convergence."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click

from reconciler.cli.console import show_rejection
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import Duration, asked, output_option, planning_options, take_over_option
from reconciler.cli.progress import LiveProgress
from reconciler.control.inbox import Inbox, Stop
from reconciler.control.loop import Loop
from reconciler.model.desired import Rejected
from reconciler.model.plan import Hold
from reconciler.wiring.loop import running


@click.command()
@planning_options
@take_over_option
@click.option(
    "--timeout", type=Duration(), default="5m", show_default=True, help="How long to wait for convergence."
)
@output_option("text", "json")
def apply(output: str, timeout: float, **given: Any) -> None:
    """Make the hosts as PATH, or the repository, asks; then exit.

    Exit code 0: converged; 1: not within --timeout; 2: an error, or interrupted; the next run goes on from there.
    """
    source, settings, options = asked(given)
    configure_logging()
    progress = LiveProgress(as_json=output == "json")
    with progress, running(source, settings, progress, options) as it:
        interrupted = _end_on_signals(it.inbox)
        clock = threading.Timer(timeout, lambda: it.inbox.put(Stop()))
        clock.daemon = True
        clock.start()
        it.loop.run(_decided)
        clock.cancel()
    if interrupted.is_set():
        raise click.ClickException("interrupted; what was begun is there, and the next run goes on from it")
    _conclude(it.loop, progress, timeout, output)


def _end_on_signals(inbox: Inbox) -> threading.Event:
    """Set by SIGTERM and Ctrl-C: the turn under way ends, and what it gave to the hosts is theirs to finish."""
    interrupted = threading.Event()

    def end(*_: object) -> None:
        interrupted.set()
        inbox.put(Stop())

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return interrupted


def _decided(loop: Loop) -> bool:
    """Nobody stays behind to write what a host needs for its next boot: it is waited for."""
    return loop.refusal is not None or loop.blocked is not None or (loop.converged and loop.kept)


def _conclude(loop: Loop, progress: LiveProgress, timeout: float, output: str) -> None:
    if loop.blocked is not None:
        begun = "what was begun is there" if loop.turn is not None else "nothing was changed"
        raise click.ClickException(f"{loop.blocked.why}; {begun} ({loop.blocked.fix})")
    match loop.refusal:
        case Rejected() as rejected:
            show_rejection(rejected.problems, output)
            raise click.ClickException(f"revision {rejected.revision} is rejected; nothing was changed")
        case Hold(reason=reason, fix=fix):
            raise click.ClickException(f"{reason}; nothing was changed ({fix})")
    if loop.desired is None:
        raise click.ClickException(progress.last_warning or "the source could not be read in time")
    if not loop.converged:
        progress.conclude(f"not converged within {timeout:g} s", loop.turn, converged=False)
        click.get_current_context().exit(1)
    progress.conclude(f"converged at revision {loop.desired.revision}", loop.turn, converged=True)
