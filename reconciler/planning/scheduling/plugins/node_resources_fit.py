"""NodeResourcesFit: a node has the CPU and the memory that a pod requests, and the one with the most left is best.

Rule: https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/ (LeastAllocated)
"""

from typing import Final

from reconciler.model.resource_requests import Requests
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Filter, Plugin, Score
from reconciler.planning.scheduling.node_info import NodeInfo, Siblings
from reconciler.planning.state.pod_info import pod_info_of

_MIB: Final = 1024 * 1024


def _requests(pod: PodToCreate, cycle: CycleState) -> Requests:
    return pod_info_of(pod.spec).requests


def _why(requests: Requests, node: NodeInfo) -> str:
    cpu, memory = requests
    if cpu > node.cpu_free:
        return f"needs {cpu}m CPU, {max(0, node.cpu_free)}m free of {node.allocatable.cpu_milli}m"
    if memory > node.memory_free:
        free, whole = max(0, node.memory_free) // _MIB, node.allocatable.memory_bytes // _MIB
        return f"needs {-(-memory // _MIB)}Mi memory, {free}Mi free of {whole}Mi"
    return ""


def _load_with(requests: Requests, node: NodeInfo) -> int:
    return node.load + node.share_of(requests)


def _without_predecessors(siblings: Siblings) -> int:
    """Leave out what will give way to this very template, as what leaves is left out: when it goes is a matter of
    timing, and a rollout must end on the nodes that its forecast named."""
    return -siblings.other_load


NODE_RESOURCES_FIT = Plugin(
    "NodeResourcesFit",
    _requests,
    filter=Filter(_why, fills=True),
    score=Score("it has the most room", _load_with, _without_predecessors, fills=True),
)
