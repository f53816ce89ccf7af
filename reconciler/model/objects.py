"""The objects a manifest can hold, typed: a strict subset of upstream Kubernetes, and our `Cluster`.

Field names are Kubernetes' own (camelCase outside, snake_case here). Only fields that change something here
have a place; the schemas say of every other one whether it is accepted with a warning or refused.
Built by `manifests` alone, after JSON Schema has accepted the document.
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.ingress import OUR_CLASSES, IngressOptions, IngressSpec
from reconciler.model.names import ANNOTATION_CLASS, Ref
from reconciler.model.pods import IntOrName, PodSpec, Resources
from reconciler.model.secrets import SecretText


class ObjectMeta(Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Pod(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: PodSpec


# --- workloads ----------------------------------------------------------------------------------------------

IntOrPercent: TypeAlias = int | str
"""`2`, or `25%`: of the wanted replicas, rounded up for a surge and down for unavailability."""


class TemplateMeta(Struct, frozen=True, rename="camel"):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplate(Struct, frozen=True, rename="camel"):
    spec: PodSpec
    metadata: TemplateMeta = TemplateMeta()


class LabelSelector(Struct, frozen=True, rename="camel"):
    match_labels: dict[str, str] = {}


class RollingUpdate(Struct, frozen=True, rename="camel"):
    max_surge: IntOrPercent = "25%"
    max_unavailable: IntOrPercent = "25%"


class Strategy(Struct, frozen=True, rename="camel"):
    type: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    rolling_update: RollingUpdate = RollingUpdate()


class DeploymentSpec(Struct, frozen=True, rename="camel"):
    selector: LabelSelector
    template: PodTemplate
    replicas: int = 1
    strategy: Strategy = Strategy()
    min_ready_seconds: int = 0
    paused: bool = False


class Deployment(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: DeploymentSpec


# --- services and configuration -----------------------------------------------------------------------------


class ServicePort(Struct, frozen=True, rename="camel"):
    port: int
    name: str = ""
    protocol: Literal["TCP"] = "TCP"
    target_port: int | str = 0
    """A port's number or its name in the pod; 0: the same as `port`."""
    node_port: int = 0
    """0: chosen from 30000-32767 and remembered, where the type is NodePort."""


class ServiceSpec(Struct, frozen=True, rename="camel"):
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = {}
    type: Literal["ClusterIP", "NodePort"] = "ClusterIP"
    cluster_ip: str = field(default="", name="clusterIP")
    """An address of the service CIDR; empty: chosen and remembered; `None`: headless."""


