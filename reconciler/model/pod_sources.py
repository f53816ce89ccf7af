"""What a pod takes from elsewhere, as manifests write it: from ConfigMaps, Secrets, its own fields, disks.

Rules as in pods.py.
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.quantities import Quantity

# --- values from elsewhere ----------------------------------------------------------------------------------


class KeySelector(Struct, frozen=True, rename="camel"):
    """One key of a ConfigMap or a Secret in the pod's namespace."""

    name: str
    key: str
    optional: bool = False


class FieldSelector(Struct, frozen=True, rename="camel"):
    """A field of the pod itself: metadata.name, metadata.namespace, metadata.uid, status.podIP, spec.nodeName…"""

    field_path: str


class ResourceFieldSelector(Struct, frozen=True, rename="camel"):
    """An amount that a container asks for: limits.cpu, limits.memory, requests.cpu, requests.memory."""

    resource: str
    container_name: str = ""
    """Empty: the container itself; in a volume it is always given."""
    divisor: Quantity | None = None
    """None: 1 (cores, bytes). The result is rounded up."""


class EnvSource(Struct, frozen=True, rename="camel"):
    """Exactly one is set."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class EnvVar(Struct, frozen=True, rename="camel"):
    name: str
    value: str = ""
    value_from: EnvSource | None = None


class EnvFromRef(Struct, frozen=True, rename="camel"):
    name: str
    optional: bool = False


class EnvFrom(Struct, frozen=True, rename="camel"):
    """Every key of a ConfigMap or Secret as a variable; exactly one of the two is set."""

    prefix: str = ""
    config_map_ref: EnvFromRef | None = None
    secret_ref: EnvFromRef | None = None


# --- volumes ------------------------------------------------------------------------------------------------


class KeyToPath(Struct, frozen=True, rename="camel"):
    key: str
    path: str
    mode: int | None = None


class DownwardItem(Struct, frozen=True, rename="camel"):
    """A file with a field of the pod; exactly one of the two is set."""

    path: str
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int | None = None


class ConfigMapVolume(Struct, frozen=True, rename="camel"):
    name: str
    items: tuple[KeyToPath, ...] = ()
    """Empty: every key, as a file of its name."""
    default_mode: int | None = None
    """None: 0644."""
    optional: bool = False


class SecretVolume(Struct, frozen=True, rename="camel"):
    secret_name: str
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    """None: 0400, readable for whoever the containers run as."""
    optional: bool = False


class DownwardVolume(Struct, frozen=True, rename="camel"):
    items: tuple[DownwardItem, ...] = ()
    default_mode: int | None = None


class ConfigMapProjection(Struct, frozen=True, rename="camel"):
    name: str
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class SecretProjection(Struct, frozen=True, rename="camel"):
    name: str
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class DownwardProjection(Struct, frozen=True, rename="camel"):
    items: tuple[DownwardItem, ...] = ()


class Projection(Struct, frozen=True, rename="camel"):
    """Exactly one is set."""

    config_map: ConfigMapProjection | None = None
    secret: SecretProjection | None = None
    downward_api: DownwardProjection | None = field(default=None, name="downwardAPI")


class ProjectedVolume(Struct, frozen=True, rename="camel"):
    """Several sources in one directory; a later one wins a path."""

    sources: tuple[Projection, ...] = ()
    default_mode: int | None = None


class EmptyDirVolume(Struct, frozen=True, rename="camel"):
    medium: Literal["", "Memory"] = ""
    size_limit: Quantity | None = None
    """Enforced for Memory; on disk it changes nothing, and the schema warns."""


HostPathType: TypeAlias = Literal[
    "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
]


class HostPathVolume(Struct, frozen=True, rename="camel"):
    path: str
    type: HostPathType = ""
    """What must be there; empty: whatever is."""


class ClaimVolume(Struct, frozen=True, rename="camel"):
    claim_name: str
    read_only: bool = False


class NfsVolume(Struct, frozen=True, rename="camel"):
    server: str
    path: str
    read_only: bool = False


class Volume(Struct, frozen=True, rename="camel"):
    """Exactly one source is set."""

    name: str
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    downward_api: DownwardVolume | None = field(default=None, name="downwardAPI")
    projected: ProjectedVolume | None = None
    empty_dir: EmptyDirVolume | None = None
    host_path: HostPathVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    nfs: NfsVolume | None = None


class VolumeMount(Struct, frozen=True, rename="camel"):
    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    """Of a file or directory in the volume. As upstream, what it shows is not updated in place."""
    sub_path_expr: str = ""
    """The same with `$(VAR)`."""
