"""What network policies come to for the pods of a host."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal

from msgspec import Struct

from reconciler.model.api.networking import NetworkPolicySpec

NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""Upstream gives it to every namespace."""


INGRESS_NAMESPACE: Final = "reconciler-ingress"


INGRESS_LABELS: Final[Mapping[str, str]] = {"app.kubernetes.io/name": "ingress"}
"""What serves the Ingresses is to policies a pod with these labels, in this namespace, at the edges' addresses."""


def governs_ingress(spec: NetworkPolicySpec) -> bool:
    """What comes in to the pods that it selects."""
    return not spec.policy_types or "Ingress" in spec.policy_types


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
    """What one host lets through to and from its isolated pods."""

    sets: tuple[RuleSet, ...] = ()
    """The sets of rules, by name."""
    pods: tuple[PodPolicy, ...] = ()
    """The isolated pods, by address."""
    addresses: tuple[str, ...] = ()
    """The address of every pod there, isolated or not, if there is any policy: each is for its own MAC address
    alone."""
