"""From services and their endpoints to what HAProxy listens on: one `Listen` for each port of a service.

Balancing is at the level of connections (TCP) for every port, as kube-proxy's is: the Service API as we have it
says nothing of the protocol inside, so a port without a ready pod accepts and closes, and no 503 is made up.
A service that cannot be served is left out and told of; it never takes another one down with it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.objects import Service
from reconciler.model.plan import Endpoint
from reconciler.services.haproxy import Address, Listen, Server


class Balanced(Struct, frozen=True):
    """What HAProxy serves on every node, and what it cannot."""

    listens: tuple[Listen, ...]
    addresses: tuple[str, ...]
    """The services' virtual addresses, sorted: each node must have them before HAProxy binds them."""
    problems: tuple[str, ...]
    """Services and endpoints left out, each with the reason and how to fix it."""


def balance(
    services: Mapping[Ref, Service],
    records: Mapping[Ref, ServiceRecord],
    endpoints: Mapping[Ref, tuple[Endpoint, ...]],
    service_cidr: str,
) -> Balanced:
    """Every service with a virtual address, in the order of their names; where two want the same address and port,
    the first has it."""
    balancing = _Balancing(IPv4Network(service_cidr))
    for ref, service in sorted(services.items()):
        record = records.get(ref, ServiceRecord())
        balancing.serve(ref, service, record, endpoints.get(ref, ()))
    return balancing.result()


class _Balancing:
    """What is taken so far, by which service, while the file grows."""

    def __init__(self, service_cidr: IPv4Network) -> None:
        self._service_cidr = service_cidr
        self._listens: list[Listen] = []
        self._owners: dict[Address, Ref] = {}
        self._addresses: set[IPv4Address] = set()
        self._problems: list[str] = []

    def serve(self, ref: Ref, service: Service, record: ServiceRecord, endpoints: Iterable[Endpoint]) -> None:
        cluster_ip = record.cluster_ip or service.spec.cluster_ip
        if cluster_ip == "None":
            return
        try:
            address = self._virtual_address(cluster_ip)
            listens = list(_empty_listens(ref, service, record, cluster_ip))
            self._claim(ref, listens)
        except ValueError as error:
            self._problems.append(f"{ref} is not served: {error}")
            return
        self._addresses.add(address)
        for number, listen in enumerate(listens):
            self._listens.append(replace(listen, servers=self._servers(ref, number, endpoints)))

    def result(self) -> Balanced:
        addresses = tuple(str(address) for address in sorted(self._addresses))
        return Balanced(tuple(self._listens), addresses, tuple(self._problems))

    def _virtual_address(self, ip: str) -> IPv4Address:
        """Anything else would let a manifest take over an address of the host."""
        if not ip:
            raise ValueError(f"it has no cluster IP; is the service CIDR {self._service_cidr} used up?")
        try:
            address = IPv4Address(ip)
        except AddressValueError as error:
            raise ValueError(f"its cluster IP {ip!r} is no IPv4 address; leave clusterIP out") from error
        if address not in self._service_cidr:
            raise ValueError(f"its cluster IP {ip} is outside {self._service_cidr}; leave clusterIP out")
        return address

    def _claim(self, ref: Ref, listens: Sequence[Listen]) -> None:
        """HAProxy lets two sections bind one address, and the kernel then deals connections out at random."""
        if len({listen.name for listen in listens}) < len(listens):
            raise ValueError("two of its ports have the same name; give each its own")
        wanted = [bind for listen in listens for bind in listen.binds]
        for bind in wanted:
            if owner := self._owners.get(bind):
                raise ValueError(f"{bind} belongs to {owner}; choose another address or port")
        self._owners.update(dict.fromkeys(wanted, ref))

    def _servers(self, ref: Ref, number: int, endpoints: Iterable[Endpoint]) -> tuple[Server, ...]:
        servers: dict[str, Server] = {}
        for endpoint in endpoints:
            if not endpoint.ready or not endpoint.ports[number]:
                continue
            try:
                server = Server(endpoint.pod, Address(endpoint.ip, endpoint.ports[number]))
            except ValueError as error:
                self._problems.append(f"{ref} sends nothing to pod {endpoint.pod!r}: {error}")
                continue
            if servers.setdefault(server.name, server) is not server:
                self._problems.append(
                    f"{ref} sends nothing to {server.address}: another pod {server.name} is ready already"
                )
        return tuple(servers[name] for name in sorted(servers))


def _empty_listens(ref: Ref, service: Service, record: ServiceRecord, cluster_ip: str) -> Iterator[Listen]:
    for number, port in enumerate(service.spec.ports):
        binds = [Address(cluster_ip, port.port)]
        if service.spec.type == "NodePort":
            recorded = record.node_ports[number] if number < len(record.node_ports) else 0
            if node_port := recorded or port.node_port:
                binds.append(Address("0.0.0.0", node_port))
        name = f"{ref.namespace}_{ref.name}_{port.name or port.port}"
        yield Listen(name, tuple(binds))
