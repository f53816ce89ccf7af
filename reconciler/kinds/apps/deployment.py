"""A Deployment: so many pods of one template, replaced a few at a time when the template changes."""

from reconciler.kinds.apps.deployment_admission import DEPLOYMENT_ADMISSION
from reconciler.kinds.apps.deployment_status import deployment_status
from reconciler.kinds.apps.deployment_view import DEPLOYMENT_VIEW
from reconciler.kinds.apps.replica_sets import replica_set_of
from reconciler.kinds.apps.rollout import least_available, reconcile
from reconciler.kinds.kind import Kind
from reconciler.model.api.apps import Deployment
from reconciler.model.kinds import Names
from reconciler.planning.workload import RevisionHistory, Workload

DEPLOYMENT = Kind(
    names=Names(
        kind="Deployment", plural="deployments", group="apps", short=("deploy",), subresources=("status",)
    ),
    type=Deployment,
    admission=DEPLOYMENT_ADMISSION,
    workload=Workload(
        type=Deployment,
        reconcile=reconcile,
        least_available=least_available,
        status=deployment_status,
        pod_owner=replica_set_of,
        min_ready_seconds=lambda deployment: deployment.spec.min_ready_seconds,
        history=RevisionHistory(
            limit=lambda deployment: deployment.spec.revision_history_limit,
            takes_up=lambda deployment: not deployment.spec.paused,
        ),
    ),
    view=DEPLOYMENT_VIEW,
)
