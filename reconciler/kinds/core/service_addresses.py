"""Services: a virtual address and node ports for each, chosen once and remembered.

Where the memory is lost, the nodes' proxies tell what was chosen; the first choice follows from the Service's
name. What one has, another cannot take away: a manifest that names it is told whose it is, and gets it when it is
free.
"""

import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from msgspec.structs import replace

from reconciler.model.api.cluster import dns_addresses
from reconciler.model.api.core.service import Service, ServicePort
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.services import is_headless
from reconciler.planning.allocation.service_ips import Ask, share_out
from reconciler.planning.state.nodes import NodeView

NODE_PORTS = range(30000, 32768)

_Slot: TypeAlias = tuple[Ref, int]
"""A port of a Service, by its index."""
_Refusals: TypeAlias = dict[Ref, list[str]]
"""Why each Service does not get what it asks for."""


def record_services(desired: Desired, memory: Memory, nodes: Sequence[NodeView]) -> Memory:
    """Choose the address and the node ports of each Service; what is not remembered is as the nodes have it."""
    known = memory.services
    services = desired.of(Service)
    reserved = dns_addresses(desired.cluster.spec)
    if len(known) == len(services) and all(
        _stands(service, known.get(ref), reserved) for ref, service in services.items()
    ):
        return memory
    refusals: _Refusals = {ref: [] for ref in services}
    had = {**_given(nodes, known), **known}
    addresses = _addresses(desired, had, refusals)
    ports = _node_ports(services, had, refusals)
    records = {
        ref: ServiceRecord(
            addresses.get(ref, ""),
            tuple(ports.get((ref, index), 0) for index in range(len(service.spec.ports))),
            "; ".join(dict.fromkeys(refusals[ref])),
        )
        for ref, service in sorted(services.items())
    }
    return memory if records == known else replace(memory, services=records)


def _stands(service: Service, record: ServiceRecord | None, reserved: Container[str]) -> bool:
    """What is remembered still is what the manifest asks for."""
    spec = service.spec
    if record is None or record.message or len(record.node_ports) != len(spec.ports):
        return False
    if record.cluster_ip in reserved and not spec.cluster_ip:
        return False
    if bool(record.cluster_ip) != _is_addressed(service):
        return False
    if _is_addressed(service) and spec.cluster_ip not in ("", record.cluster_ip):
        return False
    return all(
        bool(given) == _is_exposed(service, port) and (not given or port.node_port in (0, given))
        for port, given in zip(spec.ports, record.node_ports, strict=True)
    )


def _given(nodes: Iterable[NodeView], known: Mapping[Ref, ServiceRecord]) -> Mapping[Ref, ServiceRecord]:
    """Of nodes that differ the first one counts; what a Service of the memory has counts for no other."""
    addresses = {record.cluster_ip for record in known.values()}
    ports = {port for record in known.values() for port in record.node_ports}
    found: dict[Ref, ServiceRecord] = {}
    for node in nodes:
        for ref, given in node.last.given.services.items() if node.last else ():
            if ref not in found and ref not in known:
                address = "" if given.cluster_ip in addresses else given.cluster_ip
                found[ref] = ServiceRecord(address, tuple(0 if one in ports else one for one in given.node_ports))
    return found


def _is_addressed(service: Service) -> bool:
    return service.spec.type != "ExternalName" and not is_headless(service)


def _is_exposed(service: Service, port: ServicePort) -> bool:
    """A load balancer's port is open at the edges; on every host, too, unless that was declined."""
    spec = service.spec
    if spec.type == "LoadBalancer":
        return spec.allocate_load_balancer_node_ports or port.node_port > 0
    return spec.type == "NodePort"


def _addresses(desired: Desired, known: Mapping[Ref, ServiceRecord], refusals: _Refusals) -> Mapping[Ref, str]:
    network = IPv4Network(desired.cluster.spec.service_cidr)
    reserved = dns_addresses(desired.cluster.spec)
    asks = {}
    for ref, service in sorted(desired.of(Service).items()):
        if _is_addressed(service):
            before = known[ref].cluster_ip if ref in known else ""
            inside = before if before and before not in reserved and IPv4Address(before) in network else ""
            asks[ref] = Ask(ref, service.spec.cluster_ip, inside)

    def candidates(ref: Ref) -> Iterator[str]:
        offsets = _from_name(ref, range(1, network.num_addresses - 1))
        addresses = (str(network.network_address + offset) for offset in offsets)
        return (address for address in addresses if address not in reserved)

    shares = share_out(asks, candidates)
    for ref, owner in shares.refused.items():
        refusals[ref].append(f"{asks[ref].named} belongs to {owner}: choose another clusterIP, or leave it out")
    for ref in asks.keys() - shares.given.keys() - shares.refused.keys():
        refusals[ref].append(f"every address of {network} is taken: widen serviceCIDR")
    return shares.given


def _node_ports(
    services: Mapping[Ref, Service], known: Mapping[Ref, ServiceRecord], refusals: _Refusals
) -> Mapping[_Slot, int]:
    asks = {
        (ref, index): Ask(ref, port.node_port, _remembered(known, ref, index))
        for ref, service in sorted(services.items())
        for index, port in enumerate(service.spec.ports)
        if _is_exposed(service, port)
    }
    closed = _heard_elsewhere(services)

    def candidates(slot: _Slot) -> Iterator[int]:
        ref, index = slot
        named = Ref(ref.kind, ref.namespace, f"{ref.name}:{index}")
        return (number for number in _from_name(named, NODE_PORTS) if number not in closed)

    shares = share_out(asks, candidates)
    for slot, owner in shares.refused.items():
        number = asks[slot].named
        refusals[slot[0]].append(
            f"node port {number} belongs to {owner}: choose another nodePort, or leave it out"
        )
    for ref, _ in asks.keys() - shares.given.keys() - shares.refused.keys():
        refusals[ref].append("every node port is taken: change Services of type NodePort to ClusterIP")
    return shares.given


def _remembered(known: Mapping[Ref, ServiceRecord], ref: Ref, index: int) -> int:
    given = known[ref].node_ports if ref in known else ()
    return given[index] if index < len(given) else 0


def _heard_elsewhere(services: Mapping[Ref, Service]) -> set[int]:
    """Ports of edges and external addresses: a node port would be in their way."""
    return {
        port.port
        for service in services.values()
        if service.spec.type == "LoadBalancer" or service.spec.external_ips
        for port in service.spec.ports
    }


def _from_name(ref: Ref, numbers: range) -> Iterator[int]:
    """All of the numbers, beginning at one that follows from the name."""
    start = zlib.crc32(f"{ref.namespace}/{ref.name}".encode()) % len(numbers)
    for step in range(len(numbers)):
        yield numbers[(start + step) % len(numbers)]