class Service(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: ServiceSpec


class Ingress(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: IngressSpec
    options: IngressOptions = IngressOptions()
    """From its annotations `reconciler.dev/…`."""


def ingress_class(ingress: Ingress) -> str:
    """Empty: it names none."""
    return ingress.spec.ingress_class_name or ingress.metadata.annotations.get(ANNOTATION_CLASS, "")


def is_served_here(ingress: Ingress) -> bool:
    return ingress_class(ingress) in OUR_CLASSES


class ConfigMap(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    data: dict[str, str] = {}
    binary_data: dict[str, bytes] = {}
    """For files only; decoded."""


class Secret(Struct, frozen=True, rename="camel"):
    """Values are decoded: `data` from base64, `stringData` over it."""

    metadata: ObjectMeta
    data: dict[str, SecretText] = {}
    type: str = "Opaque"
    binary_data: dict[str, SecretText] = {}
    """Values that are not text, for files only: as base64. Not a field upstream: `data` holds both there."""


class ClaimSpec(Struct, frozen=True, rename="camel"):
    access_modes: tuple[Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany"], ...] = ()
    resources: Resources = Resources()
    """`requests.storage`: told to people; a directory on a disk has no size of its own."""


class PersistentVolumeClaim(Struct, frozen=True, rename="camel"):
    """A Docker volume on one node: chosen with the first pod that uses it, whose pods return there.

    Kept when the claim goes, unless it carries `reconciler.dev/reclaim-policy: Delete`.
    """

    metadata: ObjectMeta
    spec: ClaimSpec = ClaimSpec()


# --- the cluster and its nodes ------------------------------------------------------------------------------


class Taint(Struct, frozen=True, rename="camel"):
    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: str = ""


class NodeSpec(Struct, frozen=True, rename="camel"):
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    pod_cidr: str = field(default="", name="podCIDR")
    """Empty: a part of the cluster's pod CIDR, chosen and remembered."""


class SshAddress(Struct, frozen=True):
    """From the annotation `reconciler.dev/ssh: ssh://user@host:port`."""

    user: str
    host: str
    port: int = 22

    def __str__(self) -> str:
        return f"ssh://{self.user}@{self.host}:{self.port}"


class Node(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    ssh: SshAddress
    host_key: str = ""
    """`ssh-ed25519 AAAA…`, from `reconciler.dev/host-key`; empty: the user's known_hosts decides."""
    spec: NodeSpec = NodeSpec()


def node_labels(node: Node) -> dict[str, str]:
    """Its labels as a nodeSelector sees them: with the one that every node has in Kubernetes."""
    return {"kubernetes.io/hostname": node.metadata.name, **node.metadata.labels}


class Namespace(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta


class ClusterImages(Struct, frozen=True, rename="camel"):
    pause: str = "registry.k8s.io/pause:3.10"
    proxy: str = "reconciler-proxy:1"
    """Made once by the cluster's owner: docs/how-to/proxy-image.md."""


class SshDefaults(Struct, frozen=True, rename="camel"):
    user: str = "root"
    port: int = 22
    connect_timeout_seconds: float = 5.0


class Sync(Struct, frozen=True, rename="camel"):
    relist_seconds: float = 30.0
    """How often every host is listed in full, beside its event stream."""
    heartbeat_seconds: float = 2.0


class Guard(Struct, frozen=True, rename="camel"):
    """What a revision may not do by accident."""

    max_delete_percent: int = 50
    """A revision that drops more of the running objects than this waits for a confirmation."""
    min_objects: int = 5
    """The percentage is not looked at below this many running objects."""


class NodeLifecycle(Struct, frozen=True, rename="camel"):
    lost_after_seconds: float = 10.0
    """A node unreachable for longer has its Deployment pods replaced elsewhere."""
    max_lost_percent: int = 50
    """With more of the nodes than this unreachable, the fault is likelier ours: nothing is moved."""


SecurityLevel: TypeAlias = Literal["privileged", "baseline", "restricted"]


class HostPathRule(Struct, frozen=True, rename="camel"):
    """A path of the hosts, and everything below it, that pods may mount."""

    path: str
    read_only: bool = True
    namespaces: tuple[str, ...] = ()
    """Empty: all."""


class PodSecurity(Struct, frozen=True, rename="camel"):
    """What pods may ask for: the levels of the Pod Security Standards, and exceptions by name.

    Rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """

    default: SecurityLevel = "baseline"
    namespaces: dict[str, SecurityLevel] = {}
    host_paths: tuple[HostPathRule, ...] = ()
    """Allowed below the level privileged."""
    host_ports: tuple[IntOrName, ...] = ()
    """Ports (`8080`) and ranges (`"8000-8999"`) allowed below the level privileged."""


class PodLimits(Struct, frozen=True, rename="camel"):
    pids: int = 1024
    """Processes and threads of one container; 0: no limit."""


class ImageGc(Struct, frozen=True, rename="camel"):
    """Of images that reconciler pulled itself and that no container uses."""

    high_threshold_percent: int = 85
    """Disk use above which they are removed."""
    low_threshold_percent: int = 80
    """Disk use at which that ends."""


class ClusterSpec(Struct, frozen=True, rename="camel"):
    pod_cidr: str = field(default="10.244.0.0/16", name="podCIDR")
    node_prefix: int = 24
    """Prefix length of each node's part of the pod CIDR."""
    service_cidr: str = field(default="10.96.0.0/16", name="serviceCIDR")
    cluster_domain: str = "cluster.local"
    images: ClusterImages = ClusterImages()
    ssh: SshDefaults = SshDefaults()
    sync: Sync = Sync()
    guard: Guard = Guard()
    nodes: NodeLifecycle = NodeLifecycle()
    pod_security: PodSecurity = PodSecurity()
    pod_limits: PodLimits = PodLimits()
    image_gc: ImageGc = field(default=ImageGc(), name="imageGC")


class Cluster(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: ClusterSpec = ClusterSpec()


Object: TypeAlias = (
    Cluster | Node | Namespace | Pod | Deployment | Service | Ingress | ConfigMap | Secret | PersistentVolumeClaim
)


def ref_of(thing: Object) -> Ref:
    return Ref(type(thing).__name__, thing.metadata.namespace, thing.metadata.name)
