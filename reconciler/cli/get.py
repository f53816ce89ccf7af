"""`reconciler get`: how everything stands, from the running state."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from reconciler.cli.console import show_lines
from reconciler.cli.options import output_option, state_option
from reconciler.model.plan import Status
from reconciler.reporting import event_json, events_table, status_list, status_object, table, table_lines
from reconciler.store import StoreReader, open_reader

_WORDS = "pods (po), deployments (deploy), services (svc), nodes (no) or events (ev)"
_KINDS = {
    **dict.fromkeys(("pod", "pods", "po"), "Pod"),
    **dict.fromkeys(("deployment", "deployments", "deploy"), "Deployment"),
    **dict.fromkeys(("service", "services", "svc"), "Service"),
    **dict.fromkeys(("node", "nodes", "no"), "Node"),
    **dict.fromkeys(("event", "events", "ev"), "Event"),
}


class _Kind(click.ParamType[str]):
    """A kind as kubectl lets it be named: singular, plural or short."""

    name = "kind"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"Name {_WORDS}."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = _KINDS.get(str(value).lower())
        if known is None:
            self.fail(f"{value!r} is not a kind that is kept here; name {_WORDS}", param, ctx)
        return known


@click.command()
@click.argument("wanted", type=_Kind(), metavar="KIND")
@click.argument("name", required=False)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of this namespace only.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")
@state_option
@output_option("table", "wide", "json", "yaml")
def get(wanted: str, name: str | None, namespace: str, all_namespaces: bool, state_dir: Path, output: str) -> None:
    """Show how everything stands, as the running reconciler last saw it.

    KIND is pods (po), deployments (deploy), services (svc), nodes (no) or events (ev). NAME picks one; of events,
    those about the object of that name.
    """
    with open_reader(state_dir) as reader:
        if wanted == "Event":
            _events(reader, name, None if all_namespaces else namespace, output)
        else:
            show_statuses(reader, wanted, name, None if all_namespaces else namespace, output)


def show_statuses(reader: StoreReader, kind: str, name: str | None, namespace: str | None, output: str) -> None:
    """`namespace` None: all of them. ClickException where `name` is given and not found."""
    found = [
        status
        for ref, status in reader.statuses().items()
        if ref.kind == kind
        and (not ref.namespace or namespace in (None, ref.namespace))
        and name in (None, ref.name)
    ]
    if name is not None and not found:
        where = f" in namespace {namespace}" if namespace and kind != "Node" else ""
        raise click.ClickException(f"{kind.lower()} {name!r} not found{where}")
    _say_age(reader)
    _print(found, output, one=name is not None, namespaces=namespace is None)


def _print(found: Sequence[Status], output: str, *, one: bool, namespaces: bool) -> None:
    if output in ("json", "yaml"):
        value = status_object(found[0]) if one else status_list(found)
        click.echo(
            json.dumps(value, indent=2) if output == "json" else yaml.safe_dump(value, sort_keys=False), nl=False
        )
        if output == "json":
            click.echo()
    else:
        show_lines(table_lines(table(found, wide=output == "wide", namespaces=namespaces)))
        if not found and not namespaces:
            click.echo("(-n NAMESPACE names one other than `default`, and -A all of them)", err=True)


def _events(reader: StoreReader, name: str | None, namespace: str | None, output: str) -> None:
    events = [
        event
        for event in reader.events()
        if (not event.about.namespace or namespace in (None, event.about.namespace))
        and name in (None, event.about.name)
    ]
    if output in ("json", "yaml"):
        value = {"apiVersion": "v1", "kind": "List", "items": [event_json(event) for event in events]}
        click.echo(json.dumps(value, indent=2) if output == "json" else yaml.safe_dump(value, sort_keys=False))
    else:
        show_lines(table_lines(events_table(events, time.time())))


def _say_age(reader: StoreReader) -> None:
    """Nobody should take yesterday's state for today's."""
    at = reader.published_at()
    if reader.holder() is None and at is not None:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        click.echo(f"no reconciler is running on this state; it changed last at {when}", err=True)
