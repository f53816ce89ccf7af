"""The page of a Service, as `kubectl describe service` lays it out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.model.plan import ServiceStatus
from reconciler.model.records import Event
from reconciler.model.sections import ServiceSection
from reconciler.reporting.describing.page import NONE, Entry, entry, events_entry, joined, known, named, page
from reconciler.reporting.describing.traffic import NOT_ASKED, Traffic, traffic_entries
from reconciler.reporting.lines import Line

_Manifest = Mapping[str, Any]


def describe_service(
    service: ServiceStatus,
    manifest: _Manifest,
    events: Sequence[Event],
    now: float,
    traffic: Traffic = NOT_ASKED,
) -> list[Line]:
    spec: _Manifest = manifest.get("spec", {})
    ports = [ServiceSection(service.ref, port.get("name") or str(port["port"])) for port in spec.get("ports", ())]
    return page(
        [
            *named(service.ref.name, service.ref.namespace, manifest),
            entry("Selector", joined(spec.get("selector", {}))),
            entry("Type", service.type),
            entry("IP", service.cluster_ip or NONE),
            *_outside(service, spec),
            *known("Message", service.message),
            *_ports(service, spec),
            Entry("Endpoints", service.endpoints or (NONE,)),
            entry("Session Affinity", _affinity(spec)),
            *_policies(service, spec),
            *traffic_entries(ports, traffic),
            events_entry(events, now),
        ]
    )


def _outside(service: ServiceStatus, spec: _Manifest) -> Iterator[Entry]:
    named = tuple(spec.get("externalIPs", ()))
    if service.type == "ExternalName":
        yield from known("External Name", ",".join(service.external))
        return
    if named:
        yield entry("External IPs", ",".join(named))
    if service.type == "LoadBalancer":
        yield entry("LoadBalancer Ingress", ", ".join(service.external[: -len(named) or None]) or NONE)


def _ports(service: ServiceStatus, spec: _Manifest) -> Iterator[Entry]:
    """The node port is one that was given, whether the manifest names it or not."""
    given = [text.partition("/")[0].partition(":")[2] for text in service.ports]
    for number, port in enumerate(spec.get("ports", ())):
        name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
        yield entry("Port", f"{name}  {port['port']}/{protocol}")
        yield entry("TargetPort", f"{port.get('targetPort') or port['port']}/{protocol}")
        yield from known("AppProtocol", port.get("appProtocol", ""))
        if number < len(given) and given[number]:
            yield entry("NodePort", f"{name}  {given[number]}/{protocol}")


def _affinity(spec: _Manifest) -> str:
    kind = str(spec.get("sessionAffinity", "None"))
    seconds = spec.get("sessionAffinityConfig", {}).get("clientIP", {}).get("timeoutSeconds", 10800)
    return f"{kind} ({seconds}s)" if kind != "None" else kind


def _policies(service: ServiceStatus, spec: _Manifest) -> Iterator[Entry]:
    if service.type in ("NodePort", "LoadBalancer") or spec.get("externalIPs"):
        yield entry("External Traffic Policy", spec.get("externalTrafficPolicy", "Cluster"))
    if service.type != "ExternalName":
        yield entry("Internal Traffic Policy", spec.get("internalTrafficPolicy", "Cluster"))
    yield from known("LoadBalancer Source Ranges", ",".join(spec.get("loadBalancerSourceRanges", ())))
    if spec.get("publishNotReadyAddresses"):
        yield entry("Publish Not Ready Addresses", "true")
