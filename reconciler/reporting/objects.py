"""Statuses as Kubernetes objects: what `reconciler get -o json|yaml` prints, for jq and for habits.

Field names and places are upstream's; a field that we know nothing of is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
from reconciler.reporting.pod_objects import pod_object
from reconciler.reporting.service_objects import service_object

LEADER = "reconciler.dev/leader"
LEASE_EPOCH = "reconciler.dev/lease-epoch"
"""Annotations of a Node: who has the lease on the host, and with which epoch."""

_Object = dict[str, Any]


_SECRET_FIELDS = ("data", "stringData")


def object_list(objects: Sequence[_Object]) -> _Object:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def manifest_object(manifest: Mapping[str, Any]) -> _Object:
    """An object that has no status, as it was written; of a Secret, that there are values, and nothing of them."""
    shown = dict(manifest)
    if shown.get("kind") == "Secret":
        for field in _SECRET_FIELDS:
            if isinstance(values := shown.get(field), dict):
                shown[field] = dict.fromkeys(values, "***")
    return shown


def status_object(status: Status, manifest: Mapping[str, Any] | None = None) -> _Object:
    """How an object stands; with the manifest it follows from, what that asks for, too."""
    shown = _standing(status, manifest or {})
    if manifest is None:
        return shown
    merged = {field: {**manifest.get(field, {}), **shown.get(field, {})} for field in ("metadata", "spec")}
    return {**manifest, **shown, **merged}


def _standing(status: Status, manifest: Mapping[str, Any]) -> _Object:
    match status:
        case PodStatus():
            return pod_object(status)
        case DeploymentStatus():
            return _deployment(status)
        case NodeStatus():
            return _node(status)
        case ServiceStatus():
            return service_object(status, manifest.get("spec", {}).get("ports", ()))
        case IngressStatus():
            return _ingress(status)
        case ClaimStatus():
            return _claim(status)


def _deployment(deployment: DeploymentStatus) -> _Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(deployment.ref),
        "spec": {"replicas": deployment.replicas},
        "status": {
            "replicas": deployment.total,
            "updatedReplicas": deployment.updated,
            "readyReplicas": deployment.ready,
            "availableReplicas": deployment.available,
            "conditions": [
                _condition("Available", deployment.available >= deployment.replicas, deployment.message)
            ],
        },
    }


def _node(node: NodeStatus) -> _Object:
    lease = {LEADER: node.leader, LEASE_EPOCH: str(node.lease_epoch)} if node.leader else {}
    capacity = {"cpu": f"{node.cpu_milli}m", "memory": str(node.memory_bytes)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _metadata(node.ref) | ({"annotations": lease} if lease else {}),
        "spec": {**_known({"podCIDR": node.pod_cidr}), "unschedulable": node.unschedulable},
        "status": {
            **({"capacity": capacity} if node.cpu_milli or node.memory_bytes else {}),
            "conditions": [_condition("Ready", node.ready, node.message)],
            "nodeInfo": _known(
                {"containerRuntimeVersion": node.engine_version and f"docker://{node.engine_version}"}
            ),
        },
    }


def _ingress(ingress: IngressStatus) -> _Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": _metadata(ingress.ref),
        "spec": _known({"ingressClassName": ingress.class_name}),
        "status": {
            "loadBalancer": {"ingress": [{"ip": address} for address in ingress.addresses]},
            **_known({"message": ingress.message}),
        },
    }


def _claim(claim: ClaimStatus) -> _Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(claim.ref),
        "spec": _known({"volumeName": claim.volume}),
        "status": {"phase": claim.phase, **_known({"nodeName": claim.node, "message": claim.message})},
    }


def _metadata(ref: Ref) -> _Object:
    return _known({"name": ref.name, "namespace": ref.namespace})


def _condition(kind: str, holds: bool, message: str = "") -> _Object:
    return {"type": kind, "status": "True" if holds else "False", **_known({"message": message})}


def _known(texts: dict[str, str]) -> _Object:
    return {key: text for key, text in texts.items() if text}
