"""Whether what a revision's objects refer to is there: namespaces, nodes, ConfigMaps, Secrets and their keys."""

from collections.abc import Iterator

from reconciler.manifests.codes import Code
from reconciler.manifests.decoding import DEFAULT_NAMESPACE
from reconciler.manifests.documents import Entry
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.manifests.index import Index
from reconciler.manifests.uses import Need
from reconciler.model.names import Ref
from reconciler.model.objects import ConfigMap, Node, Secret, node_labels
from reconciler.model.pods import PodSpec


def check_references(entry: Entry, index: Index) -> Iterator[Finding]:
    """Of one object; its findings change only with what it refers to."""
    namespace = entry.ref.namespace
    if namespace not in ("", DEFAULT_NAMESPACE) and index.lacks(Ref("Namespace", "", namespace)):
        message = f"there is no namespace {namespace}"
        fix = f"add a manifest of kind Namespace named {namespace}, or correct the name"
        yield Finding(("metadata", "namespace"), Code.UNKNOWN_NAMESPACE, message, fix)
    for need in entry.uses.needs:
        if not need.optional:
            yield from _need(need, index)
    if entry.uses.spec is not None:
        yield from _node(entry.uses.spec, entry.uses.spec_at, index)


def _need(need: Need, index: Index) -> Iterator[Finding]:
    if (found := index.objects.get(need.ref)) is None:
        if index.lacks(need.ref):
            fix = "add it, correct the name, or write optional: true"
            yield Finding((*need.pointer, "name"), Code.DANGLING_REFERENCE, f"there is no {need.ref}", fix)
        return
    assert isinstance(found.thing, ConfigMap | Secret)
    if need.key and need.key not in found.thing.data:
        fix = f"add it in {found.place}, correct the key, or write optional: true"
        yield Finding((*need.pointer, "key"), Code.MISSING_KEY, f"{need.ref} has no key {need.key}", fix)


def _node(spec: PodSpec, at: Pointer, index: Index) -> Iterator[Finding]:
    if spec.node_name and index.lacks(Ref("Node", "", spec.node_name)):
        fix = "correct the name, or leave the choice to the scheduler"
        yield Finding((*at, "nodeName"), Code.UNKNOWN_NODE, f"there is no Node {spec.node_name}", fix)
    elif spec.node_selector and index.lacks_more("Node"):
        wanted = spec.node_selector.items()
        nodes = (entry.thing for entry in index.by_kind["Node"].values())
        if not any(wanted <= node_labels(node).items() for node in nodes if isinstance(node, Node)):
            message = "no Node has these labels: the pods will wait for one"
            yield warning((*at, "nodeSelector"), Code.NO_MATCHING_NODE, message, "label a Node, or correct them")
