"""Kinds that people know from elsewhere and that are not read here, with what to do instead."""

from typing import Final

from reconciler.model.names import GROUP

_NO_API: Final = "leave it out: there is no API server that pods could ask; who may commit, may change the cluster"
_NO_CLASSES: Final = "leave it out, and write a PersistentVolumeClaim: each is a Docker volume on one node"
_NO_SCALING: Final = "leave it out, and set the Deployment's replicas"
INSTEAD: Final = {
    "DaemonSet": "write a Pod with its nodeName for each Node",
    "ReplicaSet": "write a Deployment",
    "ReplicationController": "write a Deployment",
    "Job": "write a Pod with restartPolicy: OnFailure, or Never",
    "CronJob": "nothing here starts at set times: write a Deployment of a program that keeps the time itself",
    "Endpoints": "write an EndpointSlice (discovery.k8s.io/v1) with the label kubernetes.io/service-name",
    "IngressClass": "leave it out: an Ingress of the class reconciler or haproxy, or of none, is served",
    "Gateway": "write an Ingress",
    "HTTPRoute": "write an Ingress",
    "Certificate": f'annotate the Ingress with {GROUP}/acme: "true"',
    "Issuer": "name the server in the Cluster's spec.acme",
    "ClusterIssuer": "name the server in the Cluster's spec.acme",
    "ServiceAccount": _NO_API,
    "Role": _NO_API,
    "RoleBinding": _NO_API,
    "ClusterRole": _NO_API,
    "ClusterRoleBinding": _NO_API,
    "APIService": _NO_API,
    "MutatingWebhookConfiguration": _NO_API,
    "ValidatingWebhookConfiguration": _NO_API,
    "ValidatingAdmissionPolicy": _NO_API,
    "CustomResourceDefinition": "leave it out: objects of further kinds are not read here",
    "PersistentVolume": "leave it out: a claim is a Docker volume, and a pod's volume may be hostPath or nfs",
    "StorageClass": _NO_CLASSES,
    "VolumeSnapshotClass": _NO_CLASSES,
    "HorizontalPodAutoscaler": _NO_SCALING,
    "VerticalPodAutoscaler": "leave it out, and set each container's resources",
    "PodDisruptionBudget": "leave it out: a Deployment's maxUnavailable holds while a node is drained, too",
    "LimitRange": "leave it out, and set each container's resources",
    "ResourceQuota": "leave it out: what a namespace may use is not limited here",
    "PriorityClass": "leave it out: all pods have the same priority",
    "RuntimeClass": "leave it out: containers run with the host's default runtime",
    "PodSecurityPolicy": "leave it out: what pods may do is in the Cluster's spec.podSecurity",
    "Kustomization": "commit what `kustomize build` prints",
}
"""What to write instead, by the kind's name, whatever its apiVersion."""
