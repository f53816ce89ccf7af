"""PodIdentity: a pod that may run where nobody can look is not made a second time. A rule of our own.

A state that begins among hosts that have pods already knows nothing of a host that does not answer then. What a
lost node may have is replaced, but for pods that are one of a kind.
"""

from reconciler.model.plan import Action
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import Candidates, CycleState, Filter, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo


def _may_run_on(pod: PodToCreate, cycle: CycleState) -> str | None:
    """Name the node that may have the pod; None: there is none."""
    if pod.action is not Action.CREATE:
        return None
    return next((node.name for node in cycle.hidden if pod.name or not node.lost), None)


def _why(hidden: str, node: NodeInfo) -> str:
    return (
        f"it may run on {hidden}, which has not been seen since the state was lost; "
        "make the host answer, or remove its Node"
    )


def _nowhere(hidden: str) -> Candidates:
    return Candidates(frozenset())


POD_IDENTITY = Plugin("PodIdentity", _may_run_on, candidates=_nowhere, filter=Filter(_why))
