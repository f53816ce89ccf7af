"""What is to be done on a host: commands as data, built by planning without running anything.

Each is idempotent or checked by observing again, so a lost reply does no harm.
"""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from reconciler.model.names import Ref, Uid
from reconciler.model.objects import RestartPolicy
from reconciler.model.secrets import SecretText


class PodAddress(Struct, frozen=True):
    """On the pod network, with an address of its own."""

    ip: str


class SharedNetwork(Struct, frozen=True):
    """In the network namespace of another container: the pod's sandbox."""

    container: str


class PublishedPort(Struct, frozen=True):
    container_port: int
    host_port: int
    protocol: str = "tcp"


class ContainerConfig(Struct, frozen=True):
    """A container as it is to be created; everything about it is fixed here."""

    name: str
    image: str
    labels: Mapping[str, str]
    network: PodAddress | SharedNetwork
    entrypoint: tuple[str, ...] = ()
    """Empty: the image's."""
    command: tuple[str, ...] = ()
    env: Mapping[str, str | SecretText] = {}
    working_dir: str = ""
    hostname: str = ""
    ports: tuple[PublishedPort, ...] = ()
    restart_policy: RestartPolicy = "Always"
    stop_signal: str = ""
    stop_grace_seconds: int = 30
    cpu_shares: int = 0
    cpu_milli_limit: int = 0
    memory_limit_bytes: int = 0
    memory_request_bytes: int = 0


class PullImage(Struct, frozen=True):
    image: str


class CreateContainer(Struct, frozen=True):
    config: ContainerConfig


class StartContainer(Struct, frozen=True):
    container: str
    """By name: it may have been created one operation ago."""


class UnpauseContainer(Struct, frozen=True):
    container: str


class StopContainer(Struct, frozen=True):
    """SIGTERM, and SIGKILL after the grace period."""

    container: str
    grace_seconds: int


class RemoveContainer(Struct, frozen=True):
    container: str
    uid: Uid
    """Checked against the container's label on the host before anything is removed."""


Operation: TypeAlias = (
    PullImage | CreateContainer | StartContainer | UnpauseContainer | StopContainer | RemoveContainer
)


class PodWork(Struct, frozen=True):
    """The operations one pod needs now, in order; the first that fails ends it, and observing again goes on."""

    node: str
    pod: Ref
    uid: Uid
    operations: tuple[Operation, ...]


class Route(Struct, frozen=True, order=True):
    cidr: str
    via: str
    """The peer's address, as its SSH annotation has it (a name is resolved on the master)."""


class NodeNetwork(Struct, frozen=True):
    """The network state a host should have: the whole of it, so applying it is also repairing it."""

    pod_cidr: str
    cluster_cidr: str
    routes: tuple[Route, ...]
    addresses: tuple[str, ...]
    """Service addresses on this host, /32."""


class NodeProxy(Struct, frozen=True):
    """The proxy a host should have."""

    image: str
    config: str
    """The whole haproxy.cfg."""
    fingerprint: str
    routed: frozenset[str]
    """Pod addresses that the configuration sends connections to."""


class NodeSetup(Struct, frozen=True):
    """Everything a host should have beside its pods."""

    network: NodeNetwork
    proxy: NodeProxy
    checks: frozenset[str] = frozenset()
    """`ip:port` of pods on this host to connect to until they answer; the answer is `Reachable.listening`."""


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
