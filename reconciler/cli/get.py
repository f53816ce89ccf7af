"""`reconciler get`: how everything stands, from the running state."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from reconciler.cli.console import show_lines
from reconciler.cli.kind_argument import KindArgument, kinds_in_words
from reconciler.cli.options import output_option, state_option
from reconciler.control.ports import StoreReader
from reconciler.kinds.core.endpoints import ENDPOINTS
from reconciler.kinds.core.event import EVENT
from reconciler.kinds.core.service import SERVICE
from reconciler.model.kinds import Names
from reconciler.model.names import Ref
from reconciler.model.plan import ServiceStatus
from reconciler.reporting import (
    Table,
    endpoints_object,
    endpoints_table,
    event_json,
    events_table,
    manifest_object,
    manifests_table,
    object_list,
    status_object,
    table,
    table_lines,
)
from reconciler.stores import open_reader

Thing = TypeVar("Thing")

_HELP = f"""Show how everything stands, as the running reconciler last saw it.

KIND is {kinds_in_words(hints=True)}. NAME picks one; of events, those about the object of that name.
"""


@click.command(help=_HELP)
@click.argument("wanted", type=KindArgument(), metavar="KIND")
@click.argument("name", required=False)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of this namespace only.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")
@state_option
@output_option("table", "wide", "json", "yaml")
def get(
    wanted: Names, name: str | None, namespace: str, all_namespaces: bool, state_dir: Path, output: str
) -> None:
    """Print the objects of one kind, or one object: a table, or as JSON or YAML."""
    where = None if all_namespaces else namespace
    with open_reader(state_dir) as reader:
        if wanted == EVENT.names:
            _events(reader, name, where, output)
        elif wanted == ENDPOINTS.names:
            _endpoints(reader, name, where, output)
        elif wanted.has_status:
            show_statuses(reader, wanted, name, where, output)
        else:
            _manifests(reader, wanted, name, where, output)


def show_statuses(reader: StoreReader, kind: Names, name: str | None, namespace: str | None, output: str) -> None:
    """`namespace` None: all of them. ClickException where `name` is given and not found."""
    found = _picked(reader.statuses(), kind, name, namespace)
    applied = reader.memory().applied
    shown = table(list(found.values()), wide=output == "wide", namespaces=namespace is None, now=time.time())
    objects = [status_object(status, applied.get(ref)) for ref, status in found.items()]
    say_age(reader)
    _print(shown, objects, output, one=name is not None, everywhere=namespace is None)


def the_one(things: Mapping[Ref, Thing], kind: Names, name: str, namespace: str) -> Thing:
    """The one object of that name; `namespace` is looked at for a kind that has some. ClickException where there
    is none."""
    (found,) = _picked(things, kind, name, namespace).values()
    return found


def _endpoints(reader: StoreReader, name: str | None, namespace: str | None, output: str) -> None:
    """Of the services: theirs have no status of their own."""
    found = _picked(reader.statuses(), SERVICE.names, name, namespace)
    services = [status for status in found.values() if isinstance(status, ServiceStatus)]
    shown = endpoints_table(services, wide=output == "wide", namespaces=namespace is None, now=time.time())
    say_age(reader)
    objects = [endpoints_object(service) for service in services]
    _print(shown, objects, output, one=name is not None, everywhere=namespace is None)


def _manifests(reader: StoreReader, kind: Names, name: str | None, namespace: str | None, output: str) -> None:
    """Of the revision in force."""
    found = _picked(reader.memory().applied, kind, name, namespace)
    objects = [manifest_object(manifest) for manifest in found.values()]
    shown = manifests_table(found, namespaces=namespace is None)
    _print(shown, objects, output, one=name is not None, everywhere=namespace is None)


def _picked(things: Mapping[Ref, Thing], kind: Names, name: str | None, namespace: str | None) -> dict[Ref, Thing]:
    found = {
        ref: things[ref]
        for ref in sorted(things)
        if ref.kind == kind.kind
        and (not ref.namespace or namespace in (None, ref.namespace))
        and name in (None, ref.name)
    }
    if name is not None and not found:
        where = f" in namespace {namespace}" if namespace and kind.namespaced else ""
        raise click.ClickException(f"{kind.singular} {name!r} not found{where}")
    return found


def _print(shown: Table, objects: Sequence[dict[str, Any]], output: str, *, one: bool, everywhere: bool) -> None:
    if output in ("json", "yaml"):
        echo_object(objects[0] if one else object_list(objects), output)
    else:
        show_lines(table_lines(shown))
        if not objects and not everywhere:
            click.echo("(-n NAMESPACE names one other than `default`, and -A all of them)", err=True)


def echo_object(value: dict[str, Any], output: str) -> None:
    text = json.dumps(value, indent=2) if output == "json" else yaml.safe_dump(value, sort_keys=False)
    click.echo(text.rstrip())


def _events(reader: StoreReader, name: str | None, namespace: str | None, output: str) -> None:
    events = [
        event
        for event in reader.events()
        if (not event.about.namespace or namespace in (None, event.about.namespace))
        and name in (None, event.about.name)
    ]
    if output in ("json", "yaml"):
        echo_object(object_list([event_json(event) for event in events]), output)
    else:
        show_lines(table_lines(events_table(events, time.time())))


def say_age(reader: StoreReader) -> None:
    """Nobody should take yesterday's state for today's."""
    at = reader.published_at()
    if reader.holder() is None and at is not None:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        click.echo(f"no reconciler is running on this state; it changed last at {when}", err=True)
