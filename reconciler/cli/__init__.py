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

_COMMANDS = {
    "run": "the control loop: follow a Git branch or a folder, and keep the hosts as it asks",
    "apply": "one run to convergence, then exit",
    "diff": "what apply would do: object by object, pod by pod; changes nothing",
    "validate": "check manifests; needs no host",
    "get": "how everything stands: pods, deployments, services, ingresses, nodes, claims, and more",
    "describe": "everything known of a pod, deployment, service, ingress, node or claim, with its events",
    "events": "what happened, the latest last",
    "logs": "what a pod's containers have written",
    "exec": "run a command in a container",
    "cp": "copy files to and from a container",
    "port-forward": "reach a pod's ports from this machine",
    "top": "what pods and nodes use of CPU and memory",
    "image": "send an image of this machine to the hosts",
    "node": "list nodes; take everything of ours off a host",
    "lab": "a throw-away cluster of real Docker hosts on this machine",
}


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
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "RECONCILER"}
)
@click.version_option(__version__, prog_name="reconciler")
def cli() -> None:
    """Kubernetes' ideas on plain Docker hosts: manifests in Git, pods on hosts, HAProxy in front."""


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
