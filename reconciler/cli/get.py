"""`reconciler get`: how everything stands, from the running state."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from reconciler.cli.console import show_lines
from reconciler.cli.kind_argument import KindArgument, kinds_in_words
from reconciler.cli.options import output_option, state_option
from reconciler.control.ports import StoreReader
from reconciler.kinds import KIND_BY_NAME, Kind
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.kinds import Names
from reconciler.model.names import Ref
from reconciler.model.plan import PUBLISHED, Status
from reconciler.reporting import (
    Context,
    event_json,
    events_table,
    manifest_json,
    object_json,
    object_list,
    table_lines,
    table_of,
    with_metadata,
)
from reconciler.store import read_back
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
    kind = KIND_BY_NAME[wanted.kind]
    with open_reader(state_dir) as reader:
        if kind.view is None:
            _events(reader, name, where, output)
        else:
            show_objects(reader, kind, name, where, output)


def show_objects(
    reader: StoreReader, kind: Kind[Any], name: str | None, namespace: str | None, output: str
) -> None:
    """`namespace` None: all of them. ClickException where `name` is given and not found."""
    objects = reader.statuses()
    published = kind.type in PUBLISHED
    things: Mapping[Ref, Any] = objects if published else reader.memory().applied
    found = _picked(things, kind.names, name, namespace)
    if published:
        say_age(reader)
        shown = [object_json(thing, kind.names, kind.encode) for thing in found.values()]
    else:
        found = {ref: with_metadata(manifest, _metadata(objects, ref)) for ref, manifest in found.items()}
        shown = [manifest_json(manifest) for manifest in found.values()]
    if output in ("json", "yaml"):
        echo_object(shown[0] if name is not None else object_list(shown), output)
        return
    typed = found.values() if published else [read_back(manifest, kind.type) for manifest in found.values()]
    context = Context(time.time(), output == "wide", objects)
    assert kind.view is not None
    show_lines(table_lines(table_of(kind.view, typed, context, namespaces=namespace is None)))
    if not found and namespace is not None:
        click.echo("(-n NAMESPACE names one other than `default`, and -A all of them)", err=True)


def _metadata(objects: Mapping[Ref, Status], ref: Ref) -> ObjectMeta | None:
    """The metadata that an object without a status is published with; None: it is not yet."""
    thing = objects.get(ref)
    return thing.metadata if thing is not None else None


def the_one(things: Mapping[Ref, Thing], kind: Names, name: str, namespace: str) -> Thing:
    """The one object of that name; `namespace` is looked at for a kind that has some. ClickException where there
    is none."""
    (found,) = _picked(things, kind, name, namespace).values()
    return found


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
    """Say how old the state is, if it is: yesterday's must not be taken for today's."""
    at = reader.published_at()
    if reader.holder() is None and at is not None:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        click.echo(f"no reconciler is running on this state; it changed last at {when}", err=True)
