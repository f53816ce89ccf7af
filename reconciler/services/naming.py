"""From services and their endpoints to DNS names, and to the files of the node's name servers.

Rules: https://github.com/kubernetes/dns/blob/master/docs/specification.md

A service whose names cannot be is left out and told of; it never takes another one down with it. An endpoint of a
service with a virtual address changes nothing here; one of a headless service changes one file of hosts, and
where it has named ports one of answers.
"""

import re
import zlib
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.api.cluster import ClusterSpec, dns_addresses
from reconciler.model.api.core.service import Service
from reconciler.model.desired import Desired
from reconciler.model.digests import digest
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.services import is_headless
from reconciler.model.setups import NodeDns
from reconciler.services.dns import (
    Alias,
    NamedHost,
    Srv,
    Zone,
    answers_name,
    render_answers,
    render_config,
    render_hosts,
    render_records,
    version_name,
)

_SERVERS: Final = Ref("Service", "kube-system", "kube-dns")
"""As the name servers are called in Kubernetes, where some programs look for them."""
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_FILES: Final = 32
_NO_RECORD: Final = ServiceRecord()


class NameServerSetup(Struct, frozen=True):
    """The name servers that every node should have, and what they leave out."""

    dns: NodeDns
    problems: tuple[str, ...]
    """Services left out, each with the reason."""


class NameServers:
    """Makes the name servers' files for a loop: inputs that say the same give the very same object, and only
    Services that changed are rendered.

    Not shared between threads.
    """

    def __init__(self) -> None:
        self._spec: ClusterSpec | None = None
        self._known: dict[Ref, _Rendered] = {}
        self._named: NameServerSetup | None = None
        self._services: Mapping[Ref, Service] = {}
        self._records: Mapping[Ref, ServiceRecord] = {}
        self._by_pod: Mapping[Ref, tuple[Endpoint, ...]] = {}
        """Of the headless services."""

    def named(
        self,
        desired: Desired,
        records: Mapping[Ref, ServiceRecord],
        endpoints: Mapping[Ref, tuple[Endpoint, ...]],
    ) -> NameServerSetup:
        spec = desired.cluster.spec
        if self._named is not None and self._is_as_before(desired, records, endpoints):
            return self._named
        before = self._known if spec == self._spec else {}
        now: dict[Ref, _Rendered] = {}
        for ref, service in sorted(desired.of(Service).items()):
            by_pod = endpoints.get(ref, ()) if is_headless(service) else ()
            inputs = _NamingInputs(service, records.get(ref, _NO_RECORD), by_pod)
            known = before.get(ref)
            now[ref] = known if known is not None and known.inputs == inputs else _rendered(ref, inputs, spec)
        same = now.keys() == before.keys() and all(now[ref] is before[ref] for ref in now)
        if self._named is None or spec != self._spec or not same:
            self._spec, self._known, self._named = spec, now, _named(spec, now)
        self._services, self._records = desired.of(Service), records
        self._by_pod = {ref: one.inputs.endpoints for ref, one in now.items() if is_headless(one.inputs.service)}
        return self._named

    def _is_as_before(
        self,
        desired: Desired,
        records: Mapping[Ref, ServiceRecord],
        endpoints: Mapping[Ref, tuple[Endpoint, ...]],
    ) -> bool:
        """Seen at a glance: pods come and go most often, and only those of headless services have names."""
        return (
            desired.of(Service) is self._services
            and records is self._records
            and desired.cluster.spec == self._spec
            and all(endpoints.get(ref, ()) == known for ref, known in self._by_pod.items())
        )


class _NamingInputs(Struct, frozen=True):
    service: Service
    record: ServiceRecord
    endpoints: tuple[Endpoint, ...]


class _Rendered(Struct, frozen=True):
    inputs: _NamingInputs
    file: str
    """Where its hosts are."""
    zone: Zone
    hosts: str
    records: str
    answers: str = ""
    problem: str = ""


