"""Whether what a revision's objects refer to is there: namespaces, nodes, ConfigMaps, Secrets and their keys."""

from collections.abc import Iterator

from reconciler.manifests.across.index import Index
from reconciler.manifests.checks.needs import Need
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.manifests.reading.decoding import DEFAULT_NAMESPACE, LOGIN_TYPE
from reconciler.manifests.reading.file_reader import Entry
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.node import Node, node_labels
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.names import Ref
from reconciler.model.tls import OTHER_KEY, read_certificate


def check_references(entry: Entry, index: Index) -> Iterator[Finding]:
    """Of one object; its findings change only with what it refers to."""
    namespace = entry.ref.namespace
    if namespace not in ("", DEFAULT_NAMESPACE) and index.lacks(Ref("Namespace", "", namespace)):
        message = f"there is no namespace {namespace}"
        fix = f"add a manifest of kind Namespace named {namespace}, or correct the name"
        yield Finding(("metadata", "namespace"), Code.UNKNOWN_NAMESPACE, message, fix)
    yield from dict.fromkeys(finding for need in entry.uses.needs for finding in _need(need, index))
    if isinstance(entry.thing, Cluster):
        yield from _levels(entry.thing, index)
    if entry.uses.spec is not None:
        yield from _node(entry.uses.spec, entry.uses.spec_at, index)


def _levels(cluster: Cluster, index: Index) -> Iterator[Finding]:
    """A level for a misspelt namespace would leave the right one at the default."""
    for name in cluster.spec.pod_security.namespaces:
        if name != DEFAULT_NAMESPACE and index.lacks(Ref("Namespace", "", name)):
            at = ("spec", "podSecurity", "namespaces", name)
            message = f"there is no namespace {name}: its level changes nothing"
            yield warning(at, Code.IGNORED_FIELD, message, "correct the name, or leave it", at_key=True)


def _need(need: Need, index: Index) -> Iterator[Finding]:
    if (found := index.objects.get(need.ref)) is None:
        if not need.optional and index.lacks(need.ref):
            fix = "add it, or correct the name" + _or_optional(need)
            yield Finding(need.name_at, Code.DANGLING_REFERENCE, f"there is no {need.ref}", fix)
        return
    thing = found.thing
    if need.how == "login":
        yield from _login(need, found)
    elif isinstance(thing, ConfigMap | Secret):
        if need.key and not need.optional and need.key not in thing.data and need.key not in thing.binary_data:
            fix = f"add it in {found.place}, or correct the name" + _or_optional(need)
            yield Finding(need.key_at, Code.MISSING_KEY, f"{need.ref} has no key {need.key}", fix)
        if need.how == "certificate" and isinstance(thing, Secret):
            yield from _certificate(need, found, thing)
        if need.how == "variable":
            yield from _text(need, found, thing)


def _or_optional(need: Need) -> str:
    return ", or write optional: true" if need.how in ("variable", "file") else ""


def _login(need: Need, found: Entry) -> Iterator[Finding]:
    """That it can be read as one was looked at where it stands."""
    assert isinstance(found.thing, Secret)
    if found.thing.type != LOGIN_TYPE:
        message = f"{need.ref} is not of the type {LOGIN_TYPE}"
        fix = f"correct its type in {found.place}, or the name"
        yield Finding(need.name_at, Code.INVALID_LOGIN, message, fix)


def _certificate(need: Need, found: Entry, thing: Secret) -> Iterator[Finding]:
    """HTTPS would be down for the hosts of the Ingress; what else is wrong with one is told when it is used."""
    if read_certificate(thing) == OTHER_KEY:
        message = f"the certificate of {need.ref} cannot be used: {OTHER_KEY}"
        fix = f"put the key that the certificate was made for into {found.place}, or the certificate of this key"
        yield Finding(need.name_at, Code.OTHER_KEY, message, fix)


def _text(need: Need, found: Entry, thing: ConfigMap | Secret) -> Iterator[Finding]:
    """A variable cannot hold binary data. As upstream, a whole ConfigMap's is passed over."""
    whole = thing.binary_data if isinstance(thing, Secret) else {}
    for key in sorted(key for key in (thing.binary_data if need.key else whole) if need.key in ("", key)):
        message = f"the value of {key} in {need.ref} is binary; a variable can hold text only"
        fix = f"read it from a volume, or store text in {found.place}"
        yield Finding(need.key_at, Code.NOT_TEXT, message, fix)


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
