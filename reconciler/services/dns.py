"""The text of the files that the node's name servers read: the only place where a line of them is written.

A manifest cannot add a directive, or a name outside of the cluster's domain. Whatever it names reaches the files
through the types below, which refuse everything but DNS names, IPv4 addresses and ports.

The addresses of names are in files like /etc/hosts, which dnsmasq 2.87 and later reads again when they change.
Everything else is in its configuration, which it reads when it starts. So what changes with every pod and is no
address, the ports of headless services, is in files of the program that dnsmasq asks about those names; so is
what stands for a name outside, which dnsmasq cannot look up (`reconciler/authority/` has their format).
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from msgspec import Struct

from reconciler.model.digests import digest
from reconciler.model.names import DNS_AUTHORITY

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAME: Final = 253
_ANSWERS_VERSION: Final = "answers-version"

_PREAMBLE: Final = """\
user=nobody
pid-file=
log-facility=/dev/null
bind-dynamic
no-hosts
hostsdir=/etc/reconciler/hosts
local-ttl=5
cache-size=10000
dns-forward-max=1000
"""
"""What surprises here:

- `log-facility`: it would be a line for each file read. Why a server does not start, it says all the same.
- `bind-dynamic`: each server has one address, given on its command line, and takes up port 53 there and nowhere
  else; an address that the host does not have yet is taken up when it appears.
- `local-ttl` is that of CoreDNS: who caches an answer, as few do, sees a change within five seconds.
- The container has /var/lib/reconciler/<cluster>/dns of its host at /etc/reconciler.
"""


class NamedHost(Struct, frozen=True, order=True):
    """An address and its names; its own name, for who asks by address, is the first."""

    ip: str
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_address(self.ip)
        check_names(*self.names)


class Srv(Struct, frozen=True, order=True):
    """Where a port of a service is."""

    name: str
    target: str
    port: int

    def __post_init__(self) -> None:
        check_names(self.name, self.target)
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{self.port!r} is no port")


class Alias(Struct, frozen=True, order=True):
    """A name that stands for another one."""

    name: str
    target: str

    def __post_init__(self) -> None:
        check_names(self.name, self.target)


class Zone(Struct, frozen=True):
    """Some of the names of a cluster: those of one service, say."""

    hosts: tuple[NamedHost, ...] = ()
    srvs: tuple[Srv, ...] = ()
    """The records that change with their Service alone."""
    delegated: tuple[str, ...] = ()
    """Names that dnsmasq asks the authority about."""
    ports: tuple[Srv, ...] = ()
    aliases: tuple[Alias, ...] = ()
    """The other names: with the ports, this is what the authority knows."""

    def __post_init__(self) -> None:
        check_names(*self.delegated)


def check_names(*names: str) -> None:
    for name in names:
        if len(name) > _LONGEST_NAME or _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} cannot be a DNS name")


def check_address(ip: str) -> None:
    if not ip.isascii() or str(IPv4Address(ip)) != ip:
        raise ValueError(f"{ip!r} is no IPv4 address")


def render_hosts(hosts: Iterable[NamedHost]) -> str:
    return "".join(f"{host.ip} {' '.join(host.names)}\n" for host in hosts)


def render_records(zone: Zone) -> str:
    """What of it is part of the configuration."""
    srvs = "".join(f"srv-host={srv.name},{srv.target},{srv.port},0,1\n" for srv in zone.srvs)
    return srvs + "".join(_delegation(name) for name in zone.delegated)


def render_answers(zone: Zone) -> str:
    """What of it the authority knows."""
    ports = "".join(f"srv {srv.name} {srv.target} {srv.port}\n" for srv in zone.ports)
    return ports + "".join(f"cname {alias.name} {alias.target}\n" for alias in zone.aliases)


def _delegation(name: str) -> str:
    return f"server=/{name}/{DNS_AUTHORITY[0]}#{DNS_AUTHORITY[1]}\n"


def render_config(
    domain: str, networks: Iterable[str], upstreams: Iterable[str], records: Iterable[str]
) -> tuple[str, str]:
    """The whole file, and the name that only who has read it knows.

    `networks`: whose addresses we name; `records`: each from `render_records`.
    """
    text = "".join((*(f"{line}\n" for line in _lines(domain, networks, tuple(upstreams))), *records))
    name = version_name(digest(text), domain)
    return f"{text}txt-record={name},reconciler\n", name


def version_name(version: str, domain: str) -> str:
    return f"{version}.dns-version.{domain}"


def answers_name(version: str, domain: str) -> str:
    """One that the authority knows."""
    return f"{version}.{_ANSWERS_VERSION}.{domain}"


def _lines(domain: str, networks: Iterable[str], upstreams: tuple[str, ...]) -> Iterator[str]:
    check_names(domain)
    yield _PREAMBLE.rstrip("\n")
    yield f"local=/{domain}/"
    yield _delegation(f"{_ANSWERS_VERSION}.{domain}").rstrip("\n")
    yield from (f"local=/{zone}/" for network in networks for zone in reverse_zones(network))
    if upstreams:
        yield "no-resolv"
    else:
        yield "resolv-file=/etc/reconciler/resolv.conf"
    for upstream in upstreams:
        check_address(upstream)
        yield f"server={upstream}"


def reverse_zones(network: str) -> Iterator[str]:
    """`10.96.0.0/15` as `96.10.in-addr.arpa` and `97.10.in-addr.arpa`: names are cut at the dots."""
    whole = IPv4Network(network)
    octets = max(1, min(4, (whole.prefixlen + 7) // 8))
    for part in whole.subnets(new_prefix=max(whole.prefixlen, octets * 8)):
        yield ".".join([*reversed(str(part.network_address).split(".")[:octets]), "in-addr", "arpa"])