def zone_of(
    ref: Ref, service: Service, record: ServiceRecord, endpoints: tuple[Endpoint, ...], domain: str
) -> Zone:
    """The names of one service; ValueError where one of them cannot be."""
    for label in (ref.namespace, ref.name):
        if _LABEL.fullmatch(label) is None:
            raise ValueError(f"{label!r} cannot be part of a DNS name")
    name = f"{ref.name}.{ref.namespace}.svc.{domain}"
    if service.spec.type == "ExternalName":
        return Zone(delegated=(name,), aliases=(Alias(name, service.spec.external_name.lower().rstrip(".")),))
    ports = [
        (number, f"_{port.name}._{port.protocol.lower()}.{name}", port.port)
        for number, port in enumerate(service.spec.ports)
        if port.name
    ]
    if not is_headless(service):
        ip = record.cluster_ip or service.spec.cluster_ip
        hosts = (NamedHost(ip, (name,)),) if ip else ()
        return Zone(hosts, tuple(Srv(srv, name, port) for _, srv, port in ports if hosts))
    published = [(one, f"{one.hostname or one.ip.replace('.', '-')}.{name}") for one in endpoints if one.ready]
    return Zone(
        hosts=tuple(sorted({NamedHost(one.ip, (own, name)) for one, own in published})),
        delegated=tuple(dict.fromkeys(srv for _, srv, _ in ports)),
        ports=tuple(
            sorted(
                {
                    Srv(srv, own, one.ports[number])
                    for one, own in published
                    for number, srv, _ in ports
                    if one.ports[number]
                }
            )
        ),
    )


def _rendered(ref: Ref, inputs: _NamingInputs, spec: ClusterSpec) -> _Rendered:
    try:
        zone = zone_of(ref, inputs.service, inputs.record, inputs.endpoints, spec.cluster_domain)
    except ValueError as error:
        return _Rendered(inputs, "", Zone(), "", "", "", f"{ref} has no DNS names: {error}")
    return _Rendered(
        inputs, _file(ref), zone, render_hosts(zone.hosts), render_records(zone), render_answers(zone)
    )


def _named(spec: ClusterSpec, services: Mapping[Ref, _Rendered]) -> NameServerSetup:
    config, config_name = render_config(
        spec.cluster_domain,
        (spec.service_cidr, spec.pod_cidr),
        spec.dns.upstreams,
        [rendered.records for rendered in services.values()],
    )
    addresses = dns_addresses(spec)
    hosts = _files(services)
    if _SERVERS not in services:
        name = f"{_SERVERS.name}.{_SERVERS.namespace}.svc.{spec.cluster_domain}"
        hosts["servers"] = render_hosts(NamedHost(address, (name,)) for address in addresses)
    answers: dict[str, str] = {}
    for rendered in services.values():
        if rendered.answers:
            answers[rendered.file] = answers.get(rendered.file, "") + rendered.answers
    dns = NodeDns(
        image=spec.images.proxy,
        addresses=addresses,
        config=config,
        config_name=config_name,
        hosts=hosts,
        hosts_name=version_name(_digest(hosts), spec.cluster_domain),
        answers=answers,
        answers_name=answers_name(_digest(answers), spec.cluster_domain),
        upstreams=spec.dns.upstreams,
    )
    return NameServerSetup(dns, tuple(rendered.problem for rendered in services.values() if rendered.problem))


def _digest(files: Mapping[str, str]) -> str:
    return digest("".join(f"{file}\n{files[file]}" for file in sorted(files)))


def _files(services: Mapping[Ref, _Rendered]) -> dict[str, str]:
    """Few enough to be read quickly when a server starts, enough that a change is a small part of the whole.

    A pod of several headless services has the reverse name that the first of them gives it. dnsmasq forgets that
    name with the first one's file, and takes up another where it reads one anew: so the file says whose the name
    is, and is another file once that changes.
    """
    first: dict[str, Ref] = {}
    shared: dict[Ref, set[str]] = {}
    files: dict[str, list[str]] = {}
    for ref, rendered in services.items():
        for host in rendered.zone.hosts if is_headless(rendered.inputs.service) else ():
            if (owner := first.setdefault(host.ip, ref)) != ref:
                shared.setdefault(owner, set()).add(host.ip)
    for ref, rendered in services.items():
        if rendered.hosts:
            lines = files.setdefault(rendered.file, [])
            lines.append(rendered.hosts)
            lines += [f"# {ip} is {ref.name} of {ref.namespace} first\n" for ip in sorted(shared.get(ref, ()))]
    return {file: "".join(lines) for file, lines in files.items()}


def _file(ref: Ref) -> str:
    return f"{zlib.crc32(f'{ref.namespace}/{ref.name}'.encode()) % _FILES:02}"
