"""How a StatefulSet stands, as Kubernetes' own status."""

from msgspec.structs import replace

from reconciler.kinds.apps.stateful_set_pods import revision_name
from reconciler.kinds.apps.stateful_set_rollout import current_template, is_settled
from reconciler.model.api.apps import StatefulSet, StatefulSetStatus
from reconciler.model.api.meta import Condition
from reconciler.planning.status.troubles import troubles
from reconciler.planning.workload import Standing, WorkloadStatus


def stateful_set_status(standing: Standing[StatefulSet]) -> WorkloadStatus:
    """Count the pods of a StatefulSet; the message names what keeps one from being available."""
    owned, staying = standing.owned, standing.owned.staying
    available = [standing.availability.of(pod) for pod in staying]
    waiting = [pod for pod, is_available in zip(staying, available, strict=True) if not is_available]
    wanted, template = owned.object, owned.template
    current = template if is_settled(wanted, template, staying) else current_template(owned)
    status = StatefulSetStatus(
        replicas=len(staying),
        ready_replicas=sum([pod.ready for pod in staying]),
        current_replicas=sum([pod.intent.hash == current.hash for pod in staying]),
        updated_replicas=sum([pod.intent.hash == template.hash for pod in staying]),
        available_replicas=sum(available),
        current_revision=revision_name(wanted, current.hash),
        update_revision=revision_name(wanted, template.hash),
        conditions=(_available(wanted, sum(available), troubles(standing.unplaced, waiting, standing.pods)),),
    )
    stands = replace(wanted, status=status)
    return WorkloadStatus(stands, stands.is_rolled_out)


def _available(wanted: StatefulSet, available: int, message: str) -> Condition:
    if available >= wanted.spec.replicas:
        return Condition("Available", "True", "AllReplicasAvailable", message)
    return Condition("Available", "False", "ReplicasUnavailable", message)
