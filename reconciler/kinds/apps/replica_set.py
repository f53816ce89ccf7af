"""A ReplicaSet: the pods of one template of a Deployment. The reconciler makes them; no manifest holds any."""

from reconciler.kinds.apps.replica_set_view import REPLICA_SET_VIEW
from reconciler.kinds.kind import Kind
from reconciler.model.api.apps import ReplicaSet
from reconciler.model.kinds import Names

REPLICA_SET = Kind(
    names=Names(
        kind="ReplicaSet",
        plural="replicasets",
        group="apps",
        short=("rs",),
        subresources=("status",),
        hint="of each deployment, one for each template that it has had",
    ),
    type=ReplicaSet,
    view=REPLICA_SET_VIEW,
)
