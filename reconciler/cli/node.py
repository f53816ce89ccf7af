"""`reconciler node`: list nodes, and take everything of ours off a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from reconciler.cli.get import show_statuses
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import (
    host_options,
    host_settings,
    output_option,
    source_options,
    source_settings,
    state_option,
    take_over_option,
)
from reconciler.model.desired import Desired
from reconciler.store import open_reader
from reconciler.wiring import read_once, reset


@click.group()
def node() -> None:
    """List nodes; take everything of ours off a host."""


@node.command("list")
@state_option
@output_option("wide", "json", "yaml")
def list_nodes(state_dir: Path, output: str) -> None:
    """Every node with what runs on it, as the running reconciler last saw it."""
    with open_reader(state_dir) as reader:
        show_statuses(reader, "Node", None, None, output)


@node.command("reset")
@click.argument("name")
@source_options
@host_options
@take_over_option
@click.option("--yes", is_flag=True, help="Don't ask.")
def reset_node(name: str, yes: bool, **given: Any) -> None:
    """Remove from the host NAME everything that was put there for this cluster, and only that.

    Its pods there end, and what was remembered of it is forgotten: a host that was installed anew can be taken up
    again. Stop a running reconciler first, or take the node out of its manifests: it would put all back.
    """
    configure_logging()
    settings = replace(host_settings(given), take_over=given.pop("take_over"))
    read = read_once(source_settings(given), settings)
    if not isinstance(read, Desired):
        raise click.ClickException("the manifests cannot be read; `reconciler validate` says why")
    if name not in read.nodes:
        raise click.ClickException(
            f"no node {name!r} in the manifests; there are: {', '.join(sorted(read.nodes))}"
        )
    wanted = read.nodes[name]
    if not yes:
        click.confirm(
            f"End every pod of cluster {read.cluster.metadata.name!r} on {wanted.ssh}?", abort=True, err=True
        )
    for removed in reset(wanted, read.cluster, settings):
        click.echo(removed)
