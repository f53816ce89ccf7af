"""A container of a pod: what it runs, its probes and hooks, and what it may do."""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.api.core.env import EnvFromSource, EnvVar
from reconciler.model.api.core.volume import VolumeMount
from reconciler.model.quantities import Quantity

IntOrName: TypeAlias = int | str
"""A port's number, or its name among the container's ports."""


class ExecAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A command that is run in the container."""

    command: tuple[str, ...]
    """Run in the container as it is: no shell."""


class HTTPHeader(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A header of a request."""

    name: str
    value: str


class HTTPGetAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A request over HTTP; any answer from 200 to 399 is a success."""

    port: IntOrName
    path: str = "/"
    host: str = ""
    """Empty: the pod's address."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A connection that is opened and closed again."""

    port: IntOrName
    host: str = ""


class GRPCAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A call of grpc.health.v1.Health/Check."""

    port: int
    service: str = ""


class SleepAction(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A wait before the container is stopped."""

    seconds: int


class Probe(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How the health of a container is probed. Exactly one action is set; defaults are upstream's."""

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
    """How long a container has to end that its startup or liveness probe ends; None: the pod's."""


class LifecycleHandler(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is done after a container's start, or before its stop. Exactly one action is set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What happens at a container's start and stop."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""
    """Empty: the image's."""


class Capabilities(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Capabilities of the kernel that a container has beyond Docker's own, or lacks."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SeccompProfile(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Which system calls a container may make."""

    type: Literal["RuntimeDefault", "Unconfined"] = "RuntimeDefault"


class SecurityContext(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who a container runs as, and what it may do; where it says nothing, the pod's context does."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    privileged: bool = False
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool = False
    capabilities: Capabilities = Capabilities()
    seccomp_profile: SeccompProfile | None = None


class ContainerPort(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A port that a container listens on."""

    container_port: int
    name: str = ""
    protocol: Literal["TCP", "UDP"] = "TCP"
    host_port: int = 0
    """0: none is published on the host."""
    host_ip: str = field(default="", name="hostIP")
    """Empty: every address of the host."""


class ResourceRequirements(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What a container asks for, and may use at most; the keys are `cpu` and `memory`."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


ImagePullPolicy: TypeAlias = Literal["", "Always", "IfNotPresent", "Never"]
"""Empty: Always for the tag `latest` or none, otherwise IfNotPresent, as upstream."""


class Container(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One container of a pod."""

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
    """Whether an init container is a sidecar: it stays, and is restarted whatever the pod's policy."""
    return container.restart_policy == "Always"
