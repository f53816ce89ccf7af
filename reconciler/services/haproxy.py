"""The text of haproxy.cfg, for HAProxy 2.6 and later: the only place where a line of it is written.

A manifest cannot add a directive. Whatever it names reaches the file through the types below, which refuse
everything but HAProxy's own name characters and IPv4 addresses.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

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
    default-server check inter 1s fastinter 500ms downinter 1s fall 2 rise 1
    default-server observe layer4 error-limit 3 on-error sudden-death tcp-ut 10s
"""
"""What surprises here:

- `fd-hard-limit`, not `maxconn`: a fixed maxconn makes HAProxy refuse to start where the container's file limit
  is lower, and none at all makes it take memory for a billion connections where the limit is infinite.
- `hard-stop-after` and `mworker-max-reloads`: a reload leaves a process behind that finishes its connections;
  this is how long, and how many of them.
- Idle connections live for a day, as with kube-proxy's conntrack; keepalive finds the dead ones in two minutes,
  and `tcp-ut` those that wait for an answer in ten seconds.
- A pod that refuses three connections in a row (`observe layer4`) needs one failed check, not two, to be left out.
  Who is connected to it stays so: cutting them off (`on-marked-down shutdown-sessions`) would also lose every
  connection that is just being tried, and would go to another pod.
- A refused or timed-out connection is tried again with another pod (`option redispatch 1`): when a host is lost,
  who was sent there waits for `timeout connect`, and loses nothing.
- The log has state changes only: connections are logged at a lower level than `notice`.
- The container that runs HAProxy has /var/lib/reconciler/<cluster>/proxy of its host at /etc/reconciler.
"""


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


def render(listens: Sequence[Listen]) -> str:
    """The whole file. Its first line is the fingerprint of all that follows, its second the pods it routes to:
    `nodes` reads both back from the host to know what is in force."""
    routed = " ".join(["# routed:", *routed_ips(listens)])
    rest = f"{routed}\n\n{_PREAMBLE}{''.join(map(_section, listens))}"
    return f"# fingerprint: {_fingerprint(rest)}\n{rest}"


def fingerprint_of(config: str) -> str:
    """The fingerprint a rendered file says it has."""
    return config.partition("\n")[0].removeprefix("# fingerprint: ")


def routed_ips(listens: Sequence[Listen]) -> list[str]:
    """Every pod address that new connections may be sent to, sorted."""
    return sorted({server.address.ip for listen in listens for server in listen.servers})


def _section(listen: Listen) -> str:
    return "".join(f"{line}\n" for line in _lines(listen))


def _lines(listen: Listen) -> Iterator[str]:
    yield ""
    yield f"listen {listen.name}"
    yield from (f"    bind {bind}" for bind in listen.binds)
    yield from (f"    server {server.name} {server.address}" for server in listen.servers)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check(pattern: re.Pattern[str], name: str) -> None:
    if pattern.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be a name in HAProxy's configuration")
