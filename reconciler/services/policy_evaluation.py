"""Evaluates network policies over all pods at once. Called by policy.py.

Pods with the same namespace, labels and ports have the same rules, so these are worked out once for all of them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from reconciler.model.api.core.container import is_sidecar
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.meta import matches
from reconciler.model.api.networking import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from reconciler.model.memory import PodIntent
from reconciler.model.policies import NAMESPACE_LABEL, Allowed, PodPolicy, RuleSet, governs_ingress
from reconciler.services.cidrs import EVERYTHING, NOTHING, Ranges, cidrs_of, ranges_of, union, without

_EVERY_PORT: Final = (NetworkPolicyPort(),)

Protocol: TypeAlias = Literal["", "tcp", "udp", "sctp"]
_PROTOCOLS: Final[Mapping[str, Protocol]] = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
_PortRange: TypeAlias = tuple[Protocol, int, int]
"""As in Allowed."""
_ALL: Final[_PortRange] = ("", 0, 0)
_AllowedRanges: TypeAlias = tuple[tuple[_PortRange, Ranges], ...]
"""The addresses that are allowed at each, sorted."""


class _Shape(Struct, frozen=True):
    """All that policies can tell of a pod beside its address."""

    namespace: str
    labels: tuple[tuple[str, str], ...]
    ports: tuple[tuple[str, Protocol, int], ...]
    """The named ones: name, protocol and number."""


class Evaluation:
    """`pods`: also what only is at a rule's other end; it has no uid."""

    def __init__(
        self, policies: Sequence[NetworkPolicy], namespaces: Mapping[str, Namespace], pods: Sequence[PodIntent]
    ) -> None:
        self._policies: defaultdict[str, list[NetworkPolicy]] = defaultdict(list)
        for policy in policies:
            self._policies[policy.metadata.namespace].append(policy)
        self._shapes: defaultdict[_Shape, list[PodIntent]] = defaultdict(list)
        for pod in pods:
            self._shapes[_Shape(pod.namespace, tuple(sorted(pod.labels.items())), _named_ports(pod.spec))].append(
                pod
            )
        self._labels = {
            name: {**(namespaces[name].metadata.labels if name in namespaces else {}), NAMESPACE_LABEL: name}
            for name in {shape.namespace for shape in self._shapes}
        }
        self._addresses = {shape: ranges_of(pod.ip for pod in pods) for shape, pods in self._shapes.items()}
        self._reached: dict[int, tuple[list[_Shape], Ranges]] = {}
        self._sets: dict[_AllowedRanges, RuleSet] = {}

    def outcome(self) -> tuple[Mapping[str, RuleSet], Mapping[str, tuple[PodPolicy, ...]]]:
        """The sets of rules by name, and the isolated pods of each node by address."""
        sets: dict[str, RuleSet] = {}
        by_node: defaultdict[str, list[PodPolicy]] = defaultdict(list)
        for shape, pods in self._shapes.items():
            ingress, egress = self._ingress(shape), self._egress(shape)
            sets |= {one.name: one for one in (ingress, egress) if one is not None}
            names = (ingress.name if ingress else "", egress.name if egress else "")
            if any(names):
                for pod in filter(_is_a_pod, pods):
                    by_node[pod.node].append(PodPolicy(pod.ip, *names))
        return sets, {node: tuple(sorted(found)) for node, found in sorted(by_node.items())}

    def _ingress(self, shape: _Shape) -> RuleSet | None:
        chosen = [policy for policy in self._selecting(shape) if governs_ingress(policy.spec)]
        if not chosen:
            return None
        entries = (
            (ports, self._reach(rule, policy)[1])
            for policy in chosen
            for rule in policy.spec.ingress
            for port in rule.ports or _EVERY_PORT
            for ports in _resolved(port, shape, rule.ports == ())
        )
        return self._rule_set(entries)

    def _egress(self, shape: _Shape) -> RuleSet | None:
        chosen = [policy for policy in self._selecting(shape) if governs_egress(policy.spec)]
        if not chosen:
            return None
        rules = ((policy, rule) for policy in chosen for rule in policy.spec.egress)
        return self._rule_set(entry for policy, rule in rules for entry in self._towards(policy, rule))

    def _rule_set(self, entries: Iterable[tuple[_PortRange, Ranges]]) -> RuleSet:
        """Pods of many shapes may have the same."""
        rules = _merged(entries)
        if (known := self._sets.get(rules)) is None:
            known = self._sets[rules] = _rule_set(rules)
        return known

    def _towards(
        self, policy: NetworkPolicy, rule: NetworkPolicyEgressRule
    ) -> Iterator[tuple[_PortRange, Ranges]]:
        """A port's name means another number in each pod that is connected to, and nothing in an address."""
        shapes, addresses = self._reach(rule, policy)
        for port in rule.ports or _EVERY_PORT:
            if isinstance(port.port, str):
                for shape in shapes:
                    for ports in _resolved(port, shape, False):
                        yield ports, self._addresses[shape]
            else:
                for ports in _resolved(port, None, rule.ports == ()):
                    yield ports, addresses

    def _selecting(self, shape: _Shape) -> Iterator[NetworkPolicy]:
        labels = dict(shape.labels)
        return (p for p in self._policies[shape.namespace] if matches(p.spec.pod_selector, labels))

    def _reach(
        self, rule: NetworkPolicyIngressRule | NetworkPolicyEgressRule, policy: NetworkPolicy
    ) -> tuple[list[_Shape], Ranges]:
        """The pods and the addresses at a rule's other end."""
        if (known := self._reached.get(id(rule))) is None:
            known = self._reached[id(rule)] = self._look_up(rule.peers, policy.metadata.namespace)
        return known

    def _look_up(self, peers: Sequence[NetworkPolicyPeer], namespace: str) -> tuple[list[_Shape], Ranges]:
        if not peers:
            return list(self._shapes), EVERYTHING
        shapes = [s for s in self._shapes if any(self._is_meant(s, peer, namespace) for peer in peers)]
        blocks = [_block(peer.ip_block) for peer in peers if peer.ip_block is not None]
        return shapes, union(*blocks, *(self._addresses[shape] for shape in shapes))

    def _is_meant(self, shape: _Shape, peer: NetworkPolicyPeer, namespace: str) -> bool:
        if peer.ip_block is not None:
            return False
        if peer.namespace_selector is None:
            if shape.namespace != namespace:
                return False
        elif not matches(peer.namespace_selector, self._labels[shape.namespace]):
            return False
        return peer.pod_selector is None or matches(peer.pod_selector, dict(shape.labels))


