"""The types of the API group networking.k8s.io.

Rules: https://kubernetes.io/docs/concepts/services-networking/ingress/ and
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.api.core.service import LoadBalancerStatus
from reconciler.model.api.meta import LabelSelector, ObjectMeta
from reconciler.model.ingress_options import IngressOptions

PathType: TypeAlias = Literal["Exact", "Prefix", "ImplementationSpecific"]


class ServiceBackendPort(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A port of a Service, by its name or by its number."""

    name: str = ""
    number: int = 0

    def __str__(self) -> str:
        return self.name or str(self.number)


class IngressServiceBackend(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A Service, and its port, that requests go to."""

    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class IngressBackend(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where requests go."""

    service: IngressServiceBackend


class HTTPIngressPath(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Which paths go where."""

    path_type: PathType
    backend: IngressBackend
    path: str = ""
    """Empty, for ImplementationSpecific alone: every path."""


class HTTPIngressRuleValue(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The paths of one host."""

    paths: tuple[HTTPIngressPath, ...] = ()


class IngressRule(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where requests for one host go."""

    host: str = ""
    """`shop.example.org`, or `*.example.org` for any one label; empty: every host that no other rule names."""
    http: HTTPIngressRuleValue = HTTPIngressRuleValue()


class IngressTLS(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The certificate for some hosts."""

    hosts: tuple[str, ...] = ()
    """Empty: those of the rules."""
    secret_name: str = ""


class IngressSpec(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where requests go, by host and by path."""

    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = field(default=())


class IngressStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where an Ingress is reached."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    """Where it is reached: at the edges, unless it is left to another controller."""


class Ingress(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Which Service answers HTTP requests for a host and a path."""

    metadata: ObjectMeta
    spec: IngressSpec
    options: IngressOptions = IngressOptions()
    """What its annotations `reconciler.dev/…` say."""
    status: IngressStatus = IngressStatus()


class IPBlock(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A network, without some networks in it."""

    cidr: str
    without: tuple[str, ...] = field(default=(), name="except")


class NetworkPolicyPeer(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who is at the other end: pods, by their own labels and their namespace's, or addresses."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    """None: the policy's own namespace."""
    ip_block: IPBlock | None = None


class NetworkPolicyPort(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Ports that a rule allows."""

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    port: int | str | None = None
    """None: all; a name is that of the port in the pod that is connected to."""
    end_port: int | None = None


class NetworkPolicyIngressRule(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Traffic to the pods that is allowed."""

    peers: tuple[NetworkPolicyPeer, ...] = field(default=(), name="from")
    """Empty: from anywhere."""
    ports: tuple[NetworkPolicyPort, ...] = ()
    """Empty: all."""


class NetworkPolicyEgressRule(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Traffic from the pods that is allowed."""

    peers: tuple[NetworkPolicyPeer, ...] = field(default=(), name="to")
    ports: tuple[NetworkPolicyPort, ...] = ()


PolicyType: TypeAlias = Literal["Ingress", "Egress"]


class NetworkPolicySpec(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Which traffic of which pods is allowed."""

    pod_selector: LabelSelector = LabelSelector()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    policy_types: tuple[PolicyType, ...] = ()
    """Empty: Ingress, and Egress too where there are rules for it."""


class NetworkPolicy(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What traffic the pods that it selects may have; replies are always allowed."""

    metadata: ObjectMeta
    spec: NetworkPolicySpec = NetworkPolicySpec()
