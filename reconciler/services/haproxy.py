"""The text of haproxy.cfg, for HAProxy 2.6 and later: here its lines are written (model.proxy puts them together).

A manifest cannot add a directive. Whatever it names reaches the file through the types below, which refuse
everything but HAProxy's own name characters and IPv4 addresses.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.digests import digest
from reconciler.model.proxy import NodeProxy, ProxySection, ProxyServer
from reconciler.model.secrets import SecretText
from reconciler.model.service_options import ServiceBalance
from reconciler.model.services import PortProtocol

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_SERVER: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
_SECTION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(?:_[a-z0-9][a-z0-9-]{0,62}){2}(?:_external|_edge)?")
"""Of a `ServiceSection`."""
_SOURCES: Final = "/etc/reconciler/sources"
"""Where the container that runs HAProxy has the lists of networks."""
_REPEATABLE: Final = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")
"""Methods that are idempotent: RFC 9110, 9.2.2."""

_PREAMBLE: Final = """\
global
    log stdout format raw daemon notice
    uid 8482
    gid 8482
    fd-hard-limit 65536
    hard-stop-after 10m
    mworker-max-reloads 20
    spread-checks 5
    stats socket /etc/reconciler/admin.sock mode 600 level admin expose-fd listeners
    server-state-file /etc/reconciler/servers.state
    localpeer node

peers reloads
    default-bind mode 660
    peer node unix@/etc/reconciler/peers.sock

defaults tcp
    mode tcp
    log global
    balance roundrobin
    retries 3
    option redispatch 1
    option contstats
    option clitcpka
    clitcpka-idle 60s
    clitcpka-intvl 10s
    clitcpka-cnt 6
    option srvtcpka
    srvtcpka-idle 60s
    srvtcpka-intvl 10s
    srvtcpka-cnt 6
    timeout connect 1s
    timeout queue 5s
    timeout check 1s
    timeout client 24h
    timeout server 24h
    timeout client-fin 30s
    timeout server-fin 30s
    load-server-state-from-file global

defaults http from tcp
    mode http
    option forwardfor
    option idle-close-on-response
    timeout http-request 30s
    timeout http-keep-alive 10m
    timeout tunnel 24h
    retry-on conn-failure empty-response
"""
"""What surprises here:

- `uid` and `gid`: the process that clients talk to is nobody's, and has no capability. It is still to reach the
  socket of its successor, which belongs to its group as the directory does (nodes.proxy_container).
- `fd-hard-limit`, not `maxconn`: a fixed maxconn makes HAProxy refuse to start where the container's file limit
  is lower, and none at all makes it take memory for a billion connections where the limit is infinite.
- `hard-stop-after` and `mworker-max-reloads`: a reload leaves a process behind that finishes its connections;
  this is how long, and how many of them.
- `peers` with nobody but the process itself: a new one gets the old one's stick tables (session affinity).
- `contstats`: a connection's bytes are counted every five seconds while they flow, not at its end, a day later.
- Idle connections live for a day, as with kube-proxy's conntrack; keepalive finds the dead ones in two minutes.
- A refused or timed-out connection is tried again with another pod (`option redispatch 1`): when a host is lost,
  who was sent there waits for `timeout connect`, and loses nothing.
- By request (`http`), an answer that did not begin is asked for again from another pod, where the method allows it
  (`disable-l7-retry`); and a client's idle connection outlives a reload until its next answer says `close`.
