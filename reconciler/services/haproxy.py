"""The text of haproxy.cfg, for HAProxy 2.6 and later: here its lines are written (model.proxy puts them together).

A manifest cannot add a directive. Whatever it names reaches the file through the types below, which refuse
everything but HAProxy's own name characters and IPv4 addresses.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from reconciler.model.proxy import NodeProxy, ProxySection, ProxyServer
from reconciler.model.secrets import SecretText

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_SERVER: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
_SECTION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(?:_[a-z0-9][a-z0-9-]{0,62}){2}")
"""`namespace_service_port`, of three parts without `_`: two services never share a section's name."""

_PREAMBLE: Final = """\
global
    log stdout format raw daemon notice
    fd-hard-limit 65536
    hard-stop-after 10m
    mworker-max-reloads 20
    spread-checks 5
    stats socket /etc/reconciler/admin.sock mode 600 level admin expose-fd listeners
    server-state-file /etc/reconciler/servers.state
    localpeer node

peers reloads
    peer node unix@/etc/reconciler/peers.sock

defaults
    mode tcp
    log global
    balance roundrobin
    retries 3
    option redispatch 1
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
"""
"""What surprises here:

- `fd-hard-limit`, not `maxconn`: a fixed maxconn makes HAProxy refuse to start where the container's file limit
  is lower, and none at all makes it take memory for a billion connections where the limit is infinite.
- `hard-stop-after` and `mworker-max-reloads`: a reload leaves a process behind that finishes its connections;
  this is how long, and how many of them.
- `peers` with nobody but the process itself: a new one gets the old one's stick tables (session affinity).
- Idle connections live for a day, as with kube-proxy's conntrack; keepalive finds the dead ones in two minutes.
- A refused or timed-out connection is tried again with another pod (`option redispatch 1`): when a host is lost,
  who was sent there waits for `timeout connect`, and loses nothing.
- The log has state changes only: connections are logged at a lower level than `notice`.
- The container that runs HAProxy has /var/lib/reconciler/<cluster>/proxy of its host at /etc/reconciler.
"""

_PASSIVE: Final = "observe layer4 error-limit 3 on-error sudden-death"
"""A pod that refuses three connections in a row needs one failed check, not two, to be left out. Who is connected
to it stays so: cutting them off (`on-marked-down shutdown-sessions`) would also lose every connection that is just
being tried, and would go to another pod."""


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


class Address(Struct, frozen=True, order=True):
    """`ip:port`; ValueError for anything but an IPv4 address and a TCP port."""

    ip: str
    port: int

    def __post_init__(self) -> None:
        if _IPV4.fullmatch(self.ip) is None or not 1 <= self.port <= 65535:
            raise ValueError(f"{self.ip!r} port {self.port!r} is not an address that can be connected to")

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


class Server(Struct, frozen=True):
    """A pod that takes connections."""

    name: str
    address: Address

    def __post_init__(self) -> None:
        _check(_SERVER, self.name)


class Listen(Struct, frozen=True):
    """One port of a service: where it is heard, and the pods behind it. With none it still listens."""

    name: str
    binds: tuple[Address, ...]
    servers: tuple[Server, ...] = ()

    def __post_init__(self) -> None:
        _check(_SECTION, self.name)


def node_proxy(image: str, listens: Sequence[Listen]) -> NodeProxy:
    """HAProxy that serves all this."""
    options = check_options(len(listens))
    return proxy_of(image, [_section(listen, options) for listen in listens])


def proxy_of(
    image: str, sections: Sequence[ProxySection], files: Mapping[str, str | SecretText] = {}
) -> NodeProxy:
    structure = _digest(
        _PREAMBLE, *sorted(files), *(part for one in sections for part in (one.text, one.server_options))
    )
    servers = (
        f"{section.name} {server.name} {server.address}" for section in sections for server in section.servers
    )
    return NodeProxy(image, _PREAMBLE, tuple(sections), structure, _digest(structure, *servers), files)


def _section(listen: Listen, options: str) -> ProxySection:
    lines = [f"listen {listen.name}", *(f"    bind {bind}" for bind in listen.binds)]
    servers = tuple(ProxyServer(server.name, str(server.address)) for server in listen.servers)
    return ProxySection(listen.name, "".join(f"{line}\n" for line in lines), options, servers)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _check(pattern: re.Pattern[str], name: str) -> None:
    if pattern.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be a name in HAProxy's configuration")
