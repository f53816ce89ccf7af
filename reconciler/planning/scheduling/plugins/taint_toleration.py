"""TaintToleration: a taint that a pod does not tolerate keeps it off the node, or makes the node the last choice.

Rule: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from typing import TypeAlias

from reconciler.model.api.core.pod import Toleration
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Filter, Plugin, Score
from reconciler.planning.scheduling.node_info import NodeInfo
from reconciler.planning.scheduling.taints import avoided, untolerated

_Tolerations: TypeAlias = tuple[Toleration, ...]


def _tolerations(pod: PodToCreate, cycle: CycleState) -> _Tolerations:
    return pod.spec.tolerations


def _why(tolerations: _Tolerations, info: NodeInfo) -> str:
    return untolerated(tolerations, info.node.manifest)


def _avoided(tolerations: _Tolerations, info: NodeInfo) -> int:
    return avoided(tolerations, info.node.manifest)


TAINT_TOLERATION = Plugin(
    "TaintToleration",
    _tolerations,
    filter=Filter(_why),
    score=Score("the others have a taint that it would rather avoid", _avoided),
)
