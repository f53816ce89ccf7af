"""Ingresses that lead to pods which no NetworkPolicy opens to what serves them. A warning: it may be meant.

Neither ports nor addresses are looked at: who opens some of them has thought of it, and where the hosts are may be
known by their names alone. A running master tells of those, too.
"""

from collections.abc import Iterator
from typing import Any, Final

from reconciler.manifests.across.index import Index
from reconciler.manifests.admission import Located, RevisionCheck
from reconciler.manifests.checks.ingresses import backends_of
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import warning
from reconciler.manifests.manifest import Manifest
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import matches
from reconciler.model.api.networking import Ingress, NetworkPolicy, NetworkPolicyPeer
from reconciler.model.ingress import is_served_here
from reconciler.model.names import Ref
from reconciler.model.policies import INGRESS_LABELS, INGRESS_NAMESPACE, NAMESPACE_LABEL, governs_ingress


def _concerns_reach(manifest: Manifest[Any], index: Index) -> bool:
    object = manifest.object
    if not (index.of(NetworkPolicy) or isinstance(object, NetworkPolicy)):
        return False
    kinds = NetworkPolicy | Ingress | Service | Namespace | Cluster
    return manifest.relations.template is not None or isinstance(object, kinds)


def _check_reach(index: Index) -> Iterator[Located]:
    if not index.of(NetworkPolicy) or not index.of(Ingress):
        return
    clusters = (manifest.object for manifest in index.of(Cluster).values())
    if any(cluster.spec.network.isolate_namespaces for cluster in clusters):
        return  # Then every pod is open to the outside of the pod network.
    reach = _Reach(index)
    for ref, manifest in index.of(Ingress).items():
        if not is_served_here(manifest.object):
            continue
        for backend, at in backends_of(manifest.object.spec):
            service = index.of(Service).get(Ref("Service", ref.namespace, backend.name))
            pods = index.carriers(service.relations.selector) if service is not None else ()
            shut = sorted(pod.ref for pod in pods if pod.relations.template is not None and reach.is_shut(pod))
            if shut:
                message = f"the pods of {shut[0]} are isolated, and no NetworkPolicy opens them to the Ingresses"
                fix = f"allow the namespace with {NAMESPACE_LABEL}: {INGRESS_NAMESPACE} in one, or leave it"
                yield manifest, warning((*at, "name"), Code.NOT_REACHED, message, fix)


INGRESS_REACH: Final = RevisionCheck(_concerns_reach, _check_reach)


class _Reach:
    def __init__(self, index: Index) -> None:
        self._policies = [manifest.object for manifest in index.of(NetworkPolicy).values()]
        own = index.of(Namespace).get(Ref("Namespace", "", INGRESS_NAMESPACE))
        labels = own.object.metadata.labels if own is not None else {}
        self._labels = {**labels, NAMESPACE_LABEL: INGRESS_NAMESPACE}

    def is_shut(self, pod: Manifest[Any]) -> bool:
        labels = {key: value for _, key, value in pod.relations.labels}
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
