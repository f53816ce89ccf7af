"""`reconciler lab …`: bring real Docker hosts up on this machine, break them, and clear them away."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from reconciler.lab import Lab

_directory = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RECONCILER_LAB_DIR",
    help="Where the lab keeps everything.  [default: /var/lib/reconciler-lab]",
)


@click.group()
def lab() -> None:
    """Real Docker hosts on this machine, to try things and to break them."""


@lab.command()
@click.option(
    "--nodes", type=click.IntRange(1, 50), help="How many hosts.  [default: as many as there are, else 3]"
)
@click.option(
    "--repo",
    type=click.Path(file_okay=False, path_type=Path),
    help="Make a Git repository of the example here, with the hosts' Node manifests.",
)
@click.option(
    "--network",
    type=click.IntRange(0, 255),
    metavar="N",
    help="The hosts' addresses are 10.N.0.x. A second lab beside another needs another number.  [default: 77]",
)
@click.option("--yes", is_flag=True, help="Install missing Debian packages without asking.")
@_directory
def up(nodes: int | None, repo: Path | None, network: int | None, yes: bool, directory: Path | None) -> None:
    """Bring the hosts up, or back to health. Running it again changes nothing that is well."""
    from reconciler.lab.lab import require_root

    with _plain_errors(), _progress() as progress:
        require_root()
        _install_packages(yes, progress)
        lab = _open(directory, network)
        lab.up(nodes, progress)
        progress(f"{len(lab.records)} hosts are ready")
        if repo:
            from reconciler.lab.repo import ensure_repository

            repo = repo.absolute()
            done = "committed to" if ensure_repository(lab, repo) else "unchanged in"
            progress(f"the hosts' manifests are {done} {repo}")
    click.echo("Next:")
    click.echo(f"  reconciler run --git {repo or 'DIR'} --ssh-key {lab.client_key}")


@lab.command()
@click.option("--purge", is_flag=True, help="Remove the cache of built images too.")
@_directory
def down(purge: bool, directory: Path | None) -> None:
    """End the hosts and remove every trace of them.

    The images built for them stay in a cache, so that the next `up` is quick; --purge removes that too.
    """
    with _plain_errors(), _progress() as progress:
        _open(directory).down(purge, progress)
        progress("the lab is gone" + ("" if purge else " (the built images stay cached; --purge removes them)"))


@lab.command()
@click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_directory
def status(output: str, directory: Path | None) -> None:
    """Show the hosts. Exit code 0 if all are ready, 1 if not."""
    with _plain_errors():
        lab = _open(directory)
        states = lab.status()
        records = lab.records
    if output == "json":
        rows = [
            {
                "name": record.name,
                "state": states[record.name].state,
                "ip": record.ip,
                "sshPort": record.ssh_port,
                "hostKey": record.host_key,
                "dockerdPid": states[record.name].dockerd,
                "sshdPid": states[record.name].sshd,
            }
            for record in records
        ]
        click.echo(json.dumps({"directory": str(lab.directory), "nodes": rows}, indent=2))
    elif not records:
        click.echo(f"No lab in {lab.directory}; `reconciler lab up` makes one.")
    else:
        click.echo(f"{'NAME':<10} {'STATE':<11} {'SSH':<24} DOCKERD")
        for record in records:
            found = states[record.name]
            address = f"root@{record.ip}:{record.ssh_port}"
            click.echo(f"{record.name:<10} {found.state:<11} {address:<24} {found.dockerd or '-'}")
    if not records or any(found.state != "ready" for found in states.values()):
        sys.exit(1)


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_directory
def ssh(node: str, command: tuple[str, ...], directory: Path | None) -> None:
    """Open a session on NODE, or run a command there: `reconciler lab ssh node-1 -- docker ps`."""
    from reconciler.lab.access import ssh_command

    with _plain_errors():
        argv = ssh_command(_open(directory), node, command)
    os.execvp(argv[0], argv)


@lab.group()
def node() -> None:
    """Break one host, and bring it back."""


def _action(action: Literal["stop", "start", "pause", "cut", "heal"], done: str, description: str) -> None:
    @click.argument("name")
    @_directory
    def act(name: str, directory: Path | None) -> None:
        with _plain_errors(), _progress() as progress:
            _open(directory).act(action, name)
            progress(f"{name} {done}")

    node.command(action, help=description)(act)


_action("stop", "is off", "Power NAME off: dockerd, sshd and all containers end at once.")
_action("start", "is up", "Boot NAME, or restart its dead dockerd or sshd; pause and cut are undone.")
_action("pause", "has a hung engine", "Hang the engine of NAME (SIGSTOP to dockerd); containers go on.")
_action("cut", "is cut off the network", "Cut NAME off the network; everything on it goes on.")
_action("heal", "is healed", "Undo pause and cut of NAME.")


def _open(directory: Path | None, network: int | None = None) -> "Lab":
    from reconciler.lab import Lab

    return Lab.open(directory, network)


def _install_packages(yes: bool, progress: Callable[[str], None]) -> None:
    import shlex

    from reconciler.lab.packages import install, install_command, missing_packages

    missing = missing_packages()
    if not missing:
        return
    command = shlex.join(install_command(missing))
    if not yes:
        question = f"The lab needs the Debian packages {', '.join(missing)}."
        if not sys.stdin.isatty():
            raise _Failure(f"{question} Run `reconciler lab up --yes`, or: {command}")
        click.confirm(f"{question} Install them ({command})?", abort=True, err=True)
    install(missing, progress)


class _Failure(click.ClickException):
    """Shown as `Error: …`; exit code 2, because `status` says with 1 that a host is not ready."""

    exit_code = 2


@contextmanager
def _plain_errors() -> Iterator[None]:
    """A LabError is a message for a person (exit code 2); anything else is a bug and keeps its traceback."""
    from reconciler.lab.errors import LabError

    try:
        yield
    except LabError as error:
        raise _Failure(str(error)) from error


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """One line per step on stderr, with the seconds so far; a spinner between them on a terminal."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:5.1f} s  {text}", markup=False, soft_wrap=True)

    if console.is_terminal:
        with console.status("working"):
            yield say
    else:
        yield say
