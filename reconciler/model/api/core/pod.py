"""Pods, and the templates that others make pods from."""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.api.core.container import Container, SeccompProfile
from reconciler.model.api.core.volume import Volume
from reconciler.model.api.meta import ObjectMeta


class Sysctl(Struct, frozen=True, rename="camel"):
    name: str
    value: str


class PodSecurityContext(Struct, frozen=True, rename="camel"):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[int, ...] = ()
    fs_group: int | None = None
    seccomp_profile: SeccompProfile | None = None
    sysctls: tuple[Sysctl, ...] = ()


RestartPolicy: TypeAlias = Literal["Always", "OnFailure", "Never"]


class Toleration(Struct, frozen=True, rename="camel"):
    key: str = ""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class HostAlias(Struct, frozen=True, rename="camel"):
    ip: str
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(Struct, frozen=True, rename="camel"):
    name: str
    value: str = ""


class PodDNSConfig(Struct, frozen=True, rename="camel"):
    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class LocalObjectReference(Struct, frozen=True, rename="camel"):
    """A Secret of type kubernetes.io/dockerconfigjson in the pod's namespace."""

    name: str


class PodReadinessGate(Struct, frozen=True, rename="camel"):
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
    dns_config: PodDNSConfig = PodDNSConfig()
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    share_process_namespace: bool = False
    security_context: PodSecurityContext = PodSecurityContext()
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    readiness_gates: tuple[PodReadinessGate, ...] = ()


class Pod(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: PodSpec


class TemplateMeta(Struct, frozen=True, rename="camel"):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplateSpec(Struct, frozen=True, rename="camel"):
    spec: PodSpec
    metadata: TemplateMeta = TemplateMeta()
