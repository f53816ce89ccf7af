"""What JSON Schema cannot say about a NetworkPolicy."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.model.api.meta import LabelSelector
from reconciler.model.api.networking import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
)


def check_network_policy(policy: NetworkPolicy) -> Iterator[Finding]:
    """Errors about the selectors, peers and ports of a NetworkPolicy."""
    spec = policy.spec
    yield from _selector(spec.pod_selector, ("spec", "podSelector"))
    sides: tuple[tuple[str, str, Sequence[NetworkPolicyIngressRule | NetworkPolicyEgressRule]], ...] = (
        ("ingress", "from", spec.ingress),
        ("egress", "to", spec.egress),
    )
    for side, ends, rules in sides:
        for index, rule in enumerate(rules):
            at: Pointer = ("spec", side, index)
            for number, peer in enumerate(rule.peers):
                yield from _peer(peer, (*at, ends, number))
            for number, port in enumerate(rule.ports):
                yield from _port(port, (*at, "ports", number))
    for index, kind in enumerate(spec.policy_types):
        if kind in spec.policy_types[:index]:
            message, fix = f"{kind} is given twice", "write it once"
            yield Finding(("spec", "policyTypes", index), Code.DUPLICATE_NAME, message, fix)


def _peer(peer: NetworkPolicyPeer, at: Pointer) -> Iterator[Finding]:
    selectors = (("podSelector", peer.pod_selector), ("namespaceSelector", peer.namespace_selector))
    for field, selector in selectors:
        if selector is not None:
            yield from _selector(selector, (*at, field))
    if peer.ip_block is not None:
        if peer.pod_selector is not None or peer.namespace_selector is not None:
            message = "addresses and selectors are two peers"
            yield Finding(at, Code.CONFLICTING_FIELDS, message, "give ipBlock an item of its own in the list")
        yield from _block(peer.ip_block, (*at, "ipBlock"))


def _block(block: IPBlock, at: Pointer) -> Iterator[Finding]:
    whole = IPv4Network(block.cidr, strict=False)
    for index, cidr in enumerate(block.without):
        part = IPv4Network(cidr, strict=False)
        if part == whole or not part.subnet_of(whole):
            message = f"{cidr} is not a part of {block.cidr}"
            yield Finding(
                (*at, "except", index), Code.OUTSIDE_CIDR, message, "write a smaller network inside of it"
            )


def _port(port: NetworkPolicyPort, at: Pointer) -> Iterator[Finding]:
    if port.end_port is None:
        return
    if not isinstance(port.port, int):
        message = "a range of ports begins with a number"
        yield Finding(
            (*at, "endPort"), Code.CONFLICTING_FIELDS, message, "write the first port's number in `port`"
        )
    elif port.end_port < port.port:
        message = f"the range would end before it begins, at {port.port}"
        yield Finding((*at, "endPort"), Code.INVALID_VALUE, message, f"write {port.port} or more")


def _selector(selector: LabelSelector, at: Pointer) -> Iterator[Finding]:
    for index, one in enumerate(selector.match_expressions):
        here: Pointer = (*at, "matchExpressions", index)
        listed = one.operator in ("In", "NotIn")
        if listed and not one.values:
            message = f"{one.operator} needs values"
            yield Finding(here, Code.MISSING_FIELD, message, "add `values` with at least one")
        elif not listed and one.values:
            message = f"{one.operator} takes no values"
            yield Finding((*here, "values"), Code.CONFLICTING_FIELDS, message, "remove them, or write In or NotIn")
