"""The command line: one module per command, imported when it is called.

Exit codes: 0 done or nothing to do, 1 the command's own "no" (changes found, not converged in time), 2 an error;
of `diff --detailed-exitcode`, 2 changes and 1 an error.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import click

from reconciler import __version__
from reconciler.model.failures import PlainFailure
from reconciler.overview import ABOUT, COMMANDS, help_lines


class _ReaderGone(Exception):
    """Nobody reads what we print. click would exit with 1 for it."""


@contextmanager
def _telling_of_readers() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGone from error


class _Lazy(click.Group):
    """Imports a command's module only when it is called: `--help` stays fast."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        with _telling_of_readers():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> Any:
        with _telling_of_readers():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{name}"), name)
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        formatter.write("\n".join(help_lines(formatter.width)))


@click.group(
    cls=_Lazy,
    help=ABOUT,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "RECONCILER"},
)
@click.version_option(__version__, prog_name="reconciler")
def cli() -> None:
    """The group of all commands."""


def main() -> None:
    """Every failure that is not a command's own answer exits with the code of an error, and is told on stderr."""
    sys.exit(_code())


def _code() -> int:
    try:
        code = cli.main(standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        try:
            _tell(error)
        except OSError:
            _discard(sys.stderr)
        return error_code(sys.argv[1:], os.environ)
    return code if isinstance(code, int) else 0


def error_code(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Read from the command line as it is written: that it cannot be parsed may be the error."""
    named = [word for word in words if not word.startswith("-")]
    if named[:1] != ["diff"]:
        return 2
    options = words[: words.index("--")] if "--" in words else words
    return 1 if "--detailed-exitcode" in options or _is_on(environment, "RECONCILER_DIFF_DETAILED_EXITCODE") else 2


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    try:
        return bool(environment.get(name)) and click.BOOL.convert(environment[name], None, None)
    except click.BadParameter:
        return False


def _tell(error: BaseException) -> None:
    """Imports nothing more: an import may be what failed."""
    match error:
        case click.ClickException():
            error.show()
        case click.Abort() | KeyboardInterrupt():
            click.echo("aborted", err=True)
        case _ReaderGone():
            _discard(sys.stdout, sys.stderr)
        case PlainFailure():
            click.echo(f"Error: {error}", err=True)
        case _:
            if os.environ.get("RECONCILER_TRACEBACK"):
                traceback.print_exception(error)
            click.echo(
                f"Error: {type(error).__name__}: {error} (set RECONCILER_TRACEBACK=1 to see where)", err=True
            )


def _discard(*streams: TextIO | None) -> None:
    """What is buffered for a reader that went away goes nowhere: Python would complain of it at its end."""
    for stream in streams:
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
