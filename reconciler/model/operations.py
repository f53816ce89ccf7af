"""What is to be done for a pod on its host: commands as data, built by planning without running anything.

Each is idempotent or checked by observing again, so a lost reply does no harm.
"""

from typing import TypeAlias

from msgspec import Struct

from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.container_config import ContainerConfig
from reconciler.model.limits import ContainerLimits
from reconciler.model.names import Ref, Uid
from reconciler.model.probes import Hook
from reconciler.model.secrets import SecretText


class PullImage(Struct, frozen=True):
    image: str
    logins: tuple[SecretText, ...] = ()
    """Docker config files (`{"auths": …}`) of the pod's imagePullSecrets, in order: the first that names the
    image's registry is used."""


class VolumeFile(Struct, frozen=True):
    path: str
    """Relative, without `..`."""
    content: str | bytes | SecretText
    mode: int
    encoded: bool = False
    """The content is base64 of the bytes that are meant."""


class WriteFiles(Struct, frozen=True):
    """Bring a volume of files in memory to this content, atomically: readers see the old ones or the new ones."""

    uid: Uid
    volume: str
    files: tuple[VolumeFile, ...]
    fingerprint: str
    owner: int | None = None
    """Numeric user, where known; None: root, and readable for the user of `image` too."""
    group: int | None = None
    """fsGroup."""
    image: str = ""
    """The image of a container that mounts it: its own user says who must be able to read."""


class MakeDirectory(Struct, frozen=True):
    """An emptyDir: there and unchanged if it exists already."""

    uid: Uid
    volume: str
    memory: bool = False
    size_bytes: int = 0
    """The size of a directory in memory; 0: half of the host's memory, as the kernel has it."""
    group: int | None = None


class CreateContainer(Struct, frozen=True):
    config: ContainerConfig


class StartContainer(Struct, frozen=True):
    container: str
    """The container's name: it may have been created one operation ago."""
    post_start: Hook | None = None
    """Fails: the container is killed, as upstream."""


class SetRestartPolicy(Struct, frozen=True):
    """What Docker does by itself when the container ends, from now on."""

    container: str
    policy: RestartPolicy


class SetLimits(Struct, frozen=True):
    """What the container may use, from now on: of what it runs already, too."""

    container: str
    limits: ContainerLimits
    pids: int


class ConnectPod(Struct, frozen=True):
    """Give a pod's container, or its sandbox, its place on the pod network back, which somebody has taken away."""

    container: str
    ip: str


class UnpauseContainer(Struct, frozen=True):
    container: str


class ContainerStop(Struct, frozen=True):
    container: str
    pre_stop: Hook | None = None


class StopContainers(Struct, frozen=True):
    """All at the same time: the hook, SIGTERM, and SIGKILL once the grace period (with the hook's time) is over.

    The grace period is the pod's: in one PodWork, later stops have what earlier ones left, at least 2 s.
    """

    containers: tuple[ContainerStop, ...]
    grace_seconds: int


class HoldContainer(Struct, frozen=True):
    """Keep Docker from starting a crashed container again, which it is about to do: we do, after the back-off."""

    container: str


class RenameContainer(Struct, frozen=True):
    """Give a container its name back, which somebody has changed; it runs on meanwhile."""

    container: str
    """The container's id."""
    name: str


class RemoveContainer(Struct, frozen=True):
    container: str
    uid: Uid
    """Checked against the container's label on the host before anything is removed."""


class RemoveFiles(Struct, frozen=True):
    """Everything of ours below the pod's directories on the host, mounts in them included."""

    uid: Uid


class RemoveVolume(Struct, frozen=True):
    """A claim's Docker volume: only with our labels on it, and with nothing using it."""

    volume: str


Operation: TypeAlias = (
    PullImage
    | WriteFiles
    | MakeDirectory
    | CreateContainer
    | StartContainer
    | SetRestartPolicy
    | SetLimits
    | ConnectPod
    | UnpauseContainer
    | StopContainers
    | HoldContainer
    | RenameContainer
    | RemoveContainer
    | RemoveFiles
    | RemoveVolume
)


class PodWork(Struct, frozen=True):
    """The operations one pod needs now, in order; the first that fails ends it, and observing again goes on."""

    node: str
    pod: Ref
    uid: Uid
    operations: tuple[Operation, ...]


class Remark(Struct, frozen=True):
    """Something went wrong, and kept nothing from being done."""

    reason: str
    """Kubernetes' own word for it."""
    message: str


class Outcome(Struct, frozen=True):
    """How a PodWork ended."""

    work: PodWork
    failed: Operation | None = None
    """The operation that ended it; None: all were done."""
    message: str = ""
    """Docker's own words, and how to fix it where that is known."""
    reason: str = ""
    """Kubernetes' own words, where there are any: ErrImagePull, CreateContainerError, RunContainerError…"""
    unknown: bool = False
    """The reply was lost: it may or may not have been done, so observe before anything else."""
    remarks: tuple[Remark, ...] = ()
