"""What every host has beside its pods, as one value; the control loop asks for it after every plan.

A host applies it in this order: the network first, so that every service address exists when HAProxy binds it
(binding an address that the host does not have is an error), then the name servers and the proxy. Nodes that serve
alike have the same objects: any node answers for any service, and for its name; only the edges and traffic
policies `Local` make a difference to the proxy.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from reconciler.model.desired import Desired
from reconciler.model.edges import edges
from reconciler.model.memory import IngressRecord, Memory, NodeRecord, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.objects import Cluster, Ingress, Node, Secret, Service
from reconciler.model.operations import NodeDns, NodeProber, NodeSetup, ProbedContainer
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import NodeProxy, ProxySection
from reconciler.services.balancing import Layout, lay_out
from reconciler.services.entrance import Entrance, entrance
from reconciler.services.haproxy import check_options, guarded, node_proxy
from reconciler.services.naming import Naming
from reconciler.services.network import node_networks
from reconciler.services.parts import Part, left_out, section
from reconciler.services.policy import Isolation, Policies
from reconciler.services.sources import ANYBODY, Sources, hosts_own, service_sources

Endpoints = Mapping[Ref, tuple[Endpoint, ...]]
Probed = Mapping[str, tuple[ProbedContainer, ...]]
"""By node."""
_NONE_PROBED: Probed = {}


def node_setups(
    desired: Desired, memory: Memory, endpoints: Endpoints, probed: Probed = _NONE_PROBED
) -> Mapping[str, NodeSetup]:
    """What each node of the revision should have, by name; a node without a pod CIDR is not among them yet."""
    return ServiceLayer().setups(desired, memory, endpoints, probed)


class ServiceLayer:
    """`node_setups` for a loop: inputs that say the same give the very same objects, and cost a comparison;
    endpoints that changed cost the sections of their service.

    Not shared between threads."""

    def __init__(self) -> None:
        self._inputs: _Inputs | None = None
        self._layout_inputs: _LayoutInputs | None = None
        self._layout = Layout((), (), ())
        self._entrance = Entrance()
        self._sections = _Sections((), self._entrance)
        self._naming = Naming()
        self._checks = _Checks()
        self._policies = Policies()
        self._setups: Mapping[str, NodeSetup] = {}
        self.problems: tuple[str, ...] = ()
        """What the last setups leave out: services and endpoints, with the reason and how to fix it."""

    def setups(
        self,
        desired: Desired,
        memory: Memory,
        endpoints: Endpoints,
        probed: Probed = _NONE_PROBED,
        at: float | None = None,
    ) -> Mapping[str, NodeSetup]:
        """`at`: Unix seconds, for certificates; None: no date is looked at."""
        isolation = self._policies.isolation(desired, memory)
        entered = _EntranceInputs(desired.ingresses, desired.secrets, memory.ingresses, at)
        laid_out = _LayoutInputs(
            desired.cluster, desired.services, memory.services, entered if desired.ingresses else _NO_ENTRANCE
        )
        inputs = _Inputs(laid_out, desired.nodes, memory.nodes, endpoints, probed, isolation)
        if inputs != self._inputs:
            if laid_out != self._layout_inputs:
                self._lay_out(laid_out)
                self._layout_inputs = laid_out
            own = hosts_own(desired, memory.nodes)
            self._sections.follow(endpoints, service_sources(desired, isolation, endpoints, own))
            named = self._naming.named(desired, memory.services, endpoints)
            self._setups = self._made(desired, memory, endpoints, probed, named.dns, isolation)
            self.problems = (
                *self._layout.problems,
                *self._entrance.problems,
                *self._sections.problems(),
                *named.problems,
            )
            self._inputs = inputs
        return self._setups

    def _lay_out(self, inputs: "_LayoutInputs") -> None:
        services, opened = inputs.services, inputs.entrance
        checks = check_options(len(services) + len(opened.ingresses))
        self._entrance = entrance(opened.ingresses, services, opened.secrets, opened.records, checks, opened.at)
        cidr = inputs.cluster.spec.service_cidr
        self._layout = lay_out(services, inputs.service_records, cidr, self._entrance.addresses)
        self._sections = _Sections((*self._layout.parts, *self._entrance.parts), self._entrance)

    def _made(
        self,
        desired: Desired,
        memory: Memory,
        endpoints: Endpoints,
        probed: Probed,
        dns: NodeDns,
        isolation: Isolation,
    ) -> Mapping[str, NodeSetup]:
        checks = self._checks.of(endpoints)
        at_edge = frozenset(edges(desired.nodes))
        spec = desired.cluster.spec
        addresses = (*dns.addresses, *self._layout.addresses)
        networks = node_networks(desired, memory.nodes, addresses, isolation)
        return {
            name: NodeSetup(
                network=network,
                proxy=self._sections.proxy(spec.images.proxy, name, name in at_edge),
                checks=checks.get(name, frozenset()),
                prober=NodeProber(spec.images.proxy, probed.get(name, ())),
                image_gc=spec.image_gc,
                dns=dns,
            )
            for name, network in networks.items()
        }


class _EntranceInputs(Struct, frozen=True):
    ingresses: Mapping[Ref, Ingress] = {}
    secrets: Mapping[Ref, Secret] = {}
    records: Mapping[Ref, IngressRecord] = {}
    at: float | None = None


_NO_ENTRANCE = _EntranceInputs()


class _LayoutInputs(Struct, frozen=True):
    """All that the structure of the proxies follows from."""

    cluster: Cluster
    services: Mapping[Ref, Service]
    service_records: Mapping[Ref, ServiceRecord]
    entrance: _EntranceInputs


class _Inputs(Struct, frozen=True):
    """All that a setup follows from."""

    layout: _LayoutInputs
    nodes: Mapping[str, Node]
    node_records: Mapping[str, NodeRecord]
    endpoints: Endpoints
    probed: Probed
    isolation: Isolation


class _Sections:
    """The sections of each node, made once for each change of their endpoints, and shared where they are alike."""

    def __init__(self, parts: tuple[Part, ...], entrance: Entrance) -> None:
        self._parts = parts
        self._entrance = entrance
        self._endpoints: Endpoints = {}
        self._sources: Mapping[Ref, tuple[Sources, ...]] = {}
        self._made: dict[tuple[str, str, bool], ProxySection | None] = {}
        """By part, and what of a node makes a difference to it."""
        self._problems: dict[str, list[str]] = {}
        self._proxies: dict[tuple[str, str, bool], NodeProxy] = {}

    def follow(self, endpoints: Endpoints, sources: Mapping[Ref, tuple[Sources, ...]]) -> None:
        changed = {
            part.name
            for part in self._parts
            if part.service
            and (
                endpoints.get(part.service, ()) != self._endpoints.get(part.service)
                or sources.get(part.service) != self._sources.get(part.service)
            )
        }
        if changed:
            self._made = {key: made for key, made in self._made.items() if key[0] not in changed}
            self._problems = {name: said for name, said in self._problems.items() if name not in changed}
            self._proxies = {}
        self._endpoints, self._sources = endpoints, sources
        for part in self._parts:
            if part.name in changed and (said := left_out(part, self._of(part))):
                self._problems[part.name] = said

    def problems(self) -> list[str]:
        return list(dict.fromkeys(said for name in sorted(self._problems) for said in self._problems[name]))

    def proxy(self, image: str, node: str, edge: bool) -> NodeProxy:
        key = (image, *self._kind(node, edge))
        if key not in self._proxies:
            sections = [self._section(part, node, edge) for part in self._parts]
            own = self._entrance if edge else Entrance()
            self._proxies[key] = node_proxy(
                image, [made for made in sections if made is not None], own.files, own.users
            )
        return self._proxies[key]

    def _kind(self, node: str, edge: bool) -> tuple[str, bool]:
        """The same for nodes that serve alike."""
        own = node if any(part.local for part in self._parts) else ""
        return own, edge and any(part.text != part.edge_text for part in self._parts)

    def _section(self, part: Part, node: str, edge: bool) -> ProxySection | None:
        key = (part.name, node if part.local else "", edge and part.text != part.edge_text)
        if key not in self._made:
            made = section(part, node, edge, self._of(part))
            self._made[key] = made and self._guarded(part, made)
        return self._made[key]

    def _guarded(self, part: Part, made: ProxySection) -> ProxySection:
        """A pod sees the proxy and not its client: the policies of both are kept here."""
        ports = self._sources.get(part.service, ()) if part.service and part.listens else ()
        if part.port >= len(ports) or ports[part.port] == ANYBODY:
            return made
        return guarded(made, ports[part.port].allowed, ports[part.port].denied)

    def _of(self, part: Part) -> tuple[Endpoint, ...]:
        return self._endpoints.get(part.service, ()) if part.service else ()


class _Checks:
    """Where each node tries its own pods: ready or not, for a port that has answered may fall silent. An endpoint
    without a pod is tried by nobody: a manifest says where it is, and no host knocks there for it."""

    def __init__(self) -> None:
        self._known: dict[Ref, tuple[tuple[Endpoint, ...], Mapping[str, Collection[str]]]] = {}

    def of(self, endpoints: Endpoints) -> Mapping[str, frozenset[str]]:
        known, self._known = self._known, {}
        checks: defaultdict[str, set[str]] = defaultdict(set)
        for ref, found in endpoints.items():
            before = known.get(ref)
            own = before[1] if before is not None and before[0] == found else _by_node(found)
            self._known[ref] = found, own
            for node, addresses in own.items():
                checks[node].update(addresses)
        return {node: frozenset(addresses) for node, addresses in checks.items()}


def _by_node(endpoints: Iterable[Endpoint]) -> Mapping[str, Collection[str]]:
    found: dict[str, list[str]] = {}
    for endpoint in endpoints:
        if endpoint.uid:
            addresses = found.setdefault(endpoint.node, [])
            addresses += (f"{endpoint.ip}:{port}" for port in endpoint.ports if port)
    return found
