"""PodAddress: a node has an address left for the pod. A rule of our own: upstream finds out on the node."""

from reconciler.planning.allocation.pod_ips import PodAddresses
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import CycleState, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo


def _of_its_own(pod: PodToCreate, cycle: CycleState) -> bool | None:
    return None if pod.spec.host_network else True


def _why(of_its_own: bool, info: NodeInfo, addresses: PodAddresses) -> str:
    if addresses.peek() is not None:
        return ""
    cidr = info.node.record.pod_cidr
    return f"no address left in its pod CIDR {cidr}" if cidr else "no pod CIDR is left for it in the cluster's"


POD_ADDRESS = Plugin("PodAddress", _of_its_own, reserve=_why)
