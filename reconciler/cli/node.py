"""`reconciler node`: list nodes, and take everything of ours off a host."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from reconciler.cli.get import show_objects
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
from reconciler.kinds.core.node import NODE
from reconciler.model.api.core.node import Node
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Desired
from reconciler.model.memory import NodeRecord
from reconciler.stores import open_reader
from reconciler.wiring.hosts import forget_node, reset
from reconciler.wiring.reading import read_once, remembered


@click.group()
def node() -> None:
    """List nodes; take everything of ours off a host."""


@node.command("list")
@state_option
@output_option("wide", "json", "yaml")
def list_nodes(state_dir: Path, output: str) -> None:
    """Every node with what runs on it, as the running reconciler last saw it."""
    with open_reader(state_dir) as reader:
        show_objects(reader, NODE, None, None, output)


@node.command("reset")
@click.argument("name")
@source_options
@host_options
@take_over_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--forget", is_flag=True, help="The host is gone: only forget what was remembered of it.")
def reset_node(name: str, yes: bool, forget: bool, **given: Any) -> None:
    """Remove from the host NAME everything that was put there for this cluster, and only that.

    Its pods there end, and what was remembered of it is forgotten: a host that was installed anew can be taken up
    again, also one that is no Node of the manifests any more. Stop a running reconciler first: it would put all
    back. Volumes of claims stay on the host.
    """
    configure_logging()
    settings = replace(host_settings(given), take_over=given.pop("take_over"))
    read = read_once(source_settings(given), settings)
    if not isinstance(read, Desired):
        raise click.ClickException("the manifests cannot be read; `reconciler validate` says why")
    wanted = read.nodes.get(name) or _departed(name, remembered(settings).nodes, read.nodes)
    cluster = read.cluster.metadata.name
    if forget:
        if not yes:
            click.confirm(f"Forget what cluster {cluster!r} had on {wanted.ssh}?", abort=True, err=True)
        forget_node(name, settings)
        return
    if not yes:
        click.confirm(f"End every pod of cluster {cluster!r} on {wanted.ssh}?", abort=True, err=True)
    for removed in reset(wanted, read.cluster, settings):
        click.echo(removed)


def _departed(name: str, records: Mapping[str, NodeRecord], nodes: Collection[str]) -> Node:
    """A node that has left the manifests, as they had it last. ClickException where it was never one."""
    record = records.get(name)
    if record is None or record.ssh is None:
        raise click.ClickException(f"no node {name!r} in the manifests; there are: {', '.join(sorted(nodes))}")
    return Node(ObjectMeta(name), record.ssh, record.host_key)
