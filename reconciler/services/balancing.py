"""From services to what HAProxy listens on: a `ProxyPart` for each port of a service, or more where it is reached
in different ways from the inside and the outside.

A port is balanced by connection unless its appProtocol or an annotation says HTTP: then by request. A service that
cannot be served is left out and told of; it never takes another one down with it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.service import Service, ServicePort
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.sections import ServiceSection, ServiceWay
from reconciler.model.services import is_headless, port_protocol
from reconciler.services.haproxy import BalanceSettings, Bind, check_options, listen_text, server_options
from reconciler.services.parts import ProxyPart

_EVERY_ADDRESS: Final = "0.0.0.0"


class Layout(Struct, frozen=True):
    """What HAProxy serves, but for the pods, and what it cannot."""

    parts: tuple[ProxyPart, ...]
    addresses: tuple[str, ...]
    """The services' virtual addresses, sorted: each node must have them before HAProxy binds them."""
    problems: tuple[str, ...]
    """Services left out, each with the reason and how to fix it."""


def lay_out(
    services: Mapping[Ref, Service],
    records: Mapping[Ref, ServiceRecord],
    service_cidr: str,
    taken: Iterable[SocketAddress] = (),
    edge_hosts: Collection[str] = (),
) -> Layout:
    """Every service with a virtual address, in the order of their names; where two want the same address and port,
    the first has it. The Ingresses have what is `taken`. `edge_hosts`: the addresses of the edges; who has a port
    at all addresses of an edge has it at these."""
    claims = _AddressOwners(IPv4Network(service_cidr), taken, frozenset(edge_hosts))
    drafts: list[tuple[ProxyPart, BalanceSettings]] = []
    problems: list[str] = []
    for ref, service in sorted(services.items()):
        if is_headless(service) or service.spec.type == "ExternalName":
            continue
        try:
            record = records.get(ref, ServiceRecord())
            address = claims.virtual(record)
            opened, refused = claims.left(_openings(ref, service, record, address))
            drawn = [(_part(opening), opening.manner) for opening in opened]
            claims.claim(ref, address, opened)
            problems += (f"{ref} is not reached at {why}" for why in refused)
        except ValueError as error:
            problems.append(f"{ref} is not served: {error}")
        else:
            drafts += drawn
    checks = check_options(len(drafts))
    parts = tuple(replace(part, server_options=server_options(manner, checks)) for part, manner in drafts)
    return Layout(parts, claims.addresses(), tuple(problems))


class _Opening(Struct, frozen=True):
    """A section to be: some of the ways to reach a port that are treated alike."""

    service: Ref
    port: int
    name: str
    manner: BalanceSettings
    local: bool
    binds: tuple[Bind, ...] = ()
    edge_binds: tuple[Bind, ...] = ()
    """On edges only."""


def _part(opening: _Opening) -> ProxyPart:
    """All of it but its servers' options; ValueError for what cannot be in the file."""
    everywhere = listen_text(opening.name, opening.binds, opening.manner) if opening.binds else ""
    at_edges = everywhere
    if opening.edge_binds:
        at_edges = listen_text(opening.name, (*opening.binds, *opening.edge_binds), opening.manner)
    return ProxyPart(opening.name, everywhere, at_edges, opening.service, opening.port, local=opening.local)


def _openings(ref: Ref, service: Service, record: ServiceRecord, address: str) -> Iterator[_Opening]:
    names = [port.name or str(port.port) for port in service.spec.ports]
    if len(set(names)) < len(names):
        raise ValueError("two of its ports have the same name; give each its own")
    for number in range(len(names)):
        grouped: dict[tuple[bool, BalanceSettings], _Opening] = {}
        for way, local, manner, binds, edge_binds in _ways(service, record, address, number):
            name = ServiceSection(ref, names[number], way).name
            same = grouped.get((local, manner), _Opening(ref, number, name, manner, local))
            grouped[local, manner] = _Opening(
                ref, number, same.name, manner, local, same.binds + binds, same.edge_binds + edge_binds
            )
        yield from grouped.values()


_Way = tuple[ServiceWay, bool, BalanceSettings, tuple[Bind, ...], tuple[Bind, ...]]
"""Its name, only to the node's own pods, how, and where: on every node, on edges."""


