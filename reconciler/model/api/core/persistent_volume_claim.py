"""PersistentVolumeClaims: storage that outlives the pods that use it."""

from typing import Literal

from msgspec import Struct

from reconciler.model.api.core.container import ResourceRequirements
from reconciler.model.api.meta import ObjectMeta


class PersistentVolumeClaimSpec(Struct, frozen=True, rename="camel"):
    access_modes: tuple[Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany"], ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    """`requests.storage`: told to people; a directory on a disk has no size of its own."""


class PersistentVolumeClaim(Struct, frozen=True, rename="camel"):
    """A Docker volume on one node: chosen with the first pod that uses it, whose pods return there.

    Kept when the claim goes, unless it carries `reconciler.dev/reclaim-policy: Delete`.
    """

    metadata: ObjectMeta
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()
