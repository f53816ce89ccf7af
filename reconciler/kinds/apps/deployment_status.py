"""How a Deployment stands, as Kubernetes' own status."""

from typing import Final

from msgspec.structs import replace

from reconciler.kinds.apps.replica_sets import newest_revision, replica_sets
from reconciler.kinds.apps.rollout import least_available
from reconciler.model.api.apps import ANNOTATION_REVISION, Deployment, DeploymentStatus
from reconciler.model.api.meta import Condition, ObjectMeta
from reconciler.planning.status.troubles import troubles
from reconciler.planning.workload import Standing, WorkloadStatus

_ROLLED_OUT: Final = Condition("Progressing", "True", "NewReplicaSetAvailable")
_ROLLING_OUT: Final = Condition("Progressing", "True", "ReplicaSetUpdated")
_PAUSED: Final = Condition("Progressing", "Unknown", "DeploymentPaused")


def deployment_status(standing: Standing[Deployment]) -> WorkloadStatus:
    """Count the pods of a Deployment; the message names what keeps one from being available."""
    owned, staying = standing.owned, standing.owned.staying
    available = [standing.availability.of(pod) for pod in staying]
    waiting = [pod for pod, is_available in zip(staying, available, strict=True) if not is_available]
    message = troubles(standing.unplaced, waiting, standing.pods)
    counts = DeploymentStatus(
        replicas=len(staying),
        updated_replicas=sum([pod.intent.hash == owned.template.hash for pod in staying]),
        ready_replicas=sum([pod.ready for pod in staying]),
        available_replicas=sum(available),
        unavailable_replicas=max(0, len(staying) - sum(available)),
    )
    counted = replace(owned.object, status=counts)
    conditions = (_available(counted, message), _progressing(counted))
    stands = replace(counted, metadata=_with_revision(standing), status=replace(counts, conditions=conditions))
    ready = {pod.uid for pod, is_available in zip(staying, available, strict=True) if is_available}
    return WorkloadStatus(stands, stands.is_rolled_out, replica_sets(standing, ready))


def _with_revision(standing: Standing[Deployment]) -> ObjectMeta:
    """As upstream, with the number of the newest ReplicaSet; one that is paused from the beginning has none."""
    metadata = standing.owned.object.metadata
    number = newest_revision(standing)
    if not number:
        return metadata
    return replace(metadata, annotations={**metadata.annotations, ANNOTATION_REVISION: str(number)})


def _available(deployment: Deployment, message: str) -> Condition:
    """As upstream: as many pods are available as a rollout keeps, or all of them where it keeps none."""
    recreates = deployment.spec.strategy.type == "Recreate"
    floor = deployment.spec.replicas if recreates else least_available(deployment)
    if deployment.status.available_replicas >= floor:
        return Condition("Available", "True", "MinimumReplicasAvailable", message)
    return Condition("Available", "False", "MinimumReplicasUnavailable", message)


def _progressing(deployment: Deployment) -> Condition:
    if deployment.is_rolled_out:
        return _ROLLED_OUT
    return _PAUSED if deployment.spec.paused else _ROLLING_OUT
