"""Whose connections a node's proxy may pass on to a Service: what the policies of the pods behind it come to.

A pod sees the proxy, not the client, so the policies of both are the proxy's to keep. Which lists of addresses a
Service has follows from the policies alone: pods that come and go change what is on them, and that is no reload.
Pure; for the layer.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from msgspec import Struct

from reconciler.model.addresses import is_ipv4
from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import NetworkPolicy
from reconciler.model.desired import Desired
from reconciler.model.memory import NodeRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.policies import PodPolicy, RuleSet, governs_ingress
from reconciler.services.cidrs import (
    EVERYTHING,
    Ranges,
    cidrs_of,
    holds,
    intersection,
    ranges_of,
    union,
)
from reconciler.services.policy import Isolation
from reconciler.services.policy_evaluation import governs_egress

_LOOPBACK: Final = "127.0.0.0/8"


class Sources(Struct, frozen=True):
    """Who may connect to a port, by address: lists of networks, sorted. None: there is no such list."""

    allowed: tuple[str, ...] | None = None
    """The networks that may connect, and nobody else."""
    denied: tuple[str, ...] | None = None
    """Goes before `allowed`."""


ANYBODY: Final = Sources()
_EVERYBODY: Final = cidrs_of(EVERYTHING)


def service_sources(
    desired: Desired, isolation: Isolation, endpoints: Mapping[Ref, Sequence[Endpoint]], own: Sequence[str]
) -> Mapping[Ref, tuple[Sources, ...]]:
    """Return who may reach each port of each Service, in order; a Service that no policy concerns is not in it.

    A client is let through if every pod behind the port may have it, and it every pod: which of them it gets, the
    proxy decides later. `own`: addresses of the hosts, which every pod takes connections from.
    """
    return SourcesCache().sources(desired, isolation, endpoints, own)


class SourcesCache:
    """`service_sources` for a loop: what says the same as before is the very same object.

    A pod that becomes ready costs a comparison; pods that come and go behind a Service cost that Service. Where
    policies or isolated pods changed, each Service is looked at, but only for RuleSets that are new.

    Not shared between threads.
    """

    def __init__(self) -> None:
        self._rules = _RuleRanges()
        self._ground: _Ground | None = None
        self._services: dict[Ref, _Service] = {}
        self._found: dict[Ref, tuple[Sources, ...]] = {}

    def sources(
        self,
        desired: Desired,
        isolation: Isolation,
        endpoints: Mapping[Ref, Sequence[Endpoint]],
        own: Sequence[str],
    ) -> Mapping[Ref, tuple[Sources, ...]]:
        inputs = (_scope(desired), isolation, tuple(own))
        if self._ground is None or self._ground.inputs != inputs:
            self._rules.follow(isolation.sets)
            self._ground = _Ground(inputs, self._rules)
        services = desired.of(Service) if self._ground.scope.any else {}
        self._services = {ref: self._services.get(ref) or _Service(ref) for ref in services}
        found: dict[Ref, tuple[Sources, ...]] = {}
        for ref, service in self._services.items():
            listed = service.sources(self._ground, endpoints.get(ref, ()), len(services[ref].spec.ports))
            if any(each != ANYBODY for each in listed):
                found[ref] = listed
        self._found = self._found if found == self._found else found
        return self._found


def hosts_own(desired: Desired, records: Mapping[str, NodeRecord]) -> tuple[str, ...]:
    """What connections of the hosts themselves come from, and of pods on a host's own network.

    A connection to a Service's address on the very host comes from that address. A host whose Node has a name has
    the address that it was reached at last.
    """
    gateways = [
        str(IPv4Network(record.pod_cidr).network_address + 1) for record in records.values() if record.pod_cidr
    ]
    hosts = [
        node.ssh.host if is_ipv4(node.ssh.host) else records[name].address if name in records else ""
        for name, node in desired.nodes.items()
    ]
    return (_LOOPBACK, desired.cluster.spec.service_cidr, *gateways, *filter(None, hosts))


class _Scope(Struct, frozen=True):
    """Which Services policies may concern, whatever pods there are."""

    everywhere: bool
    namespaces: frozenset[str]
    """With a policy for what comes in."""
    egress: bool
    any: bool

    def listed(self, service: Ref, found: Sources) -> Sources:
        """With the lists that its section has."""
        ingress = self.everywhere or service.namespace in self.namespaces
        return Sources(
            _EVERYBODY if found.allowed is None and ingress else found.allowed,
            () if found.denied is None and self.egress else found.denied,
        )


def _scope(desired: Desired) -> _Scope:
    specs = [(policy.metadata.namespace, policy.spec) for policy in desired.of(NetworkPolicy).values()]
    everywhere = desired.cluster.spec.network.isolate_namespaces
    return _Scope(
        everywhere=everywhere,
        namespaces=frozenset(namespace for namespace, spec in specs if governs_ingress(spec)),
        egress=any(governs_egress(spec) for _, spec in specs),
        any=bool(specs) or everywhere,
    )


class _RuleRanges:
    """What a RuleSet allows at one TCP port; each is asked for many times.

    Known for as long as there is one of its name, which follows from what is in it."""

    def __init__(self) -> None:
        self._sets: Mapping[str, RuleSet] = {}
        self._known: dict[tuple[str, int], Ranges] = {}

    def follow(self, sets: Mapping[str, RuleSet]) -> None:
        self._sets = sets
        self._known = {key: ranges for key, ranges in self._known.items() if key[0] in sets}

    def at(self, name: str, port: int) -> Ranges:
        key = (name, port)
        if key not in self._known:
            self._known[key] = ranges_of(
                one.cidr
                for one in self._sets[name].allowed
                if one.protocol in ("", "tcp") and (not one.first or one.first <= port <= one.last)
            )
        return self._known[key]


class _Ground:
    """What all Services have in common, and lists that several of them have."""

    def __init__(self, inputs: tuple[_Scope, Isolation, tuple[str, ...]], rules: _RuleRanges) -> None:
        self.inputs = inputs
        self.scope, isolation, own = inputs
        self.rules = rules
        self.pods = {pod.ip: pod for found in isolation.pods.values() for pod in found}
        self.confined = _by_egress(self.pods.values())
        self._hosts = ranges_of(own)
        self._allowed: dict[frozenset[tuple[str, int]], tuple[str, ...] | None] = {}
        self._denied: dict[tuple[str, ...], tuple[str, ...] | None] = {}

    def allowed(self, guards: frozenset[tuple[str, int]]) -> tuple[str, ...] | None:
        """Whom all of these ingress RuleSets let in, each at a port."""
        if guards not in self._allowed:
            allowed = EVERYTHING
            for name, port in guards:
                allowed = intersection(allowed, self.rules.at(name, port))
            everybody = None if allowed == EVERYTHING else cidrs_of(union(allowed, self._hosts))
            self._allowed[guards] = everybody
        return self._allowed[guards]

    def denied(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """The pods under these egress RuleSets."""
        if names not in self._denied:
            self._denied[names] = cidrs_of(union(*(self.confined[name] for name in names))) if names else None
        return self._denied[names]


class _Service:
    """The lists of one Service, and what they came from."""

    def __init__(self, ref: Ref) -> None:
        self._ref = ref
        self._ground: _Ground | None = None
        self._behind: Sequence[Endpoint] = ()
        self._ports: tuple[_Port, ...] = ()
        self._sources: tuple[Sources, ...] = ()

    def sources(self, ground: _Ground, behind: Sequence[Endpoint], ports: int) -> tuple[Sources, ...]:
        if behind != self._behind or ports != len(self._ports):
            targets = [tuple((e.ip, e.ports[at]) for e in behind if e.ports[at]) for at in range(ports)]
            if targets != [port.targets for port in self._ports]:
                self._ground, self._ports = None, tuple(map(_Port, targets))
            self._behind = behind
        if ground is self._ground:
            return self._sources
        found = tuple(ground.scope.listed(self._ref, port.sources(ground)) for port in self._ports)
        self._ground = ground
        self._sources = self._sources if found == self._sources else found
        return self._sources


class _Port:
    """The pods behind one port, and which egress RuleSets let clients have them all."""

    def __init__(self, targets: tuple[tuple[str, int], ...]) -> None:
        self.targets = targets
        """Addresses, each with its TCP port."""
        self._reached: dict[str, bool] = {}

    def sources(self, ground: _Ground) -> Sources:
        pods, before = ground.pods, self._reached
        guards = {(pods[ip].ingress, port) for ip, port in self.targets if ip in pods and pods[ip].ingress}
        self._reached = {
            name: before[name] if name in before else self._is_reached(ground.rules, name)
            for name in ground.confined
        }
        denied = tuple(name for name, reached in self._reached.items() if not reached)
        return Sources(ground.allowed(frozenset(guards)), ground.denied(denied))

    def _is_reached(self, rules: _RuleRanges, name: str) -> bool:
        return all(holds(rules.at(name, port), int(IPv4Address(ip))) for ip, port in self.targets)


def _by_egress(pods: Iterable[PodPolicy]) -> Mapping[str, Ranges]:
    """The addresses of the pods under each egress RuleSet."""
    found: dict[str, list[str]] = {}
    for pod in pods:
        if pod.egress:
            found.setdefault(pod.egress, []).append(pod.ip)
    return {name: ranges_of(ips) for name, ips in sorted(found.items())}
