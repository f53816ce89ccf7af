"""`reconciler describe`: everything known of one object, with its events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from reconciler.cli.access import ClusterAccess
from reconciler.cli.console import show_lines
from reconciler.cli.get import echo_object, say_age, the_one
from reconciler.cli.kind_argument import KindArgument
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_options, host_settings, namespace_option, output_option
from reconciler.cli.traffic import traffic_of
from reconciler.model.acme import IssuedCertificate
from reconciler.model.kinds import Names
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import (
    ClaimStatus,
    DeploymentStatus,
    IngressStatus,
    NodeStatus,
    PodStatus,
    ServiceStatus,
    Status,
)
from reconciler.model.records import Event
from reconciler.model.traffic import ProxyTraffic
from reconciler.reporting import Line, certificate_objects, event_json, status_object, traffic_objects
from reconciler.reporting.describing import (
    describe_claim,
    describe_deployment,
    describe_ingress,
    describe_node,
    describe_pod,
    describe_service,
)
from reconciler.stores import open_reader


@click.command()
@click.argument("kind", type=KindArgument(), metavar="KIND")
@click.argument("name")
@namespace_option
@host_options
@output_option("text", "json", "yaml")
def describe(kind: Names, name: str, namespace: str, output: str, **given: Any) -> None:
    """Show everything known of one object, as the running reconciler last saw it.

    KIND is pod, deployment, service, ingress, node or persistentvolumeclaim (pvc). Values of Secrets are never
    shown. Of a service and an ingress, the HAProxy of every host is asked how its backends do now.
    """
    configure_logging()
    settings = host_settings(given)
    with open_reader(settings.state_dir) as reader:
        statuses, memory = reader.statuses(), reader.memory()
        status = the_one(statuses, kind, name, namespace)
        events = [event for event in reader.events() if event.about == status.ref]
        say_age(reader)
    traffic = traffic_of(ClusterAccess(statuses, memory, settings), status)
    if output == "text":
        show_lines(_page(status, statuses, memory, events, traffic))
    else:
        shown = status_object(status, memory.applied.get(status.ref))
        told: dict[str, Any] = {"traffic": traffic_objects(traffic)} if traffic else {}
        if issued := _issued_for(status.ref, memory):
            told["certificates"] = certificate_objects(issued)
        echo_object({**shown, **told, "events": [event_json(event) for event in events]}, output)


def _page(
    status: Status,
    statuses: Mapping[Ref, Status],
    memory: Memory,
    events: list[Event],
    traffic: Mapping[str, ProxyTraffic],
) -> list[Line]:
    now = time.time()
    manifest = memory.applied.get(status.ref, {})
    pods = [other for other in statuses.values() if isinstance(other, PodStatus)]
    match status:
        case PodStatus():
            return describe_pod(
                status, memory.pods.get(status.uid), _annotations(status, manifest, memory), events, now
            )
        case DeploymentStatus():
            own = [pod for pod in pods if pod.owner == status.ref]
            return describe_deployment(status, manifest, own, events, now)
        case NodeStatus():
            there = [pod for pod in pods if pod.node == status.ref.name]
            return describe_node(status, manifest, there, events, now)
        case ServiceStatus():
            return describe_service(status, manifest, events, now, traffic)
        case IngressStatus():
            return describe_ingress(status, manifest, events, now, traffic, _issued_for(status.ref, memory))
        case ClaimStatus():
            users = [pod.ref.name for pod in pods if _mounts(pod, status, memory)]
            return describe_claim(status, manifest, users, events, now)


def _issued_for(ref: Ref, memory: Memory) -> Mapping[str, IssuedCertificate]:
    """The certificates that an Ingress uses and an ACME server gave, by the name of the Secret of each."""
    used = memory.applied.get(ref, {}).get("spec", {}).get("tls", ()) if ref.kind == "Ingress" else ()
    secrets = {Ref("Secret", ref.namespace, one.get("secretName", "")) for one in used}
    return {secret.name: memory.certificates[secret] for secret in sorted(secrets & memory.certificates.keys())}


def _annotations(pod: PodStatus, manifest: Mapping[str, Any], memory: Memory) -> Mapping[str, str]:
    if pod.owner is not None:
        manifest = memory.applied.get(pod.owner, {}).get("spec", {}).get("template", {})
    found: Mapping[str, str] = manifest.get("metadata", {}).get("annotations", {})
    return found


def _mounts(pod: PodStatus, claim: ClaimStatus, memory: Memory) -> bool:
    intent = memory.pods.get(pod.uid)
    volumes = intent.spec.volumes if intent is not None and intent.spec is not None else ()
    claims = {one.persistent_volume_claim.claim_name for one in volumes if one.persistent_volume_claim}
    return pod.ref.namespace == claim.ref.namespace and claim.ref.name in claims
