"""The volumes of a pod, and where containers mount them."""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.api.core.env import ObjectFieldSelector, ResourceFieldSelector
from reconciler.model.quantities import Quantity


class KeyToPath(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A key whose value becomes a file."""

    key: str
    path: str
    mode: int | None = None


class DownwardAPIVolumeFile(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A file with a field of the pod; exactly one of the two is set."""

    path: str
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int | None = None


class ConfigMapVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Files with the values of a ConfigMap."""

    name: str
    items: tuple[KeyToPath, ...] = ()
    """Empty: every key, as a file of its name."""
    default_mode: int | None = None
    """None: 0644."""
    optional: bool = False


class SecretVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Files with the values of a Secret, kept in memory."""

    secret_name: str
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    """None: 0400, readable for whoever the containers run as."""
    optional: bool = False


class DownwardAPIVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Files with fields of the pod."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: int | None = None


class ConfigMapProjection(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Values of a ConfigMap in a projected volume."""

    name: str
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class SecretProjection(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Values of a Secret in a projected volume."""

    name: str
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class DownwardAPIProjection(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Fields of the pod in a projected volume."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()


class VolumeProjection(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One source of a projected volume. Exactly one kind of it is set."""

    config_map: ConfigMapProjection | None = None
    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = field(default=None, name="downwardAPI")


class ProjectedVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Several sources in one directory; a later one wins a path."""

    sources: tuple[VolumeProjection, ...] = ()
    default_mode: int | None = None


class EmptyDirVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A directory that lives as long as its pod."""

    medium: Literal["", "Memory"] = ""
    size_limit: Quantity | None = None
    """Enforced for Memory; on disk it changes nothing, and the schema warns."""


HostPathType: TypeAlias = Literal[
    "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
]


class HostPathVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A file or directory of the host."""

    path: str
    type: HostPathType = ""
    """What must be there; empty: whatever is."""


class PersistentVolumeClaimVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The storage of a claim."""

    claim_name: str
    read_only: bool = False


class NFSVolumeSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A directory of an NFS server."""

    server: str
    path: str
    read_only: bool = False


class Volume(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A volume of a pod. Exactly one source is set."""

    name: str
    config_map: ConfigMapVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = field(default=None, name="downwardAPI")
    projected: ProjectedVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    nfs: NFSVolumeSource | None = None


class VolumeMount(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where a container has a volume."""

    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    """The file or directory in the volume that is mounted. As upstream, what it shows is not updated in place."""
    sub_path_expr: str = ""
    """The same with `$(VAR)`."""
