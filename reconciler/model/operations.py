"""What is to be done on a host: commands as data, built by planning without running anything.

Each is idempotent or checked by observing again, so a lost reply does no harm.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from reconciler.model.names import Ref, Uid
from reconciler.model.objects import ImageGc, NetworkMode
from reconciler.model.pods import HostPathType, RestartPolicy
from reconciler.model.policies import NodePolicy
from reconciler.model.proxy import NodeProxy
from reconciler.model.secrets import SecretText


class PodAddress(Struct, frozen=True):
    """On the pod network, with an address of its own."""

    ip: str


class SharedNetwork(Struct, frozen=True):
    """In the network namespace of another container: the pod's sandbox."""

    container: str


class HostNetwork(Struct, frozen=True):
    """On its host's own network."""

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
    """Below `source`; a directory is made where nothing is. It may not lead out of `source`, nor by a link."""


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
    """Without a seccomp profile; False: Docker's default one."""
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


# --- what a container, or the node, is asked to do -----------------------------------------------------------


class RunCommand(Struct, frozen=True):
    command: tuple[str, ...]


class GetUrl(Struct, frozen=True):
    """Asked from the host; a certificate is not checked, as upstream."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()


class OpenConnection(Struct, frozen=True):
    host: str
    port: int


class CheckHealth(Struct, frozen=True):
    """grpc.health.v1.Health/Check over HTTP/2 without TLS."""

    host: str
    port: int
    service: str = ""


class Wait(Struct, frozen=True):
    seconds: int


Hook: TypeAlias = RunCommand | GetUrl | Wait
"""What is done after a container's start, or before its stop."""
ProbeAction: TypeAlias = RunCommand | GetUrl | OpenConnection | CheckHealth


class ProbeSpec(Struct, frozen=True):
    """One probe of a container; seconds and counts as in the manifest."""

    kind: Literal["startup", "liveness", "readiness"]
    action: ProbeAction
    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    successes: int = 1
    failures: int = 3
    grace: int = 30
    """Seconds between SIGTERM and SIGKILL when it restarts the container."""


class ProbedContainer(Struct, frozen=True):
    """The probes of one container of a pod, and how it is restarted by them."""

    container: str
    """Its name on the host."""
    probes: tuple[ProbeSpec, ...]
    pre_stop: Hook | None = None
    restarts: bool = True
    """False: it is only killed (the pod's restartPolicy is Never)."""


# --- operations ----------------------------------------------------------------------------------------------


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
    """Of a container that mounts it: its own user says who must be able to read."""


class MakeDirectory(Struct, frozen=True):
    """An emptyDir: there and unchanged if it exists already."""

    uid: Uid
    volume: str
    memory: bool = False
    size_bytes: int = 0
    """Of one in memory; 0: half of the host's memory, as the kernel has it."""
    group: int | None = None


class CreateContainer(Struct, frozen=True):
    config: ContainerConfig


class StartContainer(Struct, frozen=True):
    container: str
    """By name: it may have been created one operation ago."""
    post_start: Hook | None = None
    """Fails: the container is killed, as upstream."""


class SetRestartPolicy(Struct, frozen=True):
    """What Docker does by itself when the container ends, from now on."""

    container: str
    policy: RestartPolicy


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
    """By its id."""
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
    mode: NetworkMode = "auto"
    mtu: int = 0
    """Of the network between the hosts; 0: found out."""
    policy: NodePolicy = NodePolicy()


class NodeProber(Struct, frozen=True):
    """What the node's prober should do; no containers: it need not run."""

    image: str
    containers: tuple[ProbedContainer, ...] = ()
    """By name."""


class NodeDns(Struct, frozen=True):
    """The two name servers a host should have: the files they read, and how to tell that they have read them."""

    image: str
    addresses: tuple[str, str]
    """Both answer the same; they are restarted one after the other."""
    config: str
    """The whole dnsmasq.conf: read at their start."""
    config_name: str
    """There is a TXT record of this name where this very configuration is in force."""
    hosts: Mapping[str, str]
    """File -> text, in the format of /etc/hosts: read as soon as they are written."""
    hosts_name: str
    """To be given an address, last of all; it has it where these very hosts are in force."""
    upstreams: tuple[str, ...] = ()
    """Empty: the host's own name servers."""
    answers: Mapping[str, str] = {}
    """File -> text, of what they ask the authority: read with every question."""
    answers_name: str = ""
    """It is known where these very answers are in force."""

    @property
    def fingerprint(self) -> str:
        """What DnsState.fingerprint says once this is in force."""
        return f"{self.config_name} {self.hosts_name} {self.answers_name}"


class NodeSetup(Struct, frozen=True):
    """Everything a host should have beside its pods."""

    network: NodeNetwork
    proxy: NodeProxy
    checks: frozenset[str] = frozenset()
    """`ip:port` of pods on this host to connect to until they answer; the answer is `Reachable.listening`."""
    prober: NodeProber = NodeProber("")
    image_gc: ImageGc = ImageGc()
    dns: NodeDns | None = None
    """None: as it is."""


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
