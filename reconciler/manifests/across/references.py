"""Whether what a revision's objects name is there, and is there once: names, namespaces, references, nodes."""

from collections.abc import Iterator
from typing import Any

from reconciler.manifests.across.index import Index
from reconciler.manifests.checks.configuration import or_optional
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, warning
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.reading.decoding import DEFAULT_NAMESPACE
from reconciler.manifests.relations import Reference
from reconciler.model.api.core.node import Node, node_labels
from reconciler.model.names import Ref


def check_name(manifest: Manifest[Any], index: Index) -> Iterator[Finding]:
    """An error if another object, earlier in the revision, has the same name."""
    first = index.objects[manifest.ref]
    if first is not manifest:
        message, fix = f"{manifest.ref} is also at {first.place}", "keep one of them, or rename one"
        yield Finding(("metadata", "name"), Code.DUPLICATE_OBJECT, message, fix)


def check_namespace(manifest: Manifest[Any], index: Index) -> Iterator[Finding]:
    """An error if there is no Namespace of the object's namespace; the default one needs none."""
    namespace = manifest.ref.namespace
    if namespace not in ("", DEFAULT_NAMESPACE) and index.lacks(Ref("Namespace", "", namespace)):
        message = f"there is no namespace {namespace}"
        fix = f"add a manifest of kind Namespace named {namespace}, or correct the name"
        yield Finding(("metadata", "namespace"), Code.UNKNOWN_NAMESPACE, message, fix)


def check_references(manifest: Manifest[Any], index: Index) -> Iterator[Finding]:
    """Errors about objects that are referred to and are not there, or not what they are taken for."""
    references = manifest.relations.references
    yield from dict.fromkeys(finding for each in references for finding in _reference(each, index))


def check_node_choice(manifest: Manifest[Any], index: Index) -> Iterator[Finding]:
    """Errors and warnings about the nodes that an object chooses for its pods."""
    if (template := manifest.relations.template) is None:
        return
    spec, at = template.spec, template.spec_at
    if spec.node_name and index.lacks(Ref("Node", "", spec.node_name)):
        fix = "correct the name, or leave the choice to the scheduler"
        yield Finding((*at, "nodeName"), Code.UNKNOWN_NODE, f"there is no Node {spec.node_name}", fix)
    elif spec.node_selector and index.lacks_more("Node"):
        wanted = spec.node_selector.items()
        nodes = (node.object for node in index.of(Node).values())
        if not any(wanted <= node_labels(node).items() for node in nodes):
            message = "no Node has these labels: the pods will wait for one"
            yield warning((*at, "nodeSelector"), Code.NO_MATCHING_NODE, message, "label a Node, or correct them")


def _reference(reference: Reference, index: Index) -> Iterator[Finding]:
    if (found := index.objects.get(reference.ref)) is not None:
        if reference.check is not None:
            yield from reference.check(reference, found)
    elif not reference.optional and index.lacks(reference.ref):
        fix = "add it, or correct the name" + or_optional(reference)
        yield Finding(reference.name_at, Code.DANGLING_REFERENCE, f"there is no {reference.ref}", fix)
