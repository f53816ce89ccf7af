"""Whose connections a node's proxy may pass on to a Service: what the policies of the pods behind it come to.

A pod sees the proxy, not the client, so the policies of both are the proxy's to keep. Which lists of addresses a
Service has follows from the policies alone: pods that come and go change what is on them, and that is no reload.
Pure; for the layer.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

from msgspec import Struct

from reconciler.model.desired import Desired
from reconciler.model.memory import NodeRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.policies import PodPolicy, RuleSet
from reconciler.services.cidrs import (
    EVERYTHING,
    NOTHING,
    Ranges,
    cidrs_of,
    intersection,
    ranges_of,
    union,
)
from reconciler.services.policy import Isolation
from reconciler.services.policy_evaluation import governs_egress, governs_ingress

_LOOPBACK: Final = "127.0.0.0/8"


class Sources(Struct, frozen=True):
    """By their address; all networks, sorted. None: there is no such list."""

    allowed: tuple[str, ...] | None = None
    """Nobody else."""
    denied: tuple[str, ...] | None = None
    """Goes before `allowed`."""


ANYBODY: Final = Sources()


def service_sources(
    desired: Desired, isolation: Isolation, endpoints: Mapping[Ref, Sequence[Endpoint]], own: Sequence[str]
) -> Mapping[Ref, tuple[Sources, ...]]:
    """For each port of each Service, in order; a Service that no policy concerns is not in it.

    A client is let through if every pod behind the port may have it, and it every pod: which of them it gets, the
    proxy decides later. `own`: addresses of the hosts, which every pod takes connections from.
    """
    policies = _Policies(desired)
    if not policies.any:
        return {}
    pods = {pod.ip: pod for found in isolation.pods.values() for pod in found}
    rules = _Rules(isolation.sets)
    hosts = ranges_of(own)
    confined = _by_egress(pods.values())
    found = {}
    for ref, service in desired.services.items():
        behind = endpoints.get(ref, ())
        sources = tuple(
            policies.listed(
                ref, _sources([(e.ip, e.ports[at]) for e in behind if e.ports[at]], pods, confined, rules, hosts)
            )
            for at in range(len(service.spec.ports))
        )
        if any(each != ANYBODY for each in sources):
            found[ref] = sources
    return found


def hosts_own(desired: Desired, records: Mapping[str, NodeRecord]) -> tuple[str, ...]:
    """What connections of the hosts themselves come from, and of pods on a host's own network.

    A connection to a Service's address on the very host comes from that address.
    """
    gateways = [
        str(IPv4Network(record.pod_cidr).network_address + 1) for record in records.values() if record.pod_cidr
    ]
    hosts = [node.ssh.host for node in desired.nodes.values() if _is_address(node.ssh.host)]
    return (_LOOPBACK, desired.cluster.spec.service_cidr, *gateways, *hosts)


class _Policies:
    """Which Services they may concern, whatever pods there are."""

    def __init__(self, desired: Desired) -> None:
        specs = [(policy.metadata.namespace, policy.spec) for policy in desired.network_policies.values()]
        self._everywhere = desired.cluster.spec.network.isolate_namespaces
        self._namespaces = {namespace for namespace, spec in specs if governs_ingress(spec)}
        self._egress = any(governs_egress(spec) for _, spec in specs)
        self.any = bool(specs) or self._everywhere

    def listed(self, service: Ref, found: Sources) -> Sources:
        """With the lists that its section has."""
        ingress = self._everywhere or service.namespace in self._namespaces
        return Sources(
            cidrs_of(EVERYTHING) if found.allowed is None and ingress else found.allowed,
            () if found.denied is None and self._egress else found.denied,
        )


class _Rules:
    """What a RuleSet allows at one TCP port; each is asked for many times."""

    def __init__(self, sets: Mapping[str, RuleSet]) -> None:
        self._sets = sets
        self._known: dict[tuple[str, int], Ranges] = {}

    def at(self, name: str, port: int) -> Ranges:
        key = (name, port)
        if key not in self._known:
            self._known[key] = ranges_of(
                one.cidr
                for one in self._sets[name].allowed
                if one.protocol in ("", "tcp") and (not one.first or one.first <= port <= one.last)
            )
        return self._known[key]


def _sources(
    targets: Sequence[tuple[str, int]],
    pods: Mapping[str, PodPolicy],
    confined: Mapping[str, Ranges],
    rules: _Rules,
    hosts: Ranges,
) -> Sources:
    guards = {(pods[ip].ingress, port) for ip, port in targets if ip in pods and pods[ip].ingress}
    allowed = EVERYTHING
    for name, port in sorted(guards):
        allowed = intersection(allowed, rules.at(name, port))
    denied = NOTHING
    for name, clients in confined.items():
        if not all(_holds(rules.at(name, port), ip) for ip, port in targets):
            denied = union(denied, clients)
    everybody = None if allowed == EVERYTHING else cidrs_of(union(allowed, hosts))
    return Sources(everybody, cidrs_of(denied) if denied else None)


def _by_egress(pods: Iterable[PodPolicy]) -> Mapping[str, Ranges]:
    """The addresses of the pods under each egress RuleSet."""
    found: dict[str, list[str]] = {}
    for pod in pods:
        if pod.egress:
            found.setdefault(pod.egress, []).append(pod.ip)
    return {name: ranges_of(ips) for name, ips in sorted(found.items())}


def _holds(ranges: Ranges, ip: str) -> bool:
    return bool(intersection(ranges, ranges_of((ip,))))


def _is_address(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True
