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
from reconciler.cli.options import output_option, state_option
from reconciler.model.names import CLUSTER_SCOPED, Ref
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
from reconciler.store import StoreReader, open_reader

Thing = TypeVar("Thing")

_WORDS = (
    "pods (po), deployments (deploy), services (svc), ingresses (ing), nodes (no), configmaps (cm), secrets, "
    "namespaces (ns), persistentvolumeclaims (pvc), endpoints (ep), endpointslices, networkpolicies (netpol), "
    "clusters or events (ev)"
)
KINDS = {
    **dict.fromkeys(("pod", "pods", "po"), "Pod"),
    **dict.fromkeys(("deployment", "deployments", "deploy"), "Deployment"),
    **dict.fromkeys(("service", "services", "svc"), "Service"),
    **dict.fromkeys(("networkpolicy", "networkpolicies", "netpol"), "NetworkPolicy"),
    **dict.fromkeys(("ingress", "ingresses", "ing"), "Ingress"),
    **dict.fromkeys(("node", "nodes", "no"), "Node"),
    **dict.fromkeys(("configmap", "configmaps", "cm"), "ConfigMap"),
    **dict.fromkeys(("secret", "secrets"), "Secret"),
    **dict.fromkeys(("namespace", "namespaces", "ns"), "Namespace"),
    **dict.fromkeys(("persistentvolumeclaim", "persistentvolumeclaims", "pvc"), "PersistentVolumeClaim"),
    **dict.fromkeys(("endpoints", "ep"), "Endpoints"),
    **dict.fromkeys(("endpointslice", "endpointslices"), "EndpointSlice"),
    **dict.fromkeys(("cluster", "clusters"), "Cluster"),
    **dict.fromkeys(("event", "events", "ev"), "Event"),
}


_WITHOUT_STATUS = frozenset({"ConfigMap", "Secret", "Namespace", "NetworkPolicy", "Cluster", "EndpointSlice"})


class KindType(click.ParamType[str]):
    """A kind as kubectl lets it be named: singular, plural or short."""

    name = "kind"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"Name {_WORDS}."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = KINDS.get(str(value).lower())
        if known is None:
            self.fail(f"{value!r} is not a kind that is kept here; name {_WORDS}", param, ctx)
        return known


@click.command()
@click.argument("wanted", type=KindType(), metavar="KIND")
@click.argument("name", required=False)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of this namespace only.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")
@state_option
@output_option("table", "wide", "json", "yaml")
def get(wanted: str, name: str | None, namespace: str, all_namespaces: bool, state_dir: Path, output: str) -> None:
    """Show how everything stands, as the running reconciler last saw it.

    KIND is pods (po), deployments (deploy), services (svc), ingresses (ing), nodes (no), configmaps (cm), secrets,
    namespaces (ns), persistentvolumeclaims (pvc), endpoints (ep; of each service, who answers for it),
    endpointslices, networkpolicies (netpol), clusters or events (ev). NAME picks one; of events, those about the
    object of that name.
    """
    where = None if all_namespaces else namespace
    with open_reader(state_dir) as reader:
        if wanted == "Event":
            _events(reader, name, where, output)
        elif wanted == "Endpoints":
            _endpoints(reader, name, where, output)
        elif wanted in _WITHOUT_STATUS:
            _manifests(reader, wanted, name, where, output)
        else:
            show_statuses(reader, wanted, name, where, output)


def show_statuses(reader: StoreReader, kind: str, name: str | None, namespace: str | None, output: str) -> None:
    """`namespace` None: all of them. ClickException where `name` is given and not found."""
    found = _picked(reader.statuses(), kind, name, namespace)
    applied = reader.memory().applied
    shown = table(list(found.values()), wide=output == "wide", namespaces=namespace is None, now=time.time())
    objects = [status_object(status, applied.get(ref)) for ref, status in found.items()]
    say_age(reader)
    _print(shown, objects, output, one=name is not None, everywhere=namespace is None)


def the_one(things: Mapping[Ref, Thing], ref: Ref) -> Thing:
    """ClickException where there is none."""
    return _picked(things, ref.kind, ref.name, ref.namespace or None)[ref]


def _endpoints(reader: StoreReader, name: str | None, namespace: str | None, output: str) -> None:
    """Of the services: theirs have no status of their own."""
    found = _picked(reader.statuses(), "Service", name, namespace)
    services = [status for status in found.values() if isinstance(status, ServiceStatus)]
    shown = endpoints_table(services, wide=output == "wide", namespaces=namespace is None, now=time.time())
    say_age(reader)
    objects = [endpoints_object(service) for service in services]
    _print(shown, objects, output, one=name is not None, everywhere=namespace is None)


def _manifests(reader: StoreReader, kind: str, name: str | None, namespace: str | None, output: str) -> None:
    """Of the revision in force."""
    found = _picked(reader.memory().applied, kind, name, namespace)
    objects = [manifest_object(manifest) for manifest in found.values()]
    shown = manifests_table(found, namespaces=namespace is None)
    _print(shown, objects, output, one=name is not None, everywhere=namespace is None)


def _picked(things: Mapping[Ref, Thing], kind: str, name: str | None, namespace: str | None) -> dict[Ref, Thing]:
    found = {
        ref: things[ref]
        for ref in sorted(things)
        if ref.kind == kind
        and (not ref.namespace or namespace in (None, ref.namespace))
        and name in (None, ref.name)
    }
    if name is not None and not found:
        where = f" in namespace {namespace}" if namespace and kind not in CLUSTER_SCOPED else ""
        raise click.ClickException(f"{kind.lower()} {name!r} not found{where}")
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
