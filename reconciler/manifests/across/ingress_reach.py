"""Ingresses that lead to pods which no NetworkPolicy opens to what serves them. A warning: it may be meant.

Neither ports nor addresses are looked at: who opens some of them has thought of it, and where the hosts are may be
known by their names alone. A running master tells of those, too.
"""

from collections.abc import Iterator

from reconciler.manifests.across.index import Index, Located
from reconciler.manifests.checks.ingresses import backends_of
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import warning
from reconciler.manifests.reading.file_reader import Entry
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.meta import matches
from reconciler.model.api.networking import Ingress, NetworkPolicy, NetworkPolicyPeer
from reconciler.model.ingress import is_served_here
from reconciler.model.names import Ref
from reconciler.model.policies import INGRESS_LABELS, INGRESS_NAMESPACE, NAMESPACE_LABEL, governs_ingress


def concerns_reach(entry: Entry, index: Index) -> bool:
    """Whether the check here may find something else with it, or without."""
    if not (index.by_kind["NetworkPolicy"] or entry.ref.kind == "NetworkPolicy"):
        return False
    kinds = ("NetworkPolicy", "Ingress", "Service", "Namespace", "Cluster")
    return entry.uses.spec is not None or entry.ref.kind in kinds


def check_ingress_reach(index: Index) -> Iterator[Located]:
    if not (index.by_kind["NetworkPolicy"] and index.by_kind["Ingress"]):
        return
    clusters = (entry.thing for entry in index.by_kind["Cluster"].values())
    if any(isinstance(cluster, Cluster) and cluster.spec.network.isolate_namespaces for cluster in clusters):
        return  # Then every pod is open to the outside of the pod network.
    reach = _Reach(index)
    for ref, entry in index.by_kind["Ingress"].items():
        if not isinstance(entry.thing, Ingress) or not is_served_here(entry.thing):
            continue
        for backend, at in backends_of(entry.thing.spec):
            service = index.objects.get(Ref("Service", ref.namespace, backend.name))
            pods = index.carriers(service.uses.selector) if service is not None else ()
            shut = sorted(pod.ref for pod in pods if pod.uses.spec is not None and reach.is_shut(pod))
            if shut:
                message = f"the pods of {shut[0]} are isolated, and no NetworkPolicy opens them to the Ingresses"
                fix = f"allow the namespace with {NAMESPACE_LABEL}: {INGRESS_NAMESPACE} in one, or leave it"
                yield entry, warning((*at, "name"), Code.NOT_REACHED, message, fix)


class _Reach:
    def __init__(self, index: Index) -> None:
        things = [entry.thing for entry in index.by_kind["NetworkPolicy"].values()]
        self._policies = [thing for thing in things if isinstance(thing, NetworkPolicy)]
        own = index.objects.get(Ref("Namespace", "", INGRESS_NAMESPACE))
        labels = own.thing.metadata.labels if own is not None and isinstance(own.thing, Namespace) else {}
        self._labels = {**labels, NAMESPACE_LABEL: INGRESS_NAMESPACE}

    def is_shut(self, pod: Entry) -> bool:
        labels = {key: value for _, key, value in pod.uses.labels}
        namespace = pod.ref.namespace
        chosen = [
            policy
            for policy in self._policies
            if policy.metadata.namespace == namespace
            and governs_ingress(policy.spec)
            and matches(policy.spec.pod_selector, labels)
        ]
        rules = [rule for policy in chosen for rule in policy.spec.ingress]
        admits = any(
            not rule.peers or any(self._is_meant(peer, namespace) for peer in rule.peers) for rule in rules
        )
        return bool(chosen) and not admits

    def _is_meant(self, peer: NetworkPolicyPeer, namespace: str) -> bool:
        if peer.ip_block is not None:
            return True
        if peer.namespace_selector is None:
            if namespace != INGRESS_NAMESPACE:
                return False
        elif not matches(peer.namespace_selector, self._labels):
            return False
        return peer.pod_selector is None or matches(peer.pod_selector, INGRESS_LABELS)
