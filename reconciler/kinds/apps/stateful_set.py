"""A StatefulSet: pods that are one of a kind each, with names, claims and an order that stay."""

from reconciler.kinds.apps.stateful_set_admission import STATEFUL_SET_ADMISSION
from reconciler.kinds.apps.stateful_set_pods import owner_of_pods, pod_names, template_of_pod
from reconciler.kinds.apps.stateful_set_rollout import is_settled, least_available, reconcile
from reconciler.kinds.apps.stateful_set_status import stateful_set_status
from reconciler.kinds.apps.stateful_set_view import STATEFUL_SET_VIEW
from reconciler.kinds.kind import Kind
from reconciler.model.api.apps import StatefulSet
from reconciler.model.kinds import Names
from reconciler.planning.state.pod_templates import PodIdentity
from reconciler.planning.workload import RevisionHistory, Workload

STATEFUL_SET = Kind(
    names=Names(kind="StatefulSet", plural="statefulsets", group="apps", short=("sts",), subresources=("status",)),
    type=StatefulSet,
    admission=STATEFUL_SET_ADMISSION,
    workload=Workload(
        type=StatefulSet,
        reconcile=reconcile,
        least_available=least_available,
        status=stateful_set_status,
        pod_owner=owner_of_pods,
        min_ready_seconds=lambda wanted: wanted.spec.min_ready_seconds,
        identity=PodIdentity(pod_names, template_of_pod),
        history=RevisionHistory(limit=lambda wanted: wanted.spec.revision_history_limit, is_settled=is_settled),
    ),
    view=STATEFUL_SET_VIEW,
)
