"""The kinds of objects, one room each; the engines below take what they need of each as an argument.

A room fills a `Kind`: the names, the type, and the facets that the engines define.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.kinds.apps.deployment import DEPLOYMENT
from reconciler.kinds.apps.replica_set import REPLICA_SET
from reconciler.kinds.apps.stateful_set import STATEFUL_SET
from reconciler.kinds.cluster.cluster import CLUSTER
from reconciler.kinds.core.config_map import CONFIG_MAP
from reconciler.kinds.core.endpoints import ENDPOINTS
from reconciler.kinds.core.event import EVENT
from reconciler.kinds.core.namespace import NAMESPACE
from reconciler.kinds.core.node import NODE
from reconciler.kinds.core.persistent_volume_claim import PERSISTENT_VOLUME_CLAIM
from reconciler.kinds.core.pod import POD
from reconciler.kinds.core.secret import SECRET
from reconciler.kinds.core.service import SERVICE
from reconciler.kinds.discovery.endpoint_slice import ENDPOINT_SLICE
from reconciler.kinds.kind import Kind
from reconciler.kinds.networking.ingress import INGRESS
from reconciler.kinds.networking.network_policy import NETWORK_POLICY
from reconciler.kinds.unsupported import INSTEAD
from reconciler.manifests.admission import AdmittedKinds, admitted_kinds
from reconciler.planning.controller import Controllers
from reconciler.planning.diff import Comparisons
from reconciler.planning.workload import Workloads

KINDS: Final[Sequence[Kind[Any]]] = (
    POD,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    SERVICE,
    INGRESS,
    NODE,
    CONFIG_MAP,
    SECRET,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    ENDPOINTS,
    ENDPOINT_SLICE,
    NETWORK_POLICY,
    CLUSTER,
    EVENT,
)
"""Every kind, in the order in which help and errors name them."""

ADMITTED: Final[AdmittedKinds] = admitted_kinds(
    ((kind.names, kind.admission) for kind in KINDS if kind.admission is not None), INSTEAD
)
"""The kinds that manifests may hold, for the loader."""

WORKLOADS: Final[Workloads] = {kind.names.kind: kind.workload for kind in KINDS if kind.workload is not None}
"""The kinds of objects that pods exist for, as planning takes them."""

CONTROLLERS: Final[Controllers] = tuple(kind.controller for kind in KINDS if kind.controller is not None)
"""The controllers of the kinds that no pods exist for, as planning takes them."""

KIND_BY_NAME: Final[Mapping[str, Kind[Any]]] = {kind.names.kind: kind for kind in KINDS}
"""Every kind under its name in CamelCase."""

COMPARISONS: Final[Comparisons] = {
    kind.names.kind: kind.comparison for kind in KINDS if kind.comparison is not None
}
"""How the changes of each kind are told, as planning takes it."""

__all__ = ["ADMITTED", "COMPARISONS", "CONTROLLERS", "KINDS", "KIND_BY_NAME", "Kind", "WORKLOADS"]
