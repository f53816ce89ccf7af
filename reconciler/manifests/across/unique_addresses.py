"""Addresses that only one may have: hosts' SSH addresses and pod networks, and the addresses of Services."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import Any, Final

from reconciler.manifests.across.index import Index
from reconciler.manifests.across.unique_ports import check_ports, is_exposed
from reconciler.manifests.admission import Located, RevisionCheck
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding
from reconciler.manifests.manifest import Manifest
from reconciler.model.api.cluster import Cluster, ClusterSpec, dns_addresses
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import Ingress
from reconciler.model.names import ANNOTATION_SSH


def _concerns_nodes(manifest: Manifest[Any], _: Index) -> bool:
    return isinstance(manifest.object, Cluster | Node)


def _check_nodes(index: Index) -> Iterator[Located]:
    cluster = cluster_spec(index)
    nodes = sorted(index.of(Node).values(), key=lambda manifest: manifest.place)
    yield from _ssh(nodes, cluster)
    yield from _pod_networks(nodes, cluster)


def _concerns_services(manifest: Manifest[Any], _: Index) -> bool:
    object = manifest.object
    return _takes_address(object) if isinstance(object, Service) else isinstance(object, Cluster | Node | Ingress)


def _check_services(index: Index) -> Iterator[Located]:
    cluster = cluster_spec(index)
    found = (manifest for manifest in index.of(Service).values() if _takes_address(manifest.object))
    services = sorted(found, key=lambda manifest: manifest.place)
    yield from _service_addresses(services, cluster)
    nodes = {ref.name: manifest.object for ref, manifest in index.of(Node).items()}
    ingresses = [manifest.object for manifest in index.of(Ingress).values()]
    yield from check_ports(services, ingresses, nodes, cluster)


NODE_ADDRESSES: Final = RevisionCheck(_concerns_nodes, _check_nodes)
SERVICE_ADDRESSES: Final = RevisionCheck(_concerns_services, _check_services)


def cluster_spec(index: Index) -> ClusterSpec | None:
    """The settings of the cluster; None while no Cluster could be read."""
    return next((manifest.object.spec for manifest in index.of(Cluster).values()), None)


def _takes_address(service: Service) -> bool:
    return bool(service.spec.cluster_ip) or is_exposed(service)


def _ssh(nodes: list[Manifest[Node]], cluster: ClusterSpec | None) -> Iterator[Located]:
    port = cluster.ssh.port if cluster is not None else 22
    taken: dict[tuple[str, int], Manifest[Node]] = {}
    for manifest in nodes:
        address = (manifest.object.ssh.host.lower(), manifest.object.ssh.port or port)
        if (other := taken.setdefault(address, manifest)) is not manifest:
            at = ("metadata", "annotations", ANNOTATION_SSH)
            message = f"{other.ref} has the same address ({other.place})"
            yield (
                manifest,
                Finding(at, Code.DUPLICATE_ADDRESS, message, "a host is one Node: correct one of the two"),
            )


def _service_addresses(services: list[Manifest[Service]], cluster: ClusterSpec | None) -> Iterator[Located]:
    network = IPv4Network(cluster.service_cidr) if cluster is not None else None
    addresses: dict[str, Manifest[Service]] = {}
    for manifest in services:
        spec = manifest.object.spec
        if spec.cluster_ip not in ("", "None"):
            at = ("spec", "clusterIP")
            if network is not None and IPv4Address(spec.cluster_ip) not in network:
                message = f"{spec.cluster_ip} is not in the service CIDR {network}"
                yield (
                    manifest,
                    Finding(at, Code.OUTSIDE_CIDR, message, "choose an address in it, or leave the line out"),
                )
            if cluster is not None and spec.cluster_ip in dns_addresses(cluster):
                message = f"{spec.cluster_ip} is the address of one of the cluster's name servers"
                fix = "choose another one, or leave the line out"
                yield manifest, Finding(at, Code.DUPLICATE_ADDRESS, message, fix)
            if (other := addresses.setdefault(spec.cluster_ip, manifest)) is not manifest:
                message = f"{other.ref} has the same address ({other.place})"
                yield (
                    manifest,
                    Finding(at, Code.DUPLICATE_ADDRESS, message, "choose another one, or leave the line out"),
                )


def _pod_networks(nodes: list[Manifest[Node]], cluster: ClusterSpec | None) -> Iterator[Located]:
    whole = IPv4Network(cluster.pod_cidr) if cluster is not None else None
    parts: list[tuple[IPv4Network, Manifest[Node]]] = []
    at = ("spec", "podCIDR")
    for manifest in nodes:
        if not manifest.object.spec.pod_cidr:
            continue
        part = IPv4Network(manifest.object.spec.pod_cidr)
        parts.append((part, manifest))
        if whole is not None and not part.subnet_of(whole):
            message = f"{part} is not in the cluster's pod CIDR {whole}"
            yield manifest, Finding(at, Code.OUTSIDE_CIDR, message, "choose a part of it, or leave the line out")
    parts.sort(key=lambda pair: (pair[0].network_address, pair[0].prefixlen))
    for (part, manifest), (next_part, next_manifest) in pairwise(parts):  # networks overlap only by containing
        if part.overlaps(next_part):
            message = f"{next_part} overlaps {part} of {manifest.ref} ({manifest.place})"
            fix = "choose another one, or leave the line out"
            yield next_manifest, Finding(at, Code.OVERLAPPING_CIDRS, message, fix)
