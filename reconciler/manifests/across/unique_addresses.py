"""Addresses that only one may have: hosts' SSH addresses, service addresses, pod networks; `exposure`: ports."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

from reconciler.manifests.across.index import Index, Located
from reconciler.manifests.across.unique_ports import check_exposure, check_slice_addresses, exposes
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding
from reconciler.manifests.reading.file_reader import Entry
from reconciler.model.api.cluster import Cluster, ClusterSpec, dns_addresses
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.api.networking import Ingress
from reconciler.model.names import ANNOTATION_SSH


def check_addresses(index: Index) -> Iterator[Located]:
    clusters = [entry.thing for entry in index.by_kind["Cluster"].values()]
    cluster = clusters[0].spec if clusters and isinstance(clusters[0], Cluster) else None
    yield from _ssh(index, cluster)
    yield from _services(index, cluster)
    nodes = {
        ref.name: entry.thing for ref, entry in index.by_kind["Node"].items() if isinstance(entry.thing, Node)
    }
    yield from check_exposure(_in_order(index, "Service"), _in_order(index, "Ingress"), nodes, cluster)
    for entry in _in_order(index, "EndpointSlice"):
        yield from check_slice_addresses(entry, cluster)
    yield from _pod_networks(index, cluster)


def takes_address(entry: Entry) -> bool:
    """Whether the checks here look at it."""
    thing = entry.thing
    if isinstance(thing, Service):
        return bool(thing.spec.cluster_ip) or exposes(thing)
    return isinstance(thing, Cluster | Node | EndpointSlice | Ingress)


def _in_order(index: Index, kind: str) -> list[Entry]:
    return sorted(filter(takes_address, index.by_kind[kind].values()), key=lambda entry: entry.place)


def _ssh(index: Index, cluster: ClusterSpec | None) -> Iterator[Located]:
    port = cluster.ssh.port if cluster is not None else 22
    taken: dict[tuple[str, int], Entry] = {}
    for entry in _in_order(index, "Node"):
        assert isinstance(entry.thing, Node)
        address = (entry.thing.ssh.host.lower(), entry.thing.ssh.port or port)
        if (other := taken.setdefault(address, entry)) is not entry:
            at = ("metadata", "annotations", ANNOTATION_SSH)
            message = f"{other.ref} has the same address ({other.place})"
            yield entry, Finding(at, Code.DUPLICATE_ADDRESS, message, "a host is one Node: correct one of the two")


def _services(index: Index, cluster: ClusterSpec | None) -> Iterator[Located]:
    network = IPv4Network(cluster.service_cidr) if cluster is not None else None
    addresses: dict[str, Entry] = {}
    for entry in _in_order(index, "Service"):
        assert isinstance(entry.thing, Service)
        spec = entry.thing.spec
        if spec.cluster_ip not in ("", "None"):
            at = ("spec", "clusterIP")
            if network is not None and IPv4Address(spec.cluster_ip) not in network:
                message = f"{spec.cluster_ip} is not in the service CIDR {network}"
                yield (
                    entry,
                    Finding(at, Code.OUTSIDE_CIDR, message, "choose an address in it, or leave the line out"),
                )
            if cluster is not None and spec.cluster_ip in dns_addresses(cluster):
                message = f"{spec.cluster_ip} is the address of one of the cluster's name servers"
                fix = "choose another one, or leave the line out"
                yield entry, Finding(at, Code.DUPLICATE_ADDRESS, message, fix)
            if (other := addresses.setdefault(spec.cluster_ip, entry)) is not entry:
                message = f"{other.ref} has the same address ({other.place})"
                yield (
                    entry,
                    Finding(at, Code.DUPLICATE_ADDRESS, message, "choose another one, or leave the line out"),
                )


def _pod_networks(index: Index, cluster: ClusterSpec | None) -> Iterator[Located]:
    whole = IPv4Network(cluster.pod_cidr) if cluster is not None else None
    parts: list[tuple[IPv4Network, Entry]] = []
    at = ("spec", "podCIDR")
    for entry in _in_order(index, "Node"):
        assert isinstance(entry.thing, Node)
        if not entry.thing.spec.pod_cidr:
            continue
        part = IPv4Network(entry.thing.spec.pod_cidr)
        parts.append((part, entry))
        if whole is not None and not part.subnet_of(whole):
            message = f"{part} is not in the cluster's pod CIDR {whole}"
            yield entry, Finding(at, Code.OUTSIDE_CIDR, message, "choose a part of it, or leave the line out")
    parts.sort(key=lambda pair: (pair[0].network_address, pair[0].prefixlen))
    for (part, entry), (next_part, next_entry) in pairwise(parts):  # networks overlap only by containing
        if part.overlaps(next_part):
            message = f"{next_part} overlaps {part} of {entry.ref} ({entry.place})"
            fix = "choose another one, or leave the line out"
            yield next_entry, Finding(at, Code.OVERLAPPING_CIDRS, message, fix)
