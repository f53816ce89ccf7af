"""NodeAffinity: a pod with a nodeSelector goes to nodes with these labels.

Rule: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodeselector
"""

from typing import TypeAlias

from reconciler.model.api.core.node import node_labels
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Filter, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo

_Selector: TypeAlias = tuple[tuple[str, str], ...]


def _selector(pod: PodToCreate, cycle: CycleState) -> _Selector | None:
    return tuple(pod.spec.node_selector.items()) or None


def _why(selector: _Selector, info: NodeInfo) -> str:
    labels = node_labels(info.node.manifest)
    for key, value in selector:
        if labels.get(key) != value:
            return f"nodeSelector {key}={value} does not match" + (f" ({labels[key]})" if key in labels else "")
    return ""


NODE_AFFINITY = Plugin("NodeAffinity", _selector, filter=Filter(_why))
