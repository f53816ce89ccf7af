"""`reconciler image`: images of this machine on the hosts, without a registry; the proxy image, made and sent."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from reconciler.cli.access import known
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_options, host_settings, source_options, source_settings
from reconciler.cli.piped_console import PipedConsole
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.desired import Desired, Rejected
from reconciler.nodes.access.host import reaching
from reconciler.nodes.errors import NodeError
from reconciler.nodes.images.archive import NoImage, SavedImage, read_image
from reconciler.nodes.images.proxy_image import DOCKERFILE
from reconciler.nodes.images.push import PushResult, push
from reconciler.settings import Settings
from reconciler.wiring.hosts import credentials_of
from reconciler.wiring.reading import read_once

Command = TypeVar("Command", bound=Callable[..., Any])

_AT_ONCE = 8


class _Hosts(Struct, frozen=True):
    """Where an image is to go, and how these hosts are reached."""

    cluster: Cluster
    nodes: Mapping[str, Node]
    settings: Settings


def _sending_options(command: Command) -> Command:
    """Which hosts an image goes to, and how they are reached."""
    only = click.option(
        "--node", "nodes", multiple=True, metavar="NODE", help="Only to this one; may be repeated."
    )
    return only(source_options(host_options(command)))


@click.group()
def image() -> None:
    """Make the proxy image, and send images of this machine to the hosts."""


@image.command("push")
@click.argument("name", metavar="IMAGE")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file that `docker save IMAGE` wrote; the engine of this machine is asked without it.",
)
@_sending_options
@click.pass_context
def push_image(ctx: click.Context, /, name: str, nodes: tuple[str, ...], file: Path | None, **given: Any) -> None:
    """Bring IMAGE to the hosts, to all at the same time, through their SSH connections.

    The hosts are those of the manifests (PATH, or --git), also before anything was run; without a source those of
    the state. Of its layers only those that a host lacks are sent, where its engine allows that. Exit code 0: all
    hosts have it; 1: some have not, and stderr tells why; 2: none could be asked.
    """
    configure_logging()
    _send(ctx, name, file, _hosts(given, nodes))


@image.command("build-proxy")
@click.option(
    "--file",
    "dockerfile",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A Dockerfile of your own in the place of the one that ships with reconciler.",
)
@_sending_options
@click.pass_context
def build_proxy(ctx: click.Context, /, nodes: tuple[str, ...], dockerfile: Path | None, **given: Any) -> None:
    """Make the image of the nodes' proxies on this machine, and bring it to the hosts of the manifests.

    Its name is what spec.images.proxy of the Cluster says. It takes Docker on this machine, or at DOCKER_HOST.
    Exit codes as of `image push`.
    """
    configure_logging()
    hosts = _hosts(given, nodes)
    name = hosts.cluster.spec.images.proxy
    recipe = dockerfile.read_text() if dockerfile is not None else DOCKERFILE
    click.echo(f"building {name}", err=True)
    _docker("build", "--tag", name, "-", stdin=recipe)
    _send(ctx, name, None, hosts)


def _hosts(given: dict[str, Any], only: tuple[str, ...]) -> _Hosts:
    """The hosts of the source, or of the state where none is given. ClickException for an unknown node."""
    has_source = given["folder"] is not None or given["git_url"]
    source = source_settings(given) if has_source else None
    settings = host_settings({key: given[key] for key in ("state_dir", "ssh_keys", "known_hosts")})
    if source is None:
        cluster, nodes = known(settings).hosts()
    else:
        read = read_once(source, settings)
        if isinstance(read, Rejected):
            raise click.ClickException("the manifests are not valid; `reconciler validate` says why")
        if not isinstance(read, Desired):
            raise click.ClickException(f"{read.why} ({read.fix})" if read.fix else read.why)
        cluster, nodes = read.cluster, read.nodes
    if unknown := sorted(set(only) - set(nodes)):
        raise click.ClickException(f"no node {unknown[0]!r}; there are: {', '.join(sorted(nodes))}")
    return _Hosts(cluster, {name: nodes[name] for name in sorted(only or nodes)}, settings)


def _send(ctx: click.Context, name: str, file: Path | None, hosts: _Hosts) -> None:
    with _archive(name, file) as path:
        try:
            saved = read_image(path)
        except NoImage as error:
            raise click.ClickException(str(error)) from error
        if saved.tags and _tagged(name) not in saved.tags:
            raise click.ClickException(f"{path} holds {', '.join(saved.tags)}, and not {name}")
        failed = _push_to(hosts, path, saved)
    ctx.exit(1 if failed else 0)


@contextmanager
def _archive(name: str, file: Path | None) -> Iterator[Path]:
    if file is not None:
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="reconciler-image-", suffix=".tar") as saved:
        _docker("save", "--output", saved.name, "--", name)
        yield Path(saved.name)


def _docker(*arguments: str, stdin: str = "") -> None:
    """Docker's own program on this machine. ClickException with its last words where it fails."""
    try:
        subprocess.run(["docker", *arguments], input=stdin, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise click.ClickException(
            "there is no `docker` on this machine: install it, or make the image elsewhere (`docker save`) and "
            "send the file with `reconciler image push IMAGE --from FILE`"
        ) from error
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"`docker {arguments[0]}` failed: {error.stderr.strip()[-2000:]}") from error


def _push_to(hosts: _Hosts, path: Path, saved: SavedImage) -> bool:
    console = PipedConsole(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def to_one(node: str) -> PushResult | Exception:
            task: TaskID = bars.add_task(node, total=None)
            try:
                with reaching(hosts.nodes[node], hosts.cluster, credentials_of(hosts.settings)) as host:
                    return push(
                        host, path, saved, lambda sent, total: bars.update(task, completed=sent, total=total)
                    )
            except NodeError as error:
                return error

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            results = list(pool.map(to_one, hosts.nodes))
    failed = False
    for node, result in zip(hosts.nodes, results, strict=True):
        if isinstance(result, PushResult):
            click.echo(f"{node}: {_words(result, len(saved.layers))}")
        else:
            failed = True
            click.echo(f"error: {node}: {result}", err=True)
    return failed


def _words(pushed: PushResult, layers: int) -> str:
    if not pushed.sent:
        return "has it already"
    return f"pushed, {pushed.layers} of {layers} layers, {pushed.sent / 2**20:.1f} MiB"


def _tagged(name: str) -> str:
    """As Docker writes it: with `latest` where there is no tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
