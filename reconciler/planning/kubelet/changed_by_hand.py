"""What somebody changed of a pod's containers with Docker's own commands, and how it is put back: the pod's place
on the network, and what a container may use. For state/pods.py and kubelet/sync_pod.py."""

from collections.abc import Iterable, Sequence

from reconciler.model.limits import ContainerLimits, can_be_put_back
from reconciler.model.memory import PodIntent
from reconciler.model.names import POD_NETWORK
from reconciler.model.observed import ObservedContainer
from reconciler.model.operations import ConnectPod, Operation, RemoveContainer, SetLimits
from reconciler.planning.kubelet.termination import hooks_of, stop
from reconciler.planning.state.pod_containers import Containers
from reconciler.planning.state.pod_info import PodInfo


def is_detached(containers: Containers, shape: PodInfo, intent: PodIntent) -> bool:
    """The pod's address is not where it should be: its container, or its sandbox, has another or none.

    One that does not run has no place on any network until it does."""
    found = containers.get(shape.addressed) if shape.addressed and intent.ip else None
    return found is not None and found.state == "running" and found.inspected and found.ip != intent.ip


def is_limited_otherwise(found: ObservedContainer, shape: PodInfo, pids: int) -> bool:
    """`pids`: how many processes a container may have."""
    wanted = shape.limits.get(found.container)
    if found.limits is None or wanted is None:
        return False
    return found.limits != wanted or found.pids_limit != pids


def put_back(
    containers: Containers, shape: PodInfo, intent: PodIntent, pids: int
) -> tuple[Sequence[Operation], str]:
    """The operations, and what is wrong in words; of a pod that runs."""
    operations: list[Operation] = []
    wrong: list[str] = []
    if is_detached(containers, shape, intent):
        operations.append(attachment(containers[shape.addressed], intent))
        wrong.append(not_attached(containers[shape.addressed], intent))
    for found in containers.values():
        if is_limited_otherwise(found, shape, pids):
            operations += _relimited(found, shape.limits[found.container], intent, pids)
            wrong.append(f"the limits of container {found.container} are not its manifest's")
    return operations, ", and ".join(wrong)


def attachment(found: ObservedContainer, intent: PodIntent) -> Operation:
    return ConnectPod(found.name, intent.ip)


def not_attached(found: ObservedContainer, intent: PodIntent) -> str:
    there = f"is attached to it as {found.ip}" if found.ip else "is not attached to it"
    return f"container {found.container} has its place on the network {POD_NETWORK} as {intent.ip}, and {there}"


def _relimited(
    found: ObservedContainer, wanted: ContainerLimits, intent: PodIntent, pids: int
) -> Iterable[Operation]:
    """What cannot be put back in a container that runs is put back with another one, as the next look has it."""
    assert found.limits is not None
    if can_be_put_back(found.limits, wanted):
        return (SetLimits(found.name, wanted, pids),)
    grace = intent.spec.termination_grace_period_seconds if intent.spec else 0
    return *stop([found], hooks_of(intent), grace), RemoveContainer(found.name, intent.uid)
