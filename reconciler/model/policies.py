"""Network policies: what a manifest says of them, and what follows for the pods of a host.

Rules: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""Upstream gives it to every namespace."""
INGRESS_NAMESPACE: Final = "reconciler-ingress"
INGRESS_LABELS: Final[Mapping[str, str]] = {"app.kubernetes.io/name": "ingress"}
"""What serves the Ingresses is to policies a pod with these labels, in this namespace, at the edges' addresses."""

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


def matches(selector: PeerSelector, labels: Mapping[str, str]) -> bool:
    if not selector.match_labels.items() <= labels.items():
        return False
    for one in selector.match_expressions:
        match one.operator:
            case "In":
                holds = labels.get(one.key) in one.values
            case "NotIn":
                holds = labels.get(one.key) not in one.values
            case "Exists":
                holds = one.key in labels
            case "DoesNotExist":
                holds = one.key not in labels
        if not holds:
            return False
    return True


def governs_ingress(spec: NetworkPolicySpec) -> bool:
    """What comes in to the pods that it selects."""
    return not spec.policy_types or "Ingress" in spec.policy_types


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

    def lets_in(self, addresses: Iterable[IPv4Address], port: int) -> bool:
        """Every one of them, to this TCP port."""
        networks = [
            IPv4Network(one.cidr)
            for one in self.allowed
            if one.protocol in ("", "tcp") and (not one.first or one.first <= port <= one.last)
        ]
        return all(any(address in network for network in networks) for address in addresses)


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
    addresses: tuple[str, ...] = ()
    """Of every pod there, isolated or not, where there is any policy: each is for its own MAC address alone."""
