"""NodeReady: a node that does not answer, or has no pod network, gets no new pods.

Upstream's node controller says the same by taints (`node.kubernetes.io/unreachable`, `…/network-unavailable`).
"""

from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Filter, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo


def _always(pod: PodToCreate, cycle: CycleState) -> bool:
    return True


def _why(always: bool, info: NodeInfo) -> str:
    silent, answers = info.node.silent, info.node.answers
    if silent is not None:
        return f"{'refused' if silent.refused else 'unreachable'}: {silent.why}"
    if answers is not None and answers.network.error:
        return f"its pod network is not set up: {answers.network.error}"
    return ""


NODE_READY = Plugin("NodeReady", _always, filter=Filter(_why))
