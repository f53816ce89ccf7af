"""`reconciler cp`: files from this machine to a container, and back."""

from __future__ import annotations

import posixpath
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import click

from reconciler.cli.access import choose_container, container_option, known, on_host, pod_options
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_settings
from reconciler.cli.packing import UnsafeEntry, packed, unpack
from reconciler.nodes.access.archive import PathInfo, fetch, look, put
from reconciler.nodes.access.host import HostAccess


class _End(NamedTuple):
    """One end of a copy; `pod` empty: on this machine."""

    pod: str
    path: str
    namespace: str = ""


@click.command()
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@container_option
@pod_options
def cp(source: str, target: str, container: str, namespace: str, **given: Any) -> None:
    """Copy files and directories: one of SOURCE and TARGET is POD:PATH or NAMESPACE/POD:PATH.

    Into a directory that is there it goes under its own name. Owners become root in a container, and you here; a
    link that leads out of the target is left out, and said.
    """
    here, there = _end(source), _end(target)
    if bool(here.pod) == bool(there.pod):
        raise click.UsageError("one of SOURCE and TARGET is POD:PATH, and the other a path on this machine")
    remote = here if here.pod else there
    configure_logging()
    state = known(host_settings(given))
    status = state.pod(remote.pod, remote.namespace or namespace)
    name = choose_container(status, container).name
    with state.reaching(status.spec.node_name) as host:
        found = on_host(host, status, name)
        if here.pod:
            _download(host, found, here.path, Path(there.path))
        else:
            _upload(host, found, Path(here.path), there.path)


def _end(text: str) -> _End:
    """A path with a colon in it is written `./a:b`, as for scp."""
    before, colon, path = text.partition(":")
    if not colon or before.startswith((".", "/")) or before.count("/") > 1:
        return _End("", text)
    if not path:
        raise click.UsageError(f"{text!r} names no path in the pod")
    namespace, slash, name = before.rpartition("/")
    if slash and namespace in ("pod", "deploy", "deployment", "svc", "service"):
        return _End(before, path)
    return _End(name, path, namespace)


def _upload(host: HostAccess, container: str, source: Path, path: str) -> None:
    if not source.exists() and not source.is_symlink():
        raise click.ClickException(f"{source} does not exist")
    path = posixpath.join("/", path)
    found = _followed(host, container, path)
    if found is not None and found.directory:
        directory, name = path, source.resolve().name if source.is_dir() else source.name
    else:
        directory, name = posixpath.split(path.rstrip("/"))
        above = _followed(host, container, directory)
        if above is None or not above.directory:
            raise click.ClickException(f"{directory} is no directory in the container")
        if found is not None and source.is_dir():
            raise click.ClickException(f"{path} is a file in the container, and {source} a directory")
    put(host, container, directory, packed(source, name))


def _download(host: HostAccess, container: str, path: str, target: Path) -> None:
    path = posixpath.normpath(posixpath.join("/", path))
    found = look(host, container, path)
    if found is None:
        raise click.ClickException(f"{path} does not exist in the container")
    if found.target:
        path = found.target
        if (found := look(host, container, path)) is None:
            raise click.ClickException(f"{path} does not exist in the container")
    if target.is_dir():
        target = target / posixpath.basename(path)
    elif not target.absolute().parent.is_dir():
        raise click.ClickException(f"{target.absolute().parent} is no directory")
    if target.exists() and not target.is_dir() and found.directory:
        raise click.ClickException(f"{target} is a file here, and {path} a directory")
    try:
        unpack(fetch(host, container, path), target, lambda words: click.echo(f"warning: {words}", err=True))
    except (UnsafeEntry, tarfile.TarError, OSError) as error:
        raise click.ClickException(f"copying to {target} failed: {error}") from error


def _followed(host: HostAccess, container: str, path: str) -> PathInfo | None:
    found = look(host, container, path)
    return look(host, container, found.target) if found is not None and found.target else found
