"""PodTopologySpread: the pods of one template are spread over the nodes.

Upstream's default for every workload, by host name:
https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints
"""

from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Plugin, Score
from reconciler.planning.scheduling.node_info import Siblings


def _always(pod: PodToCreate, cycle: CycleState) -> bool:
    return True


def _of_template(siblings: Siblings) -> int:
    return siblings.of_template


POD_TOPOLOGY_SPREAD = Plugin(
    "PodTopologySpread",
    _always,
    score=Score("it has the fewest pods of this template", siblings=_of_template),
)
