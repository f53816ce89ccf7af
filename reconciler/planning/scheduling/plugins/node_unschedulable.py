"""NodeUnschedulable: a cordoned node gets no new pods.

Rule: https://kubernetes.io/docs/concepts/nodes/node/#manual-node-administration
"""

from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Filter, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo


def _always(pod: PodToCreate, cycle: CycleState) -> bool:
    return True


def _why(always: bool, info: NodeInfo) -> str:
    return "cordoned (spec.unschedulable)" if info.node.manifest.spec.unschedulable else ""


NODE_UNSCHEDULABLE = Plugin("NodeUnschedulable", _always, filter=Filter(_why))
