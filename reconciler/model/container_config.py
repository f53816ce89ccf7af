"""A container as it is to be made: what its create request will ask Docker for, as data."""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.api.core.volume import HostPathType
from reconciler.model.secrets import SecretText


class PodAddress(Struct, frozen=True):
    """A container on the pod network, with an address of its own."""

    ip: str


class SharedNetwork(Struct, frozen=True):
    """A container in the network namespace of another one: the pod's sandbox."""

    container: str


class HostNetwork(Struct, frozen=True):
    """A container on its host's own network."""

    ip: str
    """The host's, as its Node names it."""


class PublishedPort(Struct, frozen=True):
    container_port: int
    host_port: int
    protocol: str = "tcp"
    host_ip: str = ""


# --- what is mounted into a container ------------------------------------------------------------------------


class HostMount(Struct, frozen=True):
    """A path of the host: a volume that reconciler keeps there, or a hostPath."""

    source: str
    target: str
    read_only: bool = False
    kind: HostPathType = ""
    """What must be there, looked at before the container is made; the `…OrCreate` ones are made."""
    sub_path: str = ""
    """What is mounted of `source`; a directory is made where nothing is. It may not lead out of `source`, nor by a
    link."""
    beneath: tuple[str, ...] | None = None
    """What a hostPath must stay beneath that an exception of the Cluster allows: paths of the host, each below the
    one before, and `source` below the last; none of them may lead out of the one before, nor by a link. None:
    anything may be mounted; empty: nothing may, as no exception allows it any more."""
    makes: bool = True
    """Whether what is missing on the host is made there."""


class ClaimMount(Struct, frozen=True):
    """A Docker volume with a name, made with these labels where it is not there yet."""

    volume: str
    target: str
    labels: Mapping[str, str]
    read_only: bool = False
    sub_path: str = ""
    group: int | None = None
    """fsGroup: the volume's directory is given to it, writable, when the volume is made."""


class NfsMount(Struct, frozen=True):
    """A Docker volume without a name, by Docker's local driver; it goes with the container."""

    server: str
    path: str
    target: str
    read_only: bool = False


Mount: TypeAlias = HostMount | ClaimMount | NfsMount


class ContainerConfig(Struct, frozen=True):
    """A container as it is to be created; everything about it is fixed here."""

    name: str
    image: str
    labels: Mapping[str, str]
    network: PodAddress | SharedNetwork | HostNetwork
    entrypoint: tuple[str, ...] = ()
    """Empty: the image's."""
    command: tuple[str, ...] = ()
    env: Mapping[str, str | SecretText] = {}
    working_dir: str = ""
    hostname: str = ""
    domain: str = ""
    ports: tuple[PublishedPort, ...] = ()
    restart_policy: RestartPolicy = "Always"
    """What Docker does by itself, also while no reconciler runs."""
    stop_signal: str = ""
    stop_grace_seconds: int = 30
    cpu_shares: int = 0
    cpu_milli_limit: int = 0
    memory_limit_bytes: int = 0
    memory_request_bytes: int = 0
    pids_limit: int = 0
    oom_score_adj: int = 0
    log_max_bytes: int = 10 << 20
    """The size of each file of its log."""
    log_max_files: int = 5
    mounts: tuple[Mount, ...] = ()
    user: str = ""
    """`uid` or `uid:gid`; empty: the image's."""
    groups: tuple[int, ...] = ()
    must_not_be_root: bool = False
    """The image's user is looked at before the container is made, where `user` does not tell."""
    privileged: bool = False
    no_new_privileges: bool = False
    read_only_root: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    unconfined: bool = False
    """Whether it runs without a seccomp profile; False: with Docker's default one."""
    sysctls: Mapping[str, str] = {}
    extra_hosts: tuple[str, ...] = ()
    """`name:address`."""
    dns_servers: tuple[str, ...] = ()
    dns_searches: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    ipc: str = ""
    """Empty: its own; `shareable`, `host`, or `container:NAME`."""
    pid: str = ""
    """Empty: its own; `host`, or `container:NAME`."""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
