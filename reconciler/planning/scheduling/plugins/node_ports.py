"""NodePorts: a host port has one owner on each node.

Rule: https://kubernetes.io/docs/concepts/configuration/overview/#services (hostPort)
"""

from typing import TypeAlias

from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Filter, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo
from reconciler.planning.state.pod_info import pod_info_of

_HostPorts: TypeAlias = tuple[int, ...]


def _ports(pod: PodToCreate, cycle: CycleState) -> _HostPorts | None:
    return pod_info_of(pod.spec).host_ports or None


def _why(ports: _HostPorts, node: NodeInfo) -> str:
    return next((f"host port {port} is taken by {node.ports[port]}" for port in ports if port in node.ports), "")


NODE_PORTS = Plugin("NodePorts", _ports, filter=Filter(_why, fills=True))
