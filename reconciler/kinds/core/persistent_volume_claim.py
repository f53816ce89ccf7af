"""A PersistentVolumeClaim: storage on one node that outlives the pods that use it."""

from collections.abc import Iterator

from reconciler.kinds.core.persistent_volume_claim_controller import PERSISTENT_VOLUME_CLAIM_CONTROLLER
from reconciler.kinds.core.persistent_volume_claim_view import PERSISTENT_VOLUME_CLAIM_VIEW
from reconciler.kinds.kind import Kind
from reconciler.manifests.admission import Admission
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.reading.decoding import decode_as
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.kinds import Names
from reconciler.model.names import ANNOTATION_RECLAIM


def _validate(claim: PersistentVolumeClaim) -> Iterator[Finding]:
    modes = claim.spec.access_modes
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        message = "ReadWriteOncePod stands alone"
        yield Finding(("spec", "accessModes"), Code.CONFLICTING_FIELDS, message, "remove the others, or it")
    storage = claim.spec.resources.requests["storage"]
    if storage.value <= 0:
        at: Pointer = ("spec", "resources", "requests", "storage")
        yield Finding(at, Code.IMPOSSIBLE_RESOURCES, f"storage cannot be {storage}", "write more than 0")


PERSISTENT_VOLUME_CLAIM = Kind(
    names=Names(
        kind="PersistentVolumeClaim", plural="persistentvolumeclaims", short=("pvc",), subresources=("status",)
    ),
    type=PersistentVolumeClaim,
    admission=Admission(
        decode=decode_as(PersistentVolumeClaim),
        validate=_validate,
        annotations={ANNOTATION_RECLAIM: ("Retain", "Delete")},
    ),
    controller=PERSISTENT_VOLUME_CLAIM_CONTROLLER,
    view=PERSISTENT_VOLUME_CLAIM_VIEW,
)
