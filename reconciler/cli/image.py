"""`reconciler image push`: an image of this machine on the hosts, without a registry."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from reconciler.cli.access import Known, known
from reconciler.cli.console import PipedConsole
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_options, host_settings
from reconciler.nodes.errors import NodeError
from reconciler.nodes.image_push import Pushed, push
from reconciler.nodes.image_tar import NoImage, SavedImage, read_image

_AT_ONCE = 8


@click.group()
def image() -> None:
    """Send an image of this machine to the hosts."""


@image.command("push")
@click.argument("name", metavar="IMAGE")
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="Only to this one; may be repeated.")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file that `docker save IMAGE` wrote; the engine of this machine is asked without it.",
)
@host_options
@click.pass_context
def push_image(ctx: click.Context, /, name: str, nodes: tuple[str, ...], file: Path | None, **given: Any) -> None:
    """Bring IMAGE to the hosts of the state, to all at the same time, through their SSH connections.

    Of its layers only those that a host lacks are sent, where its engine allows that. Exit code 0: every host has
    it; 1: some have not, and stderr tells why; 2: none could be asked.
    """
    configure_logging()
    state = known(host_settings(given))
    _, there = state.hosts()
    unknown = sorted(set(nodes) - set(there))
    if unknown:
        raise click.ClickException(f"no node {unknown[0]!r}; there are: {', '.join(sorted(there))}")
    with _archive(name, file) as path:
        try:
            saved = read_image(path)
        except NoImage as error:
            raise click.ClickException(str(error)) from error
        if saved.tags and _tagged(name) not in saved.tags:
            raise click.ClickException(f"{path} holds {', '.join(saved.tags)}, and not {name}")
        failed = _push_to(state, sorted(nodes or there), path, saved)
    ctx.exit(1 if failed else 0)


@contextmanager
def _archive(name: str, file: Path | None) -> Iterator[Path]:
    if file is not None:
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="reconciler-image-", suffix=".tar") as saved:
        try:
            subprocess.run(
                ["docker", "save", "--output", saved.name, "--", name], check=True, capture_output=True, text=True
            )
        except FileNotFoundError as error:
            raise click.ClickException("there is no `docker` on this machine; name a file with --from") from error
        except subprocess.CalledProcessError as error:
            raise click.ClickException(f"`docker save {name}` failed: {error.stderr.strip()}") from error
        yield Path(saved.name)


def _push_to(state: Known, nodes: list[str], path: Path, saved: SavedImage) -> bool:
    console = PipedConsole(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def to_one(node: str) -> Pushed | Exception:
            task: TaskID = bars.add_task(node, total=None)
            try:
                with state.reaching(node) as host:
                    return push(
                        host, path, saved, lambda sent, total: bars.update(task, completed=sent, total=total)
                    )
            except (NodeError, click.ClickException) as error:
                return error

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            results = list(pool.map(to_one, nodes))
    failed = False
    for node, result in zip(nodes, results, strict=True):
        if isinstance(result, Pushed):
            click.echo(f"{node}: {_words(result, len(saved.layers))}")
        else:
            failed = True
            click.echo(f"error: {node}: {result}", err=True)
    return failed


def _words(pushed: Pushed, layers: int) -> str:
    if not pushed.sent:
        return "has it already"
    return f"pushed, {pushed.layers} of {layers} layers, {pushed.sent / 2**20:.1f} MiB"


def _tagged(name: str) -> str:
    """As Docker writes it: with `latest` where there is no tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
