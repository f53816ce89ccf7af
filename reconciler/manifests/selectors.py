"""Who selects whom: Deployments must not share pods, and Services should find some."""

from collections.abc import Iterator

from reconciler.manifests.codes import Code
from reconciler.manifests.documents import Entry
from reconciler.manifests.findings import Finding, warning
from reconciler.manifests.index import Index


def check_selectors(entry: Entry, index: Index) -> Iterator[Finding]:
    """Of one object; its findings change only with the labels of pods that its selector's labels are among."""
    if entry.ref.kind == "Deployment":
        yield from _deployment(entry, index)
    elif entry.ref.kind == "Service":
        yield from _service(entry, index)


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
    selected = index.carriers(entry.uses.selector)
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
