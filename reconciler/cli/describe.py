"""`reconciler describe`: everything known of one object, with its events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from reconciler.cli.access import ClusterAccess
from reconciler.cli.console import show_lines
from reconciler.cli.get import echo_object, say_age, the_one
from reconciler.cli.kind_argument import KindArgument, described_kinds_in_words
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_options, host_settings, namespace_option, output_option
from reconciler.cli.traffic import traffic_of
from reconciler.kinds import KIND_BY_NAME, KINDS
from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress
from reconciler.model.kinds import Names
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import Status
from reconciler.reporting import (
    Context,
    Line,
    certificates_json,
    event_json,
    object_json,
    traffic_objects,
)
from reconciler.stores import open_reader

_HELP = f"""Show everything known of one object, as the running reconciler last saw it.

KIND is {described_kinds_in_words()}. Values of Secrets are never shown. Of a service and an ingress, the HAProxy
of every host is asked how its backends do now.
"""


@click.command(help=_HELP)
@click.argument("kind", type=KindArgument(), metavar="KIND")
@click.argument("name")
@namespace_option
@host_options
@output_option("text", "json", "yaml")
def describe(kind: Names, name: str, namespace: str, output: str, **given: Any) -> None:
    """Print the page of one object, or the object as JSON or YAML with its events and what proxies count of it."""
    configure_logging()
    settings = host_settings(given)
    with open_reader(settings.state_dir) as reader:
        objects, memory = reader.statuses(), reader.memory()
        thing = the_one(_described(objects), kind, name, namespace)
        ref = ref_of(thing)
        events = [event for event in reader.events() if event.about == ref]
        say_age(reader)
    traffic = traffic_of(ClusterAccess(objects, memory, settings), thing)
    issued = _issued_for(thing, memory)
    if output == "text":
        context = Context(time.time(), True, objects, events, traffic, issued)
        show_lines(_page(thing, context))
    else:
        told: dict[str, Any] = {"traffic": traffic_objects(traffic)} if traffic else {}
        if issued:
            told["certificates"] = certificates_json(issued)
        events_json = [event_json(event) for event in events]
        echo_object(
            {**object_json(thing, kind, KIND_BY_NAME[kind.kind].encode), **told, "events": events_json}, output
        )


def _described(objects: Mapping[Ref, Status]) -> dict[Ref, Status]:
    """The objects of kinds that have a page."""
    with_page = {kind.names.kind for kind in KINDS if kind.view is not None and kind.view.describe is not None}
    return {ref: thing for ref, thing in objects.items() if ref.kind in with_page}


def _page(thing: Status, context: Context) -> list[Line]:
    view = KIND_BY_NAME[type(thing).__name__].view
    assert view is not None
    assert view.describe is not None
    return view.describe(thing, context)


def _issued_for(thing: Status, memory: Memory) -> Mapping[str, IssuedCertificate]:
    """The certificates that an Ingress uses and an ACME server gave, by the name of the Secret of each."""
    used = thing.spec.tls if isinstance(thing, Ingress) else ()
    secrets = {Ref("Secret", thing.metadata.namespace, one.secret_name) for one in used}
    return {secret.name: memory.certificates[secret] for secret in sorted(secrets & memory.certificates.keys())}
