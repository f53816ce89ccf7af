"""Pods, and the templates that others make pods from."""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.api.core.container import Container, SeccompProfile
from reconciler.model.api.core.container_status import ContainerStatus
from reconciler.model.api.core.volume import Volume
from reconciler.model.api.meta import Condition, ObjectMeta, holds


class Sysctl(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A parameter of the kernel for the pod's own namespaces."""

    name: str
    value: str


class PodSecurityContext(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who the containers of a pod run as, unless they say so themselves."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[int, ...] = ()
    fs_group: int | None = None
    seccomp_profile: SeccompProfile | None = None
    sysctls: tuple[Sysctl, ...] = ()


RestartPolicy: TypeAlias = Literal["Always", "OnFailure", "Never"]


class Toleration(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A taint of nodes that does not keep the pod away."""

    key: str = ""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class HostAlias(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A line in the pod's `/etc/hosts`."""

    ip: str
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An option in the pod's `/etc/resolv.conf`."""

    name: str
    value: str = ""


class PodDNSConfig(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the pod's `/etc/resolv.conf` has beyond its dnsPolicy."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class LocalObjectReference(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A Secret of type kubernetes.io/dockerconfigjson in the pod's namespace."""

    name: str


class PodReadinessGate(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A condition that must be `True` before the pod is ready. It is set by the annotation
    `reconciler.dev/conditions: "type=True,…"` of the pod's Deployment, or of the bare Pod: by a commit."""

    condition_type: str


class PodSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What a pod is made of."""

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


PodPhase: TypeAlias = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
QOSClass: TypeAlias = Literal["Guaranteed", "Burstable", "BestEffort"]


class PodIP(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An address of a pod."""

    ip: str


class PodStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a pod stands.

    Rule: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
    """

    phase: PodPhase
    qos_class: QOSClass
    conditions: tuple[Condition, ...] = ()
    """PodScheduled, Initialized, ContainersReady, Ready, and each readiness gate."""
    message: str = ""
    reason: str = ""
    """Why the pod as a whole is not as it should be: Kubernetes' own words, and `Leaving` while it goes."""
    host_ip: str = field(default="", name="hostIP")
    pod_ip: str = field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = field(default=(), name="podIPs")
    start_time: str = ""
    """When it was published with a node first, as RFC 3339 in UTC; empty in a plan, which knows no clock."""
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    """The statuses of init containers and sidecars, in the manifest's order."""
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Containers that run together on one node and share an address."""

    metadata: ObjectMeta
    spec: PodSpec
    status: PodStatus = PodStatus("Pending", "BestEffort")


def container_statuses_of(pod: Pod) -> tuple[ContainerStatus, ...]:
    """The statuses of all its containers: init containers and sidecars first."""
    return (*pod.status.init_container_statuses, *pod.status.container_statuses)


def is_pod_ready(pod: Pod) -> bool:
    """Whether Services may send it connections."""
    return holds(pod.status.conditions, "Ready")


def is_terminating(pod: Pod) -> bool:
    """Whether the pod is about to go."""
    return pod.metadata.deletion_grace_period_seconds is not None


class TemplateMeta(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The labels and annotations of the pods that are made from a template."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplateSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What pods of a workload are made from."""

    spec: PodSpec
    metadata: TemplateMeta = TemplateMeta()
