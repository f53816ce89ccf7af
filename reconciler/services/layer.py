"""What every host has beside its pods, as one value; the control loop asks for it after every plan.

A host applies it in this order: the network first, so that every service address exists when HAProxy binds it
(binding an address that the host does not have is an error), then the name servers and the proxy. Nodes that serve
alike have the same objects: any node answers for any service, and for its name; only the edges and traffic
policies `Local` make a difference to the proxy.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.allocations import ServiceAllocation, given_text
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import Ingress
from reconciler.model.desired import Desired
from reconciler.model.edges import edge_hosts, edges
from reconciler.model.memory import IngressRecord, Memory, NodeRecord, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.probes import ProbedContainer
from reconciler.model.proxy import NodeProxy, ProxySection
from reconciler.model.setups import BootPod, NodeBoot, NodeDns, NodeProber, NodeSetup
from reconciler.services.acme import AcmeAtTheEdge, acme_at_the_edge
from reconciler.services.balancing import Layout, lay_out
from reconciler.services.entrance import Entrance, entrance
from reconciler.services.haproxy import check_options, guarded, node_proxy
from reconciler.services.ingress_policy import Closed, ClosedServices
from reconciler.services.naming import NameServers
from reconciler.services.network import Networks
from reconciler.services.parts import ProxyPart, left_out, section
from reconciler.services.policy import NOBODY, Addresses, Isolation, Policies
from reconciler.services.sameness import says_the_same
from reconciler.services.sources import ANYBODY, Sources, SourcesCache, hosts_own

_Key = TypeVar("_Key")
EndpointsByService = Mapping[Ref, tuple[Endpoint, ...]]
ProbedByNode = Mapping[str, tuple[ProbedContainer, ...]]
"""What is probed, by node."""
_NONE_PROBED: ProbedByNode = {}
BootingByNode = Mapping[str, tuple[BootPod, ...]]
"""The pods that boot, by node."""
_NONE_BOOTING: BootingByNode = {}


def node_setups(
    desired: Desired, memory: Memory, endpoints: EndpointsByService, probed: ProbedByNode = _NONE_PROBED
) -> Mapping[str, NodeSetup]:
    """What each node of the revision should have, by name; a node without a pod CIDR is not among them yet."""
    return ServiceLayer().setups(desired, memory, endpoints, probed)


class ServiceLayer:
    """`node_setups` for a loop: inputs that say the same give the very same objects, and cost a comparison;
    endpoints that changed cost the sections of their service.

    Not shared between threads."""

    def __init__(self) -> None:
        self._inputs: _LayerInputs | None = None
        self._layout_inputs: _LayoutInputs | None = None
        self._layout = Layout((), (), ())
        self._entrance = Entrance()
        self._sections = _Sections((), self._entrance)
        self._naming = NameServers()
        self._checks = _Checks()
        self._policies = Policies()
        self._sourcing = SourcesCache()
        self._closing = ClosedServices()
        self._networks = Networks()
        self._edges: tuple[Mapping[str, Node], Mapping[str, NodeRecord], tuple[str, ...]] | None = None
        self._setups: Mapping[str, NodeSetup] = {}
        self.problems: tuple[str, ...] = ()
        """What the last setups leave out: services and endpoints, with the reason and how to fix it."""

    @property
    def concerned(self) -> Mapping[str, Ref]:
        """The object that one of the problems is about, where it is known."""
        return self._entrance.concerned

    def setups(
        self,
        desired: Desired,
        memory: Memory,
        endpoints: EndpointsByService,
        probed: ProbedByNode = _NONE_PROBED,
        booting: BootingByNode = _NONE_BOOTING,
        at: float | None = None,
    ) -> Mapping[str, NodeSetup]:
        """`at`: Unix seconds, for certificates; None: no date is looked at."""
        isolation = self._policies.isolation(desired, memory)
        acme = acme_at_the_edge(desired, memory)
        entered = _EntranceInputs(desired.of(Ingress), desired.of(Secret), memory.ingresses, acme, at)
        laid_out = _LayoutInputs(
            desired.cluster,
            desired.of(Service),
            memory.services,
            entered if desired.of(Ingress) else _NO_ENTRANCE,
            self._edge_hosts(desired.nodes, memory.nodes),
        )
        pods = self._policies.addresses(isolation, memory.pods)
        inputs = _LayerInputs(laid_out, desired.nodes, memory.nodes, endpoints, probed, booting, isolation, pods)
        if not says_the_same(inputs, self._inputs):
            if not says_the_same(laid_out, self._layout_inputs):
                self._lay_out(laid_out)
                self._layout_inputs = laid_out
            own = hosts_own(desired, memory.nodes) if isolation is not NOBODY else ()
            sources = self._sourcing.sources(desired, isolation, endpoints, own)
            closed = self._closing.closed(desired, memory.nodes, isolation, endpoints)
            self._sections.follow(endpoints, sources, closed)
            named = self._naming.named(desired, memory.services, endpoints)
            self._setups = self._made(desired, memory, endpoints, probed, booting, named.dns, isolation, pods)
            self.problems = (
                *self._layout.problems,
                *self._entrance.problems,
                *self._sections.problems(),
                *self._closing.problems,
                *named.problems,
            )
            self._inputs = inputs
        return self._setups

    def _edge_hosts(self, nodes: Mapping[str, Node], records: Mapping[str, NodeRecord]) -> tuple[str, ...]:
        """Remembered for the very nodes and records that it was asked for last."""
        known = self._edges
        if known is None or known[0] is not nodes or known[1] is not records:
            found = edge_hosts(nodes, {name: record.address for name, record in records.items()})
            self._edges = known = (nodes, records, found)
        return known[2]

    def _lay_out(self, inputs: "_LayoutInputs") -> None:
        services, opened = inputs.services, inputs.entrance
        checks = check_options(len(services) + len(opened.ingresses))
        self._entrance = entrance(
            opened.ingresses, services, opened.secrets, opened.records, opened.acme, checks, opened.at
        )
        cidr = inputs.cluster.spec.service_cidr
        taken, hosts = self._entrance.addresses, inputs.edge_hosts
        self._layout = lay_out(services, inputs.service_records, cidr, taken, hosts)
        given = given_text(
            {
                ref: ServiceAllocation(one.cluster_ip, one.node_ports)
                for ref, one in inputs.service_records.items()
            },
            {ref: one.turn for ref, one in opened.records.items()},
        )
        self._sections = _Sections((*self._layout.parts, *self._entrance.parts), self._entrance, given)

    def _made(
        self,
        desired: Desired,
        memory: Memory,
        endpoints: EndpointsByService,
        probed: ProbedByNode,
        booting: BootingByNode,
        dns: NodeDns,
        isolation: Isolation,
        pods: Addresses,
    ) -> Mapping[str, NodeSetup]:
        checks = self._checks.of(endpoints)
        at_edge = frozenset(edges(desired.nodes))
        spec = desired.cluster.spec
        addresses = (*dns.addresses, *self._layout.addresses)
        networks = self._networks.of(desired, memory.nodes, addresses, isolation, pods)
        return {
            name: NodeSetup(
                network=network,
                proxy=self._sections.proxy(spec.images.proxy, name, name in at_edge),
                checks=checks.get(name, frozenset()),
                prober=NodeProber(spec.images.proxy, probed.get(name, ())),
                image_gc=spec.image_gc,
                dns=dns,
                boot=NodeBoot(spec.images.proxy, booting.get(name, ())),
            )
            for name, network in networks.items()
        }


class _EntranceInputs(Struct, frozen=True):
    ingresses: Mapping[Ref, Ingress] = {}
    secrets: Mapping[Ref, Secret] = {}
    records: Mapping[Ref, IngressRecord] = {}
    acme: AcmeAtTheEdge = AcmeAtTheEdge()
    at: float | None = None


_NO_ENTRANCE = _EntranceInputs()


class _LayoutInputs(Struct, frozen=True):
    """All that the structure of the proxies follows from."""

    cluster: Cluster
    services: Mapping[Ref, Service]
    service_records: Mapping[Ref, ServiceRecord]
    entrance: _EntranceInputs
    edge_hosts: tuple[str, ...]
    """Addresses, as far as they are known."""


class _LayerInputs(Struct, frozen=True):
    """All that a setup follows from."""

    layout: _LayoutInputs
    nodes: Mapping[str, Node]
    node_records: Mapping[str, NodeRecord]
    endpoints: EndpointsByService
    probed: ProbedByNode
    booting: BootingByNode
    isolation: Isolation
    pods: Addresses


class _Sections:
    """The sections of each node, made once for each change of their endpoints, and shared where they are alike."""

    def __init__(self, parts: tuple[ProxyPart, ...], entrance: Entrance, given: str = "") -> None:
        self._parts = parts
        self._entrance = entrance
        self._given = given
        self._of_service: defaultdict[Ref, list[ProxyPart]] = defaultdict(list)
        for part in parts:
            if part.service:
                self._of_service[part.service].append(part)
        self._differ_by_node = any(part.local for part in parts)
        self._differ_at_edges = any(part.text != part.edge_text for part in parts)
        self._endpoints: EndpointsByService = {}
        self._sources: Mapping[Ref, tuple[Sources, ...]] = {}
        self._closed: Closed = {}
        self._made: defaultdict[str, dict[tuple[str, bool], ProxySection | None]] = defaultdict(dict)
        """By part, and what of a node makes a difference to it."""
        self._problems: dict[str, list[str]] = {}
        self._place = {part.name: place for place, part in enumerate(parts)}
        self._listed: dict[tuple[str, bool], list[ProxySection | None]] = {}
        """The sections of nodes that serve alike, in the order of the parts."""
        self._stale: dict[tuple[str, bool], set[int]] = {}
        """Which of these have to be looked at again."""
        self._proxies: dict[tuple[str, str, bool], NodeProxy] = {}

    def follow(
        self, endpoints: EndpointsByService, sources: Mapping[Ref, tuple[Sources, ...]], closed: Closed
    ) -> None:
        changed = changed_keys(self._endpoints, endpoints) | changed_keys(self._sources, sources)
        changed |= changed_keys(self._closed, closed)
        self._endpoints, self._sources, self._closed = endpoints, sources, closed
        if changed:
            self._proxies = {}
        for ref in changed:
            for part in self._of_service.get(ref, ()):
                self._made.pop(part.name, None)
                for stale in self._stale.values():
                    stale.add(self._place[part.name])
                self._problems.pop(part.name, None)
                if said := left_out(part, self._of(part)):
                    self._problems[part.name] = said

    def problems(self) -> list[str]:
        return list(dict.fromkeys(said for name in sorted(self._problems) for said in self._problems[name]))

    def proxy(self, image: str, node: str, edge: bool) -> NodeProxy:
        key = (image, *self._kind(node, edge))
        if key not in self._proxies:
            sections = self._sections_of(node, edge)
            own = self._entrance if edge else Entrance()
            self._proxies[key] = node_proxy(
                image, [made for made in sections if made is not None], own.files, own.users, self._given
            )
        return self._proxies[key]

    def _sections_of(self, node: str, edge: bool) -> Sequence[ProxySection | None]:
        """Kept only where nodes share them: it is one for each service."""
        kind, parts = self._kind(node, edge), self._parts
        if self._differ_by_node:
            return [self._section(part, node, edge) for part in parts]
        listed = self._listed.get(kind)
        if listed is None:
            listed = self._listed[kind] = [self._section(part, node, edge) for part in parts]
        else:
            for place in self._stale[kind]:
                listed[place] = self._section(parts[place], node, edge)
        self._stale[kind] = set()
        return listed

    def _kind(self, node: str, edge: bool) -> tuple[str, bool]:
        """The same for nodes that serve alike."""
        return node if self._differ_by_node else "", edge and self._differ_at_edges

    def _section(self, part: ProxyPart, node: str, edge: bool) -> ProxySection | None:
        known, key = self._made[part.name], (node if part.local else "", edge and part.text != part.edge_text)
        if key not in known:
            made = section(part, node, edge, self._of(part))
            known[key] = made and self._guarded(part, made)
        return known[key]

    def _guarded(self, part: ProxyPart, made: ProxySection) -> ProxySection:
        """A pod sees the proxy and not its client: the policies of both are kept here."""
        ports = self._sources.get(part.service, ()) if part.service and part.listens else ()
        if part.port >= len(ports) or ports[part.port] == ANYBODY:
            return made
        return guarded(made, ports[part.port].allowed, ports[part.port].denied)

    def _of(self, part: ProxyPart) -> tuple[Endpoint, ...]:
        """Without those that policies close to the Ingresses, where they are reached by way of one."""
        if part.service is None:
            return ()
        behind, closed = self._endpoints.get(part.service, ()), self._closed.get(part.service)
        if part.listens or closed is None:
            return behind
        return tuple(each for each in behind if (each.ip, each.ports[part.port]) not in closed)


class _Checks:
    """Where each node tries its own pods: ready or not, for a port that has answered may fall silent. An endpoint
    without a pod is tried by nobody: a manifest says where it is, and no host knocks there for it."""

    def __init__(self) -> None:
        self._endpoints: EndpointsByService = {}
        self._counts: defaultdict[str, Counter[SocketAddress]] = defaultdict(Counter)
        """How many services have each address, by node."""
        self._made: dict[str, frozenset[SocketAddress]] = {}

    def of(self, endpoints: EndpointsByService) -> Mapping[str, frozenset[SocketAddress]]:
        touched: set[str] = set()
        for ref in changed_keys(self._endpoints, endpoints):
            touched |= self._count(self._endpoints.get(ref, ()), -1) | self._count(endpoints.get(ref, ()), 1)
        for node in touched:
            self._made[node] = frozenset(self._counts[node])
        self._endpoints = endpoints
        return self._made

    def _count(self, endpoints: Iterable[Endpoint], by: int) -> set[str]:
        """Returns the nodes."""
        found = _by_node(endpoints)
        for node, addresses in found.items():
            counts = self._counts[node]
            for address in addresses:
                counts[address] += by
                if not counts[address]:
                    del counts[address]
        return set(found)


def changed_keys(before: Mapping[_Key, object], after: Mapping[_Key, object]) -> set[_Key]:
    """Return the keys that one of the two has alone, or that have another value."""
    kept = {key for key, value in after.items() if (was := before.get(key)) is value or was == value}
    return (before.keys() | after.keys()) - kept


def _by_node(endpoints: Iterable[Endpoint]) -> Mapping[str, Collection[SocketAddress]]:
    found: dict[str, list[SocketAddress]] = {}
    for endpoint in endpoints:
        if endpoint.uid:
            addresses = found.setdefault(endpoint.node, [])
            addresses += (SocketAddress(endpoint.ip, port) for port in endpoint.ports if port)
    return found
