"""What a pod is made of, as manifests write it: a strict subset of upstream's PodSpec.

Field names are Kubernetes' own (camelCase outside, snake_case here). Only fields that change something here
have a place; docs/reference/pod-fields.md says what becomes of every other one.
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.pod_sources import EnvFrom, EnvVar, Volume, VolumeMount
from reconciler.model.quantities import Quantity

IntOrName: TypeAlias = int | str
"""A port's number, or its name among the container's ports."""

# --- probes and hooks ---------------------------------------------------------------------------------------


class ExecAction(Struct, frozen=True, rename="camel"):
    command: tuple[str, ...]
    """Run in the container as it is: no shell."""


class HttpHeader(Struct, frozen=True, rename="camel"):
    name: str
    value: str


class HttpGetAction(Struct, frozen=True, rename="camel"):
    port: IntOrName
    path: str = "/"
    host: str = ""
    """Empty: the pod's address."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: tuple[HttpHeader, ...] = ()


class TcpSocketAction(Struct, frozen=True, rename="camel"):
    port: IntOrName
    host: str = ""


class GrpcAction(Struct, frozen=True, rename="camel"):
    """grpc.health.v1.Health/Check."""

    port: int
    service: str = ""


class SleepAction(Struct, frozen=True, rename="camel"):
    seconds: int


class Probe(Struct, frozen=True, rename="camel"):
    """Exactly one action is set. Defaults are upstream's."""

    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    grpc: GrpcAction | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None
    """Of a startup or liveness probe; None: the pod's."""


class Handler(Struct, frozen=True, rename="camel"):
    """Exactly one is set."""

    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Struct, frozen=True, rename="camel"):
    post_start: Handler | None = None
    pre_stop: Handler | None = None
    stop_signal: str = ""
    """Empty: the image's."""


# --- who a container runs as, and what it may do ------------------------------------------------------------


class Capabilities(Struct, frozen=True, rename="camel"):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SeccompProfile(Struct, frozen=True, rename="camel"):
    type: Literal["RuntimeDefault", "Unconfined"] = "RuntimeDefault"


class Sysctl(Struct, frozen=True, rename="camel"):
    name: str
    value: str


class SecurityContext(Struct, frozen=True, rename="camel"):
    """Of a container; what it leaves out, the pod's says."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    privileged: bool = False
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool = False
    capabilities: Capabilities = Capabilities()
    seccomp_profile: SeccompProfile | None = None


class PodSecurityContext(Struct, frozen=True, rename="camel"):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[int, ...] = ()
    fs_group: int | None = None
    seccomp_profile: SeccompProfile | None = None
    sysctls: tuple[Sysctl, ...] = ()


# --- containers ---------------------------------------------------------------------------------------------


class ContainerPort(Struct, frozen=True, rename="camel"):
    container_port: int
    name: str = ""
    protocol: Literal["TCP", "UDP"] = "TCP"
    host_port: int = 0
    """0: none is published on the host."""
    host_ip: str = field(default="", name="hostIP")
    """Empty: every address of the host."""


class Resources(Struct, frozen=True, rename="camel"):
    """Keys are `cpu` and `memory`."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


ImagePullPolicy: TypeAlias = Literal["", "Always", "IfNotPresent", "Never"]
"""Empty: Always for the tag `latest` or none, otherwise IfNotPresent, as upstream."""


class Container(Struct, frozen=True, rename="camel"):
    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    working_dir: str = ""
    image_pull_policy: ImagePullPolicy = ""
    volume_mounts: tuple[VolumeMount, ...] = ()
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle = Lifecycle()
    security_context: SecurityContext = SecurityContext()
    restart_policy: Literal["", "Always"] = ""
    """`Always` on an init container: a sidecar, which runs beside the containers from before their start."""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


# --- pods ---------------------------------------------------------------------------------------------------

RestartPolicy: TypeAlias = Literal["Always", "OnFailure", "Never"]


class Toleration(Struct, frozen=True, rename="camel"):
    key: str = ""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class HostAlias(Struct, frozen=True, rename="camel"):
    ip: str
    hostnames: tuple[str, ...] = ()


class DnsOption(Struct, frozen=True, rename="camel"):
    name: str
    value: str = ""


class DnsConfig(Struct, frozen=True, rename="camel"):
    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[DnsOption, ...] = ()


class LocalName(Struct, frozen=True, rename="camel"):
    """A Secret of type kubernetes.io/dockerconfigjson in the pod's namespace."""

    name: str


class ReadinessGate(Struct, frozen=True, rename="camel"):
    """A condition that must be `True` before the pod is ready. It is set by the annotation
    `reconciler.dev/conditions: "type=True,…"` of the pod's Deployment, or of the bare Pod: by a commit."""

    condition_type: str


class PodSpec(Struct, frozen=True, rename="camel"):
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    """One after the other, each to its end, before the rest; with restartPolicy Always they stay (sidecars)."""
    volumes: tuple[Volume, ...] = ()
    node_name: str = ""
    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    restart_policy: RestartPolicy = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    """Counted from when this reconciler first saw the pod start."""
    hostname: str = ""
    """Empty: the pod's name."""
    subdomain: str = ""
    set_hostname_as_fqdn: bool = field(default=False, name="setHostnameAsFQDN")
    host_aliases: tuple[HostAlias, ...] = ()
    dns_policy: Literal["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"] = "ClusterFirst"
    dns_config: DnsConfig = DnsConfig()
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    share_process_namespace: bool = False
    security_context: PodSecurityContext = PodSecurityContext()
    image_pull_secrets: tuple[LocalName, ...] = ()
    readiness_gates: tuple[ReadinessGate, ...] = ()


def is_sidecar(container: Container) -> bool:
    """Of an init container: it stays, and is restarted whatever the pod's policy."""
    return container.restart_policy == "Always"
