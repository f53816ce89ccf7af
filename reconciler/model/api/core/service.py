"""Services.

Rules: https://kubernetes.io/docs/concepts/services-networking/service/
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.api.meta import Condition, ObjectMeta
from reconciler.model.service_options import ServiceOptions

ServiceType: TypeAlias = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]


TrafficPolicy: TypeAlias = Literal["Cluster", "Local"]


class ClientIPConfig(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How long a client is remembered."""

    timeout_seconds: int = 10800


class SessionAffinityConfig(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How clients are remembered."""

    client_ip: ClientIPConfig = field(default=ClientIPConfig(), name="clientIP")


class ServicePort(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A port of a Service, and where in its pods it leads."""

    port: int
    name: str = ""
    protocol: Literal["TCP"] = "TCP"
    target_port: int | str = 0
    """A port's number or its name in the pod; 0: the same as `port`. EndpointSlices have their own."""
    node_port: int = 0
    """0: chosen from 30000-32767 and remembered, where the type is NodePort or LoadBalancer."""
    app_protocol: str = ""


class ServiceSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Who answers for a Service, and where it is reached."""

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
    """Which pods get connections to node ports, edges and external addresses."""
    publish_not_ready_addresses: bool = False
    load_balancer_source_ranges: tuple[str, ...] = ()
    """Who may connect at the edges; empty: everybody."""
    allocate_load_balancer_node_ports: bool = True


class LoadBalancerIngress(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One of the two: where a Service or an Ingress is reached from outside."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where a Service is reached from outside of the cluster."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where a Service is reached, beyond what its spec says."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    """The edges, of a Service of type LoadBalancer."""
    conditions: tuple[Condition, ...] = ()
    """Allocated: false, with the reason, while it has not got an address or a port that it asks for."""


class Service(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One stable name and address for pods that come and go."""

    metadata: ObjectMeta
    spec: ServiceSpec
    options: ServiceOptions = ServiceOptions()
    """What its annotations `reconciler.dev/…` say."""
    status: ServiceStatus = ServiceStatus()


def load_balancer_ingress(address: str) -> LoadBalancerIngress:
    """The entry for one address, which is an IPv4 address or a name."""
    return LoadBalancerIngress(ip=address) if address[-1:].isdigit() else LoadBalancerIngress(hostname=address)


def load_balancer_addresses(balancer: LoadBalancerStatus) -> tuple[str, ...]:
    """The addresses of its entries, in their order."""
    return tuple(one.ip or one.hostname for one in balancer.ingress)