- The log has state changes only: connections are logged at a lower level than `notice`.
- The container that runs HAProxy has /var/lib/reconciler/<cluster>/proxy of its host at /etc/reconciler.
"""

_PASSIVE: Final = "observe layer4 error-limit 3 on-error sudden-death"
"""A pod that refuses three connections in a row needs one failed check, not two, to be left out. Who is connected
to it stays so: cutting them off (`on-marked-down shutdown-sessions`) would also lose every connection that is just
being tried, and would go to another pod."""


_POOL: Final = "pool-max-conn -1 pool-purge-delay 5s"
"""Idle connections to a pod are used again: HAProxy's default for a server of the file, and not for one that is
added at run time."""


def check_options(sections: int) -> str:
    """How HAProxy checks each server, in a file of so many sections: of a large one seldom, for every node checks
    every pod, and connections that fail tell sooner (`observe`). It follows from the sections and not from their
    servers, for a change of it is a reload."""
    if sections <= 250:
        timing = "inter 1s fastinter 500ms downinter 1s"
    elif sections <= 1000:
        timing = "inter 4s fastinter 1s downinter 2s"
    else:
        timing = "inter 10s fastinter 1s downinter 5s"
    return f"check {timing} fall 2 rise 1 {_PASSIVE}"


def check_server(server: ProxyServer) -> None:
    """Raise ValueError where the configuration cannot name this server, or nothing can connect to it."""
    _check(_SERVER, server.name)
    check_address(server.address)


def check_address(address: SocketAddress) -> None:
    """Raise ValueError for anything but an IPv4 address and a TCP port."""
    if _IPV4.fullmatch(address.ip) is None or not 1 <= address.port <= 65535:
        raise ValueError(f"{address.ip!r} port {address.port!r} is not an address that can be connected to")


class Bind(Struct, frozen=True):
    """Where a section listens; ValueError for an address that it cannot have."""

    address: SocketAddress
    foreign: bool = False
    """The host need not have the address now: a router or another program brings it."""

    def __post_init__(self) -> None:
        check_address(self.address)

    def __str__(self) -> str:
        return f"{self.address} transparent" if self.foreign else str(self.address)


class BalanceSettings(Struct, frozen=True):
    """How a port is balanced."""

    protocol: PortProtocol = "tcp"
    balance: ServiceBalance = "roundrobin"
    affinity_seconds: int = 0
    """So long after its last connection a client comes to the same pod again; 0: each goes anywhere."""
    proxy_protocol: bool = False
    slow_start_ms: int = 0
    sources: tuple[str, ...] = ()
    """Networks that may connect; empty: all."""


def listen_text(name: str, binds: Iterable[Bind], manner: BalanceSettings) -> str:
    """A section that listens, without its servers; ValueError for a name that is none."""
    _check(_SECTION, name)
    return "".join(f"{line}\n" for line in _listen_lines(name, binds, manner))


def _listen_lines(name: str, binds: Iterable[Bind], manner: BalanceSettings) -> Iterator[str]:
    by_request = manner.protocol != "tcp"
    yield f"listen {name} from {'http' if by_request else 'tcp'}"
    yield from (f"    bind {bind}" for bind in binds)
    if manner.sources:
        yield from _source_lines("allowed", manner.sources)
        yield "    tcp-request connection reject unless allowed"
    if by_request:
        yield f"    http-request disable-l7-retry unless {{ method {' '.join(_REPEATABLE)} }}"
    if manner.affinity_seconds:
        yield "    balance source"
        yield "    hash-type consistent"
        yield f"    stick-table type ip size 200k expire {manner.affinity_seconds:d}s peers reloads"
        yield "    stick on src"
    elif manner.balance != "roundrobin":
        yield f"    balance {manner.balance}"


def guarded(
    section: ProxySection, allowed: Collection[str] | None, denied: Collection[str] | None
) -> ProxySection:
    """Open to the networks `allowed` and in no case to those of `denied`; None: there is no such list."""
    lines: list[str] = []
    sources: dict[str, tuple[str, ...]] = {}
    for what, unless, networks in (("denied", "if", denied), ("allowed", "unless", allowed)):
        if networks is not None:
            name = f"{section.name}.{what}"
            sources[name] = _written(tuple(networks))
            lines += [
                f"    acl policy_{what} src -f {_SOURCES}/{name}",
                f"    tcp-request connection reject {unless} policy_{what}",
            ]
    first, rest = section.text.split("\n", 1)
    text = "".join(f"{line}\n" for line in (first, *lines)) + rest
    return replace(section, text=text, sources=sources)


@lru_cache(256)
def _written(networks: tuple[str, ...]) -> tuple[str, ...]:
    """Sorted; ValueError where one is none. Many sections have the same, of hundreds."""
    return tuple(sorted(str(IPv4Network(network)) for network in networks))


def _source_lines(name: str, networks: Sequence[str]) -> Iterator[str]:
    """An ACL of any length: HAProxy takes 64 words on a line."""
    for start in range(0, len(networks), 50):
        words = " ".join(str(IPv4Network(network)) for network in networks[start : start + 50])
        yield f"    acl {name} src {words}"


def server_options(manner: BalanceSettings, checks: str) -> str:
    """Return the options of every server of a section, where `checks` is how they are checked."""
    words = [checks]
    if manner.protocol != "tcp":
        words.append(_POOL)
    if manner.slow_start_ms:
        words.append(f"slowstart {manner.slow_start_ms:d}ms")
    if manner.proxy_protocol:
        words.append("send-proxy-v2 check-send-proxy")
    if manner.protocol == "h2c":
        words.append("proto h2")
    return " ".join(words)


_NO_FILES: Final[Mapping[str, str | SecretText]] = {}
_NO_USERS: Final = SecretText("")


def node_proxy(
    image: str,
    sections: Sequence[ProxySection],
    files: Mapping[str, str | SecretText] = _NO_FILES,
    users: SecretText = _NO_USERS,
    given: str = "",
) -> NodeProxy:
    """HAProxy that serves all this. `given` is for the next master, and HAProxy passes it over."""
    own = users.fingerprint(_PREAMBLE)
    structure = digest(
        _PREAMBLE, own, *filter(None, [given]), *sorted(files), *(section.structure for section in sections)
    )
    fingerprint = digest(structure, *(section.membership for section in sections))
    return NodeProxy(image, _PREAMBLE, tuple(sections), structure, fingerprint, files, users, given)


def _check(pattern: re.Pattern[str], name: str) -> None:
    if pattern.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be a name in HAProxy's configuration")