def _ways(service: Service, record: ServiceRecord, address: str, number: int) -> Iterator[_Way]:
    spec, port = service.spec, service.spec.ports[number]
    manner = _manner(service, port)
    yield "", spec.internal_traffic_policy == "Local", manner, (Bind(SocketAddress(address, port.port)),), ()
    outside = [Bind(SocketAddress(ip, port.port), foreign=True) for ip in dict.fromkeys(spec.external_ips)]
    if node_port := _node_port(service, record, number):
        outside.append(Bind(SocketAddress(_EVERY_ADDRESS, node_port)))
    local = spec.external_traffic_policy == "Local"
    if outside:
        yield "external", local, manner, tuple(outside), ()
    if spec.type == "LoadBalancer":
        ranges = _manner(service, port, spec.load_balancer_source_ranges)
        yield "edge", local, ranges, (), (Bind(SocketAddress(_EVERY_ADDRESS, port.port)),)


def _manner(service: Service, port: ServicePort, sources: tuple[str, ...] = ()) -> BalanceSettings:
    spec, options = service.spec, service.options
    return BalanceSettings(
        protocol=port_protocol(service, port),
        balance=options.balance,
        affinity_seconds=(
            spec.session_affinity_config.client_ip.timeout_seconds if spec.session_affinity == "ClientIP" else 0
        ),
        proxy_protocol=options.proxy_protocol,
        slow_start_ms=options.slow_start,
        sources=sources,
    )


def _node_port(service: Service, record: ServiceRecord, number: int) -> int:
    """0: none."""
    if service.spec.type not in ("NodePort", "LoadBalancer"):
        return 0
    return record.node_ports[number] if number < len(record.node_ports) else 0


class _AddressOwners:
    """What is taken so far, by which service."""

    def __init__(
        self, service_cidr: IPv4Network, taken: Iterable[SocketAddress], edge_hosts: frozenset[str]
    ) -> None:
        self._service_cidr = service_cidr
        self._edge_hosts = edge_hosts
        self._owners: dict[SocketAddress, Ref | str] = dict.fromkeys(taken, "the Ingresses")
        self._addresses: set[IPv4Address] = set()

    def left(self, openings: Iterable[_Opening]) -> tuple[list[_Opening], list[str]]:
        """Without those of their addresses on edges that another one has, each of which is told of."""
        left: list[_Opening] = []
        refused: list[str] = []
        for opening in openings:
            free = tuple(bind for bind in opening.edge_binds if not self._owner(bind.address))
            refused += (
                f"the edges' {bind.address}: it belongs to {self._owner(bind.address)}; choose another port"
                for bind in opening.edge_binds
                if bind not in free
            )
            if opening.binds or free:
                left.append(replace(opening, edge_binds=free))
        return left, refused

    def claim(self, ref: Ref, address: str, openings: Sequence[_Opening]) -> None:
        """HAProxy lets two sections bind one address, and the kernel then deals connections out at random.

        All of them or, with ValueError, none."""
        binds = [bind for opening in openings for bind in (*opening.binds, *opening.edge_binds)]
        for bind in binds:
            if owner := self._owner(bind.address):
                raise ValueError(f"{bind.address} belongs to {owner}; choose another address or port")
        self._owners.update(dict.fromkeys((bind.address for bind in binds), ref))
        self._addresses.add(IPv4Address(address))

    def _owner(self, address: SocketAddress) -> Ref | str | None:
        """Who has it, or would lose connections to who had it: the kernel prefers one address to all of them."""
        others = [address]
        if address.ip in self._edge_hosts:
            others.append(SocketAddress(_EVERY_ADDRESS, address.port))
        elif address.ip == _EVERY_ADDRESS:
            others += (SocketAddress(host, address.port) for host in self._edge_hosts)
        return next((self._owners[other] for other in others if other in self._owners), None)

    def addresses(self) -> tuple[str, ...]:
        return tuple(str(address) for address in sorted(self._addresses))

    def virtual(self, record: ServiceRecord) -> str:
        """Anything else would let a manifest take over an address of the host: ValueError."""
        ip = record.cluster_ip
        if not ip:
            raise ValueError(record.message or "it has no cluster IP")
        try:
            address = IPv4Address(ip)
        except AddressValueError as error:
            raise ValueError(f"its cluster IP {ip!r} is no IPv4 address; leave clusterIP out") from error
        if address not in self._service_cidr:
            raise ValueError(f"its cluster IP {ip} is outside {self._service_cidr}; leave clusterIP out")
        return str(address)
