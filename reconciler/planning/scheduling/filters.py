"""Why a node cannot have a pod, in words. First match wins; a node that none of these turns away can.

Rules: https://kubernetes.io/docs/concepts/scheduling-eviction/
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from reconciler.model.api.core.node import node_labels
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import ClaimRecord
from reconciler.model.names import Ref
from reconciler.planning.controllers.pod import host_ports
from reconciler.planning.resource_requests import Demand
from reconciler.planning.scheduling.node_info import Room
from reconciler.planning.scheduling.taints import untolerated
from reconciler.planning.state.nodes import NodeView

_MIB = 1024 * 1024


def refusal(spec: PodSpec, node: NodeView) -> str:
    """What holds whatever else is on the node; empty where nothing does."""
    return _first(_OF_THE_NODE, spec, node)


def away_from_data(bound: Mapping[Ref, ClaimRecord], node: NodeView, nodes: Mapping[str, NodeView]) -> str:
    """Where else the data of the pod's claims is; empty where it is here, or nowhere yet."""
    for ref, record in bound.items():
        if record.node != node.name:
            home = nodes.get(record.node)
            where = f"its claim {ref.name} has its data on {record.node}"
            if home is None:
                return f"{where}, which is not in this revision"
            return f"{where}, which is unreachable" if home.silent else where
    return ""


def shortage(spec: PodSpec, demand: Demand, room: Room) -> str:
    """What is missing on the node as it is filled now; empty where nothing is."""
    if demand.cpu_milli > room.cpu_free:
        return f"needs {demand.cpu_milli}m CPU, {max(0, room.cpu_free)}m free of {room.cpu_milli}m"
    if demand.memory_bytes > room.memory_free:
        free, whole = max(0, room.memory_free) // _MIB, room.memory_bytes // _MIB
        return f"needs {-(-demand.memory_bytes // _MIB)}Mi memory, {free}Mi free of {whole}Mi"
    for port in host_ports(spec):
        if port in room.ports:
            return f"host port {port} is taken by {room.ports[port]}"
    return ""


def no_address(room: Room) -> str:
    """Why the node has no address for one more pod."""
    cidr = room.node.record.pod_cidr
    return f"no address left in its pod CIDR {cidr}" if cidr else "no pod CIDR is left for it in the cluster's"


def _first(rules: "Sequence[Rule]", spec: PodSpec, node: NodeView) -> str:
    return next((reason for rule in rules if (reason := rule(spec, node))), "")


def _other_name(spec: PodSpec, node: NodeView) -> str:
    return f"the pod names node {spec.node_name}" if spec.node_name not in ("", node.name) else ""


def _silent(spec: PodSpec, node: NodeView) -> str:
    if node.silent is None:
        return ""
    return f"{'refused' if node.silent.refused else 'unreachable'}: {node.silent.why}"


def _unconnected(spec: PodSpec, node: NodeView) -> str:
    network = node.answers.network if node.answers else None
    return f"its pod network is not set up: {network.error}" if network and network.error else ""


def _cordoned(spec: PodSpec, node: NodeView) -> str:
    return "cordoned (spec.unschedulable)" if node.manifest.spec.unschedulable else ""


def _tainted(spec: PodSpec, node: NodeView) -> str:
    return untolerated(spec, node.manifest)


def _unselected(spec: PodSpec, node: NodeView) -> str:
    labels = node_labels(node.manifest)
    for key, value in spec.node_selector.items():
        if labels.get(key) != value:
            return f"nodeSelector {key}={value} does not match" + (f" ({labels[key]})" if key in labels else "")
    return ""


Rule: TypeAlias = Callable[[PodSpec, NodeView], str]
_OF_THE_NODE: Final[tuple[Rule, ...]] = (_other_name, _silent, _unconnected, _cordoned, _tainted, _unselected)
