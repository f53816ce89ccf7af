"""Network policies: what a manifest says of them, and what follows for the pods of a host.

Rules: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

# --- as written ---------------------------------------------------------------------------------------------


class Requirement(Struct, frozen=True, rename="camel"):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class PeerSelector(Struct, frozen=True, rename="camel"):
    """All of it must hold; an empty one selects everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class IpBlock(Struct, frozen=True, rename="camel"):
    cidr: str
    without: tuple[str, ...] = field(default=(), name="except")


class PolicyPeer(Struct, frozen=True, rename="camel"):
    """Pods, by their own labels and their namespace's; or addresses."""

    pod_selector: PeerSelector | None = None
    namespace_selector: PeerSelector | None = None
    """None: the policy's own namespace."""
    ip_block: IpBlock | None = None


class PolicyPort(Struct, frozen=True, rename="camel"):
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    port: int | str | None = None
    """None: all; a name is that of the port in the pod that is connected to."""
    end_port: int | None = None


class IngressRule(Struct, frozen=True, rename="camel"):
    peers: tuple[PolicyPeer, ...] = field(default=(), name="from")
    """Empty: from anywhere."""
    ports: tuple[PolicyPort, ...] = ()
    """Empty: all."""


class EgressRule(Struct, frozen=True, rename="camel"):
    peers: tuple[PolicyPeer, ...] = field(default=(), name="to")
    ports: tuple[PolicyPort, ...] = ()


PolicyType: TypeAlias = Literal["Ingress", "Egress"]


class NetworkPolicySpec(Struct, frozen=True, rename="camel"):
    pod_selector: PeerSelector = PeerSelector()
    ingress: tuple[IngressRule, ...] = ()
    egress: tuple[EgressRule, ...] = ()
    policy_types: tuple[PolicyType, ...] = ()
    """Empty: Ingress, and Egress too where there are rules for it."""


# --- as enforced --------------------------------------------------------------------------------------------


class Allowed(Struct, frozen=True, order=True):
    """Traffic that a pod may have: with these addresses, to these ports."""

    cidr: str
    protocol: Literal["", "tcp", "udp", "sctp"] = ""
    """Empty: every one, and every port."""
    first: int = 0
    """0: every port of the protocol."""
    last: int = 0


class RuleSet(Struct, frozen=True):
    """Shared by all pods that may have the same."""

    name: str
    """Follows from what is in it: other rules, another name."""
    allowed: tuple[Allowed, ...]


class PodPolicy(Struct, frozen=True, order=True):
    """One pod that is isolated, in one way or in both."""

    ip: str
    ingress: str = ""
    """The name of the RuleSet that says who may connect to it; empty: anybody."""
    egress: str = ""
    """The name of the RuleSet that says what it may connect to; empty: anything."""


class NodePolicy(Struct, frozen=True):
    """Of the isolated pods of one host."""

    sets: tuple[RuleSet, ...] = ()
    """By name."""
    pods: tuple[PodPolicy, ...] = ()
    """By address."""
