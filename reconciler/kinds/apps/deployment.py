"""A Deployment: so many pods of one template, replaced a few at a time when the template changes."""

from reconciler.kinds.kind import Kind
from reconciler.model.kinds import Names
from reconciler.model.objects import Deployment

DEPLOYMENT = Kind(
    names=Names(
        kind="Deployment", plural="deployments", group="apps", short=("deploy",), subresources=("status",)
    ),
    type=Deployment,
)
