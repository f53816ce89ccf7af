"""Services: a virtual address and node ports for each, chosen once and remembered.

The first choice follows from the Service's name, so that a lost store gives most of them back as they were.
"""

import zlib
from collections.abc import Container, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.objects import Service, dns_addresses

HEADLESS = "None"
NODE_PORTS = range(30000, 32768)


def service_records(desired: Desired, memory: Memory) -> Mapping[Ref, ServiceRecord]:
    """For each Service of the revision; the mapping remembered where nothing changes."""
    known = memory.services
    services = desired.services
    reserved = dns_addresses(desired.cluster.spec)
    if len(known) == len(services) and all(
        _stands(service, known.get(ref), reserved) for ref, service in services.items()
    ):
        return known
    refs = sorted(services)
    addresses = _addresses(desired, known, refs)
    ports = _node_ports(services, known, refs)
    return {ref: ServiceRecord(addresses[ref], ports[ref]) for ref in refs}


def _stands(service: Service, record: ServiceRecord | None, reserved: Container[str]) -> bool:
    """What is remembered still is what the manifest asks for."""
    spec = service.spec
    if record is None or len(record.node_ports) != len(spec.ports):
        return False
    if record.cluster_ip in reserved and not spec.cluster_ip:
        return False
    if spec.cluster_ip and record.cluster_ip != _fixed_address(service):
        return False
    if bool(record.cluster_ip) == (spec.cluster_ip == HEADLESS):
        return False
    exposed = spec.type == "NodePort"
    return all(
        bool(given) == exposed and (not port.node_port or given == port.node_port or not exposed)
        for port, given in zip(spec.ports, record.node_ports, strict=True)
    )


def _fixed_address(service: Service) -> str:
    return "" if service.spec.cluster_ip == HEADLESS else service.spec.cluster_ip


def _addresses(desired: Desired, known: Mapping[Ref, ServiceRecord], refs: list[Ref]) -> dict[Ref, str]:
    services = desired.services
    network = IPv4Network(desired.cluster.spec.service_cidr)
    chosen = {ref: _fixed_address(services[ref]) for ref in refs if services[ref].spec.cluster_ip}
    taken = {*chosen.values(), *dns_addresses(desired.cluster.spec)}
    for ref in refs:
        remembered = known[ref].cluster_ip if ref in known else ""
        if ref not in chosen and remembered and remembered not in taken and IPv4Address(remembered) in network:
            chosen[ref] = remembered
            taken.add(remembered)
    for ref in refs:
        if ref not in chosen:
            offsets = _from_name(ref, range(1, network.num_addresses - 1))
            candidates = (str(network.network_address + offset) for offset in offsets)
            chosen[ref] = next((address for address in candidates if address not in taken), "")
            taken.add(chosen[ref])
    return chosen


def _node_ports(
    services: Mapping[Ref, Service], known: Mapping[Ref, ServiceRecord], refs: list[Ref]
) -> dict[Ref, tuple[int, ...]]:
    exposed = [ref for ref in refs if services[ref].spec.type == "NodePort"]
    taken = {port.node_port for ref in exposed for port in services[ref].spec.ports if port.node_port}
    remembered: dict[tuple[Ref, int], int] = {}
    for ref in exposed:
        ports = services[ref].spec.ports
        for index, (port, given) in enumerate(
            zip(ports, known[ref].node_ports if ref in known else (), strict=False)
        ):
            if given and not port.node_port and given not in taken:
                remembered[ref, index] = given
                taken.add(given)
    chosen: dict[Ref, tuple[int, ...]] = {ref: (0,) * len(services[ref].spec.ports) for ref in refs}
    for ref in exposed:
        given_ports = []
        for index, port in enumerate(services[ref].spec.ports):
            given = port.node_port or remembered.get((ref, index), 0)
            if not given:
                candidates = _from_name(Ref(ref.kind, ref.namespace, f"{ref.name}:{index}"), NODE_PORTS)
                given = next((candidate for candidate in candidates if candidate not in taken), 0)
                taken.add(given)
            given_ports.append(given)
        chosen[ref] = tuple(given_ports)
    return chosen


def _from_name(ref: Ref, numbers: range) -> Iterator[int]:
    """All of the numbers, beginning at one that follows from the name."""
    start = zlib.crc32(f"{ref.namespace}/{ref.name}".encode()) % len(numbers)
    for step in range(len(numbers)):
        yield numbers[(start + step) % len(numbers)]
