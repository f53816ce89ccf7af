"""A container of a pod: what it runs, its probes and hooks, and what it may do."""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.api.core.env import EnvFromSource, EnvVar
from reconciler.model.api.core.volume import VolumeMount
from reconciler.model.quantities import Quantity

IntOrName: TypeAlias = int | str
"""A port's number, or its name among the container's ports."""


class ExecAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    command: tuple[str, ...]
    """Run in the container as it is: no shell."""


class HTTPHeader(Struct, frozen=True, rename="camel", omit_defaults=True):
    name: str
    value: str


class HTTPGetAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    port: IntOrName
    path: str = "/"
    host: str = ""
    """Empty: the pod's address."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    port: IntOrName
    host: str = ""


class GRPCAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    """grpc.health.v1.Health/Check."""

    port: int
    service: str = ""


class SleepAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    seconds: int


class Probe(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Exactly one action is set. Defaults are upstream's."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None
    """Of a startup or liveness probe; None: the pod's."""


class LifecycleHandler(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Exactly one is set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Struct, frozen=True, rename="camel", omit_defaults=True):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""
    """Empty: the image's."""


class Capabilities(Struct, frozen=True, rename="camel", omit_defaults=True):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SeccompProfile(Struct, frozen=True, rename="camel", omit_defaults=True):
    type: Literal["RuntimeDefault", "Unconfined"] = "RuntimeDefault"


class SecurityContext(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Of a container; what it leaves out, the pod's says."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    privileged: bool = False
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool = False
    capabilities: Capabilities = Capabilities()
    seccomp_profile: SeccompProfile | None = None


class ContainerPort(Struct, frozen=True, rename="camel", omit_defaults=True):
    container_port: int
    name: str = ""
    protocol: Literal["TCP", "UDP"] = "TCP"
    host_port: int = 0
    """0: none is published on the host."""
    host_ip: str = field(default="", name="hostIP")
    """Empty: every address of the host."""


class ResourceRequirements(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Keys are `cpu` and `memory`."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


ImagePullPolicy: TypeAlias = Literal["", "Always", "IfNotPresent", "Never"]
"""Empty: Always for the tag `latest` or none, otherwise IfNotPresent, as upstream."""


class Container(Struct, frozen=True, rename="camel", omit_defaults=True):
    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
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


def is_sidecar(container: Container) -> bool:
    """Of an init container: it stays, and is restarted whatever the pod's policy."""
    return container.restart_policy == "Always"
