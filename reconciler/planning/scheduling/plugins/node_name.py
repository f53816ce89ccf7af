"""NodeName: a pod that names its node goes nowhere else.

Rule: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename
"""

from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import Candidates, CycleState, Filter, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo


def _name(pod: PodToCreate, cycle: CycleState) -> str | None:
    return pod.spec.node_name or None


def _candidates(name: str) -> Candidates:
    return Candidates(frozenset([name]), "the pod names it")


def _why(name: str, node: NodeInfo) -> str:
    return f"the pod names node {name}" if name != node.name else ""


NODE_NAME = Plugin("NodeName", _name, candidates=_candidates, filter=Filter(_why))
