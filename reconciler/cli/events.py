"""`reconciler events`: what happened, from the state."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from reconciler.cli.console import show_lines
from reconciler.cli.kind_argument import KINDS_BY_ALIAS
from reconciler.cli.options import namespace_option, output_option, state_option
from reconciler.control.ports import StoreReader
from reconciler.model.records import Event
from reconciler.reporting import event_json, events_table, object_list, table_lines
from reconciler.stores import open_reader

_LOOK_SECONDS = 0.5


@click.command()
@namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")
@click.option("--for", "about", metavar="KIND/NAME", default="", help="About one object only: pod/web-0.")
@click.option("-w", "--watch", is_flag=True, help="Show what happens from now on, until Ctrl-C.")
@output_option("table", "json")
@state_option
def events(namespace: str, all_namespaces: bool, about: str, watch: bool, output: str, state_dir: Path) -> None:
    """Show what happened, the latest last; events of nodes and of the source belong to every namespace.

    With --watch and -o json, one object a line.
    """
    wanted = _about(about)
    where = None if all_namespaces else namespace
    with open_reader(state_dir) as reader:
        if not watch:
            _show([event for event in reader.events() if _is_wanted(event, where, wanted)], output)
            return
        header = True
        for more in _later(reader):
            if found := [event for event in more if _is_wanted(event, where, wanted)]:
                _show_more(found, output, header=header)
                header = False


def _about(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    kind, _, name = text.partition("/")
    if not name or kind.lower() not in KINDS_BY_ALIAS:
        raise click.UsageError(f"--for {text!r} names no object: write KIND/NAME, for example pod/web-0")
    return KINDS_BY_ALIAS[kind.lower()].kind, name


def _is_wanted(event: Event, namespace: str | None, about: tuple[str, str] | None) -> bool:
    here = not event.about.namespace or namespace in (None, event.about.namespace)
    return here and about in (None, (event.about.kind, event.about.name))


def _later(reader: StoreReader) -> Iterator[Sequence[Event]]:
    """What is new, or has happened again, since the last look."""
    seen = _counts(reader.events())
    while True:
        time.sleep(_LOOK_SECONDS)
        now = reader.events()
        yield [event for event in now if seen.get(_key(event)) != event.count]
        seen = _counts(now)


def _counts(events: Sequence[Event]) -> Mapping[tuple[object, ...], int]:
    return {_key(event): event.count for event in events}


def _key(event: Event) -> tuple[object, ...]:
    return event.about, event.reason, event.message


def _show(found: Sequence[Event], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(object_list([event_json(event) for event in found]), indent=2))
    else:
        show_lines(table_lines(events_table(found, time.time())))


def _show_more(found: Sequence[Event], output: str, *, header: bool) -> None:
    if output == "json":
        for event in found:
            _line(event_json(event))
        return
    lines = table_lines(events_table(found, time.time()))
    show_lines(lines if header else lines[1:])


def _line(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value))
