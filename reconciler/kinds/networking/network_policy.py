"""A NetworkPolicy: what traffic the pods that it selects may have."""

from reconciler.kinds.kind import Kind
from reconciler.model.api.networking import NetworkPolicy
from reconciler.model.kinds import Names

NETWORK_POLICY = Kind(
    names=Names(kind="NetworkPolicy", plural="networkpolicies", group="networking.k8s.io", short=("netpol",)),
    type=NetworkPolicy,
)
