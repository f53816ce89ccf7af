"""A PersistentVolumeClaim: storage on one node that outlives the pods that use it."""

from reconciler.kinds.kind import Kind
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.kinds import Names

PERSISTENT_VOLUME_CLAIM = Kind(
    names=Names(
        kind="PersistentVolumeClaim", plural="persistentvolumeclaims", short=("pvc",), subresources=("status",)
    ),
    type=PersistentVolumeClaim,
)