def _is_a_pod(intent: PodIntent) -> bool:
    return bool(intent.uid)


def governs_egress(spec: NetworkPolicySpec) -> bool:
    """What goes out of the pods that it selects."""
    return "Egress" in spec.policy_types if spec.policy_types else bool(spec.egress)


def _resolved(port: NetworkPolicyPort, target: _Shape | None, every: bool) -> Iterable[_PortRange]:
    """The ports of a pod that are meant; a name that it does not have means none."""
    protocol = _PROTOCOLS[port.protocol]
    if every:
        return (_ALL,)
    if port.port is None:
        return ((protocol, 0, 0),)
    if isinstance(port.port, int):
        return ((protocol, port.port, port.end_port or port.port),)
    named = target.ports if target is not None else ()
    return [(known, number, number) for name, known, number in named if (name, known) == (port.port, protocol)]


def _block(block: IPBlock) -> Ranges:
    return without(ranges_of((block.cidr,)), ranges_of(block.without))


def _named_ports(spec: PodSpec | None) -> tuple[tuple[str, Protocol, int], ...]:
    if spec is None:
        return ()
    lasting = (*filter(is_sidecar, spec.init_containers), *spec.containers)
    return tuple(
        (port.name, _PROTOCOLS[port.protocol], port.container_port)
        for container in lasting
        for port in container.ports
        if port.name
    )


def _merged(entries: Iterable[tuple[_PortRange, Ranges]]) -> _AllowedRanges:
    """What may be at every port of an address is not said again of some."""
    found: defaultdict[_PortRange, Ranges] = defaultdict(lambda: NOTHING)
    for ports, ranges in entries:
        found[ports] = union(found[ports], ranges)
    everywhere = found.pop(_ALL, NOTHING)
    return ((_ALL, everywhere), *((ports, without(found[ports], everywhere)) for ports in sorted(found)))


def _rule_set(rules: _AllowedRanges) -> RuleSet:
    allowed = sorted(Allowed(cidr, *ports) for ports, ranges in rules for cidr in cidrs_of(ranges))
    digest = hashlib.sha256(msgspec.json.encode(allowed)).hexdigest()[:12]
    return RuleSet(digest, tuple(allowed))
