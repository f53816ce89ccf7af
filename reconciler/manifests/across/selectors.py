"""Who selects whom: workloads must not share pods, and Services should find some, or their EndpointSlices."""

from collections.abc import Iterator
from typing import Any

from reconciler.manifests.across.index import Index
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.manifests.manifest import Manifest
from reconciler.model.api.core.container import is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import LABEL_SERVICE_NAME, EndpointSlice, service_of


def check_service_selector(manifest: Manifest[Service], index: Index) -> Iterator[Finding]:
    """Whether the pods, or the EndpointSlices, of a Service are there and have the ports that it names."""
    if manifest.object.spec.selector:
        yield from _pods(manifest, index)
    else:
        yield from _slices(manifest, index)


def check_overlapping_selectors(manifest: Manifest[Any], index: Index) -> Iterator[Finding]:
    """An error if another workload of the kind has pods that this one selects, too."""
    others = [
        other
        for other in index.carriers(manifest.relations.selector)
        if other.ref.kind == manifest.ref.kind and other.ref != manifest.ref
    ]
    if others:
        first = min(others, key=lambda other: other.place)
        message = f"it also selects the pods of {first.ref} ({first.place})"
        fix = f"give each {manifest.ref.kind} a label of its own in its selector and template"
        yield Finding(("spec", "selector", "matchLabels"), Code.OVERLAPPING_SELECTORS, message, fix)


def _pods(manifest: Manifest[Service], index: Index) -> Iterator[Finding]:
    selected = [
        (pods.relations.template.spec, pods)
        for pods in index.carriers(manifest.relations.selector)
        if pods.relations.template is not None
    ]
    if not selected:
        if index.lacks_more(*index.makers):
            message = f"no {' and no '.join(index.makers)} has these labels: nothing will answer"
            fix = "correct the selector, or the pods' labels"
            yield warning(("spec", "selector"), Code.SELECTS_NOTHING, message, fix)
        return
    for number, port in enumerate(manifest.object.spec.ports):
        name = port.target_port
        if not isinstance(name, str) or any(name in _port_names(spec) for spec, _ in selected):
            continue
        at: Pointer = ("spec", "ports", number, "targetPort")
        first = min((pods for _, pods in selected), key=lambda pods: pods.place)
        known = sorted({port for spec, _ in selected for port in _port_names(spec)})
        fix = f"use one of {', '.join(known)}, or a number" if known else "name a port of the pod, or use a number"
        yield Finding(at, Code.UNKNOWN_PORT, f"no port of {first.ref} is named {name}", fix)


def _port_names(spec: PodSpec) -> frozenset[str]:
    """The named ports of containers and sidecars; those of what has ended by then answer nobody."""
    serving = (*spec.containers, *filter(is_sidecar, spec.init_containers))
    return frozenset(port.name for container in serving for port in container.ports if port.name)


def _slices(manifest: Manifest[Service], index: Index) -> Iterator[Finding]:
    """An ExternalName looks for nothing."""
    found = (other.ref.kind == "EndpointSlice" for other in index.carriers(manifest.relations.selector))
    if manifest.relations.selector and not any(found) and index.lacks_more("EndpointSlice"):
        message = "it has no selector, and no EndpointSlice is its own: nothing will answer"
        fix = f"add a selector, or an EndpointSlice with the label {LABEL_SERVICE_NAME}: {manifest.ref.name}"
        yield warning(("spec",), Code.SELECTS_NOTHING, message, fix)


def check_slice_owner(manifest: Manifest[EndpointSlice], index: Index) -> Iterator[Finding]:
    """Errors of an EndpointSlice whose Service looks for no EndpointSlices, or has other ports."""
    endpoint_slice = manifest.object
    if (found := index.of(Service).get(service_of(endpoint_slice))) is None:
        return
    spec = found.object.spec
    at = ("metadata", "labels", LABEL_SERVICE_NAME)
    if spec.type == "ExternalName":
        message = f"{found.ref} ({found.place}) is an ExternalName: it has no endpoints"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, "change its type, or remove this")
    elif spec.selector:
        message = f"{found.ref} ({found.place}) has a selector: its endpoints are made from the pods it selects"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, "remove its selector, or this")
    names = [port.name for port in spec.ports]
    for number, port in enumerate(endpoint_slice.ports):
        if names and port.name not in names:
            message = (
                f"no port of {found.ref} is named {port.name}" if port.name else f"{found.ref} names its ports"
            )
            known = ", ".join(filter(None, names))
            fix = f"write {known}" if known else "remove the name: that of the Service has none"
            here = ("ports", number, "name") if port.name else ("ports", number)
            yield Finding(here, Code.UNKNOWN_PORT, message, fix)
