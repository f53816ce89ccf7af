"""Which network a pod's containers are on, what they are called there, and which names they know.

Rules: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from collections.abc import Iterable
from typing import NamedTuple

from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.operations import HostNetwork, PodAddress, PublishedPort
from reconciler.model.pods import Container, PodSpec
from reconciler.planning.pod_fields import host_address

_LONGEST_HOSTNAME = 63
_NO_SEARCH = "."
"""To Docker: search in no domain, not even in those of the host."""


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
    What dnsConfig names takes the place of the host's: which those are, only the host knows.
    """
    hosts = tuple(f"{name}:{alias.ip}" for alias in spec.host_aliases for name in alias.hostnames)
    dns = spec.dns_config
    searches = dns.searches or ((_NO_SEARCH,) if spec.dns_policy == "None" else ())
    options = tuple(f"{option.name}:{option.value}" if option.value else option.name for option in dns.options)
    if spec.host_network:
        address = HostNetwork(host_address(intent, desired))
        return Identity(address, "", "", (), hosts, dns.nameservers, searches, options)
    hostname, domain = _names(intent, spec, desired)
    ports = tuple(port for container in containers for port in _published(container))
    network = PodAddress(intent.ip)
    return Identity(network, hostname, domain, ports, hosts, dns.nameservers, searches, options)


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
