"""Which network a pod's containers are on, what they are called there, and which names they know.

Rules: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reconciler.model.api.cluster import dns_addresses
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.container_config import HostNetwork, PodAddress, PublishedPort
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.planning.kubelet.downward_api import host_address

_LONGEST_HOSTNAME = 63
_NO_SEARCH = "."
"""To Docker: search in no domain, not even in those of the host."""
_MOST_SERVERS, _MOST_SEARCHES, _LONGEST_SEARCHES = 3, 32, 2048
"""Kubernetes' limits; what is over them is left out, from the end, as there."""


class Identity(NamedTuple):
    """The fields of a ContainerConfig of the same names, of the container that owns its pod's network."""

    network: PodAddress | HostNetwork
    hostname: str
    domain: str
    ports: tuple[PublishedPort, ...]
    extra_hosts: tuple[str, ...]
    dns_servers: tuple[str, ...]
    dns_searches: tuple[str, ...]
    dns_options: tuple[str, ...]


def identity_of(intent: PodIntent, spec: PodSpec, containers: Iterable[Container], desired: Desired) -> Identity:
    """`containers`: those whose ports are published with it.

    On its host's network a pod has the host's own name, and its ports are there without being published.
    """
    hosts = tuple(f"{name}:{alias.ip}" for alias in spec.host_aliases for name in alias.hostnames)
    dns = _resolver(intent, spec, desired)
    if spec.host_network:
        address = HostNetwork(host_address(intent, desired))
        return Identity(address, "", "", (), hosts, dns.servers, dns.searches, dns.options)
    hostname, domain = _names(intent, spec, desired)
    ports = tuple(port for container in containers for port in _published(container))
    network = PodAddress(intent.ip)
    return Identity(network, hostname, domain, ports, hosts, dns.servers, dns.searches, dns.options)


class _Resolver(NamedTuple):
    """Empty: the host's."""

    servers: tuple[str, ...]
    searches: tuple[str, ...]
    options: tuple[str, ...]


def _resolver(intent: PodIntent, spec: PodSpec, desired: Desired) -> _Resolver:
    """What dnsPolicy gives, and dnsConfig added to it.

    Where the policy gives the host's, what dnsConfig names takes the place of those: which they are, only the host
    knows. For the same reason no pod searches in its host's domains beside the cluster's.
    """
    config = spec.dns_config
    added = {option.name: option.value for option in config.options}
    if not _asks_the_cluster(spec):
        searches = config.searches or ((_NO_SEARCH,) if spec.dns_policy == "None" else ())
        return _Resolver(config.nameservers, searches, _options(added))
    cluster = desired.cluster.spec
    domain = cluster.cluster_domain
    servers = _distinct(dns_addresses(cluster), config.nameservers)
    searches = _distinct((f"{intent.namespace}.svc.{domain}", f"svc.{domain}", domain), config.searches)
    return _Resolver(servers[:_MOST_SERVERS], _fitting(searches), _options({"ndots": "5", **added}))


def _asks_the_cluster(spec: PodSpec) -> bool:
    """On its host's network a pod does so by a policy of its own alone."""
    policy = spec.dns_policy
    return policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.host_network)


def _distinct(*lists: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for words in lists for word in words))


def _fitting(searches: tuple[str, ...]) -> tuple[str, ...]:
    kept = searches[:_MOST_SEARCHES]
    while len(" ".join(kept)) > _LONGEST_SEARCHES:
        kept = kept[:-1]
    return kept


def _options(options: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}:{value}" if value else name for name, value in options.items())


def _names(intent: PodIntent, spec: PodSpec, desired: Desired) -> tuple[str, str]:
    hostname = spec.hostname or intent.name[:_LONGEST_HOSTNAME].rstrip("-.")
    if not spec.subdomain:
        return hostname, ""
    domain = f"{spec.subdomain}.{intent.namespace}.svc.{desired.cluster.spec.cluster_domain}"
    return (f"{hostname}.{domain}", "") if spec.set_hostname_as_fqdn else (hostname, domain)


def _published(container: Container) -> Iterable[PublishedPort]:
    for port in container.ports:
        if port.host_port:
            yield PublishedPort(port.container_port, port.host_port, port.protocol.lower(), port.host_ip)
