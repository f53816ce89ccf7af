"""Who selects whom: Deployments must not share pods, and Services should find some, or their EndpointSlices."""

from collections.abc import Iterator

from reconciler.manifests.across.index import Index
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, warning
from reconciler.manifests.reading.file_reader import Entry
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import LABEL_SERVICE_NAME, EndpointSlice, service_of


def check_selectors(entry: Entry, index: Index) -> Iterator[Finding]:
    """Of one object; its findings change only with the labels of pods that its selector's labels are among."""
    if entry.ref.kind == "Deployment":
        yield from _deployment(entry, index)
    elif isinstance(entry.thing, Service):
        if entry.thing.spec.selector:
            yield from _service(entry, index)
        else:
            yield from _without_selector(entry, index)
    elif isinstance(entry.thing, EndpointSlice):
        yield from _slice(entry.thing, index)


def _deployment(entry: Entry, index: Index) -> Iterator[Finding]:
    others = [
        other
        for other in index.carriers(entry.uses.selector)
        if other.ref.kind == "Deployment" and other.ref != entry.ref
    ]
    if others:
        first = min(others, key=lambda other: other.place)
        message = f"it also selects the pods of {first.ref} ({first.place})"
        fix = "give each Deployment a label of its own in its selector and template"
        yield Finding(("spec", "selector", "matchLabels"), Code.OVERLAPPING_SELECTORS, message, fix)


def _service(entry: Entry, index: Index) -> Iterator[Finding]:
    selected = [pod for pod in index.carriers(entry.uses.selector) if pod.uses.spec is not None]
    if not selected:
        if index.lacks_more("Pod", "Deployment"):
            message = "no Pod and no Deployment has these labels: nothing will answer"
            fix = "correct the selector, or the pods' labels"
            yield warning(("spec", "selector"), Code.SELECTS_NOTHING, message, fix)
        return
    for name, pointer in entry.uses.target_ports:
        if not any(name in pod.uses.port_names for pod in selected):
            first = min(selected, key=lambda pod: pod.place)
            known = sorted({port for pod in selected for port in pod.uses.port_names})
            fix = (
                f"use one of {', '.join(known)}, or a number"
                if known
                else "name a port of the pod, or use a number"
            )
            message = f"no port of {first.ref} is named {name}"
            yield Finding(pointer, Code.UNKNOWN_PORT, message, fix)


def _without_selector(entry: Entry, index: Index) -> Iterator[Finding]:
    """An ExternalName looks for nothing."""
    found = (other.ref.kind == "EndpointSlice" for other in index.carriers(entry.uses.selector))
    if entry.uses.selector and not any(found) and index.lacks_more("EndpointSlice"):
        message = "it has no selector, and no EndpointSlice is its own: nothing will answer"
        fix = f"add a selector, or an EndpointSlice with the label {LABEL_SERVICE_NAME}: {entry.ref.name}"
        yield warning(("spec",), Code.SELECTS_NOTHING, message, fix)


def _slice(endpoint_slice: EndpointSlice, index: Index) -> Iterator[Finding]:
    found = index.objects.get(service_of(endpoint_slice))
    if found is None or not isinstance(found.thing, Service):
        return
    spec = found.thing.spec
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
