"""PersistentVolumeClaims: storage that outlives the pods that use it."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.model.api.core.container import ResourceRequirements
from reconciler.model.api.meta import Condition, ObjectMeta
from reconciler.model.quantities import Quantity

ANNOTATION_SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
"""The annotation of a claim that names the node that has its data."""

AccessMode: TypeAlias = Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany"]


class PersistentVolumeClaimSpec(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a claim asks for."""

    access_modes: tuple[AccessMode, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    """`requests.storage`: told to people; a directory on a disk has no size of its own."""
    volume_name: str = ""
    """The Docker volume's name, of a claim that is published; a manifest has none."""


class PersistentVolumeClaimStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Whether a claim has its storage."""

    phase: Literal["Pending", "Bound", "Lost"]
    access_modes: tuple[AccessMode, ...] = ()
    capacity: dict[str, Quantity] = {}
    conditions: tuple[Condition, ...] = ()
    """Bound: the claim has its data; the message says why not, or what else there is to know."""


class PersistentVolumeClaim(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A Docker volume on one node: chosen with the first pod that uses it, whose pods return there.

    Kept when the claim goes, unless it carries `reconciler.dev/reclaim-policy: Delete`.
    """

    metadata: ObjectMeta
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()
    status: PersistentVolumeClaimStatus = PersistentVolumeClaimStatus("Pending")
