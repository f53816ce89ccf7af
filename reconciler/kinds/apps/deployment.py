"""A Deployment: so many pods of one template, replaced a few at a time when the template changes."""

from reconciler.kinds.apps.deployment_admission import DEPLOYMENT_ADMISSION
from reconciler.kinds.apps.deployment_view import DEPLOYMENT_VIEW
from reconciler.kinds.apps.rollout import ROLLOUT
from reconciler.kinds.kind import Kind
from reconciler.model.api.apps import Deployment
from reconciler.model.kinds import Names

DEPLOYMENT = Kind(
    names=Names(
        kind="Deployment", plural="deployments", group="apps", short=("deploy",), subresources=("status",)
    ),
    type=Deployment,
    admission=DEPLOYMENT_ADMISSION,
    workload=ROLLOUT,
    view=DEPLOYMENT_VIEW,
)
