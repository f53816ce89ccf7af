"""The objects a manifest can hold, typed: a strict subset of upstream Kubernetes, and our `Cluster`.

Field names are Kubernetes' own (camelCase outside, snake_case here). Only fields that change something here
have a place; the schemas say of every other one whether it is accepted with a warning or refused.
Built by `manifests` alone, after JSON Schema has accepted the document.
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.cluster import ClusterSpec
from reconciler.model.ingress import OUR_CLASSES, IngressOptions, IngressSpec
from reconciler.model.names import ANNOTATION_CLASS, Ref
from reconciler.model.pods import PodSpec, Resources
from reconciler.model.policies import NetworkPolicySpec
from reconciler.model.secrets import SecretText
from reconciler.model.services import (
    LABEL_SERVICE_NAME,
    PortProtocol,
    ServiceOptions,
    ServiceType,
    SessionAffinityConfig,
    SliceEndpoint,
    SlicePort,
    TrafficPolicy,
    protocol_of,
)


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
    rolling_update: RollingUpdate | None = None
    """Of RollingUpdate alone; its defaults where absent."""


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
    """A port's number or its name in the pod; 0: the same as `port`. EndpointSlices have their own."""
    node_port: int = 0
    """0: chosen from 30000-32767 and remembered, where the type is NodePort or LoadBalancer."""
    app_protocol: str = ""


class ServiceSpec(Struct, frozen=True, rename="camel"):
    ports: tuple[ServicePort, ...] = ()
    """None only of a headless Service or an ExternalName."""
    selector: dict[str, str] = {}
    """Empty: its EndpointSlices say who answers."""
    type: ServiceType = "ClusterIP"
    cluster_ip: str = field(default="", name="clusterIP")
    """An address of the service CIDR; empty: chosen and remembered; `None`: headless."""
    external_name: str = ""
    """What an ExternalName stands for."""
    external_ips: tuple[str, ...] = field(default=(), name="externalIPs")
    """Its ports are open at these, too, on every node."""
    session_affinity: Literal["None", "ClientIP"] = "None"
    session_affinity_config: SessionAffinityConfig = SessionAffinityConfig()
    internal_traffic_policy: TrafficPolicy = "Cluster"
    external_traffic_policy: TrafficPolicy = "Cluster"
    """Of connections to node ports, edges and external addresses."""
    publish_not_ready_addresses: bool = False
    load_balancer_source_ranges: tuple[str, ...] = ()
    """Who may connect at the edges; empty: everybody."""
    allocate_load_balancer_node_ports: bool = True


class Service(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: ServiceSpec
    options: ServiceOptions = ServiceOptions()
    """From its annotations `reconciler.dev/…`."""


def is_headless(service: Service) -> bool:
    """It has a name and no address: clients find its pods' own."""
    return service.spec.cluster_ip == "None"


def port_protocol(service: Service, port: ServicePort) -> PortProtocol:
    """How connections to the port are balanced; the one place where that is decided."""
    return protocol_of(service.options, port.app_protocol)


class EndpointSlice(Struct, frozen=True, rename="camel"):
    """Who answers for a Service without a selector."""

    metadata: ObjectMeta
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()
    address_type: Literal["IPv4"] = "IPv4"


def service_of(endpoint_slice: EndpointSlice) -> Ref:
    """The Service that it belongs to, by its label; every one that is accepted has it."""
    meta = endpoint_slice.metadata
    return Ref("Service", meta.namespace, meta.labels.get(LABEL_SERVICE_NAME, ""))


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


class NetworkPolicy(Struct, frozen=True, rename="camel"):
    """Pods that one selects have only the traffic that some policy allows; replies are always allowed."""

    metadata: ObjectMeta
    spec: NetworkPolicySpec = NetworkPolicySpec()


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


class Cluster(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: ClusterSpec = ClusterSpec()


Object: TypeAlias = (
    Cluster
    | Node
    | Namespace
    | Pod
    | Deployment
    | Service
    | EndpointSlice
    | Ingress
    | NetworkPolicy
    | ConfigMap
    | Secret
    | PersistentVolumeClaim
)


def ref_of(thing: Object) -> Ref:
    return Ref(type(thing).__name__, thing.metadata.namespace, thing.metadata.name)
