"""What Services take of the hosts: node ports, ports of the edges, external addresses. Each has one owner, and
which external addresses there are to take is the Cluster's to say.

Rule: HAProxy lets two sections bind one address, and the kernel then deals connections out at random.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from msgspec import Struct

from reconciler.manifests.admission import Located
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.manifest import Manifest
from reconciler.model.api.cluster import ClusterSpec
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.api.networking import Ingress
from reconciler.model.edges import INGRESS_PORTS, edges
from reconciler.model.ingress import is_served_here

_EVERYWHERE = ""
"""In place of an address: every one of every host."""


class _PortClaim(Struct, frozen=True):
    """A port that a Service is to be heard on."""

    host: str
    port: int
    what: str
    at: Pointer


def is_exposed(service: Service) -> bool:
    """Whether a Service takes ports or addresses of the hosts."""
    spec = service.spec
    return spec.type == "LoadBalancer" or bool(spec.external_ips or any(port.node_port for port in spec.ports))


def check_ports(
    services: Iterable[Manifest[Service]],
    ingresses: Iterable[Ingress],
    nodes: Mapping[str, Node],
    cluster: ClusterSpec | None,
) -> Iterator[Located]:
    """Errors about Services, given in the order of their places: the first one has what several ask for."""
    ports = _PortOwners(nodes, cluster.ssh.port if cluster is not None else 22)
    at_edges = {name: nodes[name].ssh.host for name in edges(nodes)}
    has_ingress = any(is_served_here(ingress) for ingress in ingresses)
    of_ingress = {(host, port): name for name, host in at_edges.items() for port in INGRESS_PORTS if has_ingress}
    for manifest in services:
        told: set[Pointer] = set()
        for claim in _claims(manifest.object, at_edges):
            if claim.at not in told and (message := ports.take(claim, manifest)):
                told.add(claim.at)
                yield (
                    manifest,
                    Finding(claim.at, Code.DUPLICATE_PORT, message, "choose another one, or leave it out"),
                )
        for finding in (*_external_addresses(manifest, cluster), *_of_ingress(manifest.object, of_ingress)):
            if finding.pointer not in told:
                yield manifest, finding


def check_slice_addresses(endpoint_slice: EndpointSlice, cluster: ClusterSpec | None) -> Iterator[Finding]:
    """Errors about addresses of the cluster's own: they would go around its Services, or in circles."""
    for index, endpoint in enumerate(endpoint_slice.endpoints):
        for number, address in enumerate(endpoint.addresses):
            at: Pointer = ("endpoints", index, "addresses", number)
            for whose in _inside(address, cluster):
                fix = "select pods with labels, or use the other Service itself"
                yield Finding(at, Code.INVALID_ADDRESS, f"{address} is in {whose}", fix)


class _PortOwners:
    """Who has which port of which address."""

    def __init__(self, nodes: Mapping[str, Node], ssh_port: int) -> None:
        self._owners: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for name, node in nodes.items():
            self._owners[node.ssh.port or ssh_port][node.ssh.host] = f"sshd of node {name}"

    def take(self, claim: _PortClaim, manifest: Manifest[Service]) -> str:
        """Why it cannot be had; empty where it can."""
        own = f"{manifest.ref} ({manifest.place})"
        owners = self._owners[claim.port]
        hosts = owners if claim.host == _EVERYWHERE else (claim.host, _EVERYWHERE)
        others = (owners[host] for host in hosts if owners.get(host, own) != own)
        if (other := next(others, None)) is not None:
            return f"{claim.what} belongs to {other}"
        owners[claim.host] = own
        return ""


def _claims(service: Service, at_edges: Mapping[str, str]) -> Iterator[_PortClaim]:
    spec = service.spec
    for number, port in enumerate(spec.ports):
        at: Pointer = ("spec", "ports", number)
        if port.node_port:
            yield _PortClaim(_EVERYWHERE, port.node_port, f"the node port {port.node_port}", (*at, "nodePort"))
        if spec.type == "LoadBalancer":
            for name, host in at_edges.items():
                yield _PortClaim(host, port.port, f"the port {port.port} of the edge {name}", (*at, "port"))
        for index, address in enumerate(spec.external_ips):
            yield _PortClaim(address, port.port, f"{address}:{port.port}", ("spec", "externalIPs", index))


def _external_addresses(manifest: Manifest[Service], cluster: ClusterSpec | None) -> Iterator[Finding]:
    namespace = manifest.ref.namespace
    for index, address in enumerate(manifest.object.spec.external_ips):
        at: Pointer = ("spec", "externalIPs", index)
        for whose in _inside(address, cluster):
            fix = "choose an address that is routed to the nodes from outside"
            yield Finding(at, Code.INVALID_ADDRESS, f"{address} is in {whose}", fix)
        if cluster is not None and not _is_allowed(address, namespace, cluster):
            message = f"the Cluster gives no Service of namespace {namespace} the external address {address}"
            rule = f"{{cidr: {address}/32, namespaces: [{namespace}]}}"
            fix = f"add {rule} to the Cluster's spec.network.externalIPs, or leave the address out"
            yield Finding(at, Code.ADDRESS_NOT_ALLOWED, message, fix)


def _is_allowed(address: str, namespace: str, cluster: ClusterSpec) -> bool:
    return any(
        IPv4Address(address) in IPv4Network(rule.cidr, strict=False)
        and (not rule.namespaces or namespace in rule.namespaces)
        for rule in cluster.network.external_ips
    )


def _of_ingress(service: Service, of_ingress: Mapping[tuple[str, int], str]) -> Iterator[Finding]:
    """External addresses at which Ingresses are served: who had one would answer in the place of every site."""
    for index, address in enumerate(service.spec.external_ips):
        taken = (port.port for port in service.spec.ports if (address, port.port) in of_ingress)
        if (port := next(taken, None)) is not None:
            message = f"{address}:{port} belongs to the Ingresses, at the edge {of_ingress[address, port]}"
            fix = "choose another port or address, or write an Ingress"
            yield Finding(("spec", "externalIPs", index), Code.DUPLICATE_PORT, message, fix)


def _inside(address: str, cluster: ClusterSpec | None) -> Iterator[str]:
    if cluster is not None:
        for name, cidr in (("pod CIDR", cluster.pod_cidr), ("service CIDR", cluster.service_cidr)):
            if IPv4Address(address) in IPv4Network(cidr):
                yield f"the {name} {cidr}"
