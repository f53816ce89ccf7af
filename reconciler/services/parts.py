"""What HAProxy's file is made of, before it is known which node's: a section's text, and whose pods are in it."""

from collections.abc import Iterable

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import ProxySection, ProxyServer
from reconciler.services.haproxy import check_server


class ProxyPart(Struct, frozen=True):
    """A section on every node, or on some: the edges may have another text, and each node other servers."""

    name: str
    text: str
    """Empty: only the edges have it."""
    edge_text: str
    service: Ref | None = None
    """Whose endpoints its servers are; None: it has none."""
    port: int = 0
    """Which of the service's ports, counted from 0."""
    server_options: str = ""
    local: bool = False
    """A node sends to its own pods only."""
    listens: bool = True
    """Clients come here first; False: by way of another section."""
    cookies: bool = False
    """Whether clients are given cookies, as `ProxySection` says."""


def section(part: ProxyPart, node: str, edge: bool, endpoints: Iterable[Endpoint]) -> ProxySection | None:
    """Return a section as this node has it; None if it has not."""
    text = part.edge_text if edge else part.text
    if not text:
        return None
    if part.service is None:
        return ProxySection(part.name, text)
    chosen = (endpoint for endpoint in endpoints if not part.local or endpoint.node == node)
    found = servers(chosen, part.port)
    made = tuple(found[name] for name in sorted(found))
    return ProxySection(part.name, text, part.server_options, made, part.cookies)


def servers(endpoints: Iterable[Endpoint], port: int) -> dict[str, ProxyServer]:
    """Return the endpoints in rotation that have this port; the first of several with one name."""
    found: dict[str, ProxyServer] = {}
    for endpoint in endpoints:
        if endpoint.ready and endpoint.ports[port] and not unusable(endpoint, port):
            found.setdefault(endpoint.pod, _server(endpoint, port))
    return found


def unusable(endpoint: Endpoint, port: int) -> str:
    """Why nothing can be sent to it; empty: it can."""
    try:
        check_server(_server(endpoint, port))
    except ValueError as error:
        return str(error)
    return ""


def left_out(part: ProxyPart, endpoints: Iterable[Endpoint]) -> list[str]:
    """Endpoints that could get nothing, each with the reason."""
    problems: list[str] = []
    seen: dict[str, Endpoint] = {}
    for endpoint in endpoints:
        if not endpoint.ready or not endpoint.ports[part.port]:
            continue
        if why := unusable(endpoint, part.port):
            problems.append(f"{part.service} sends nothing to pod {endpoint.pod!r}: {why}")
        elif seen.setdefault(endpoint.pod, endpoint) is not endpoint:
            address = _server(endpoint, part.port).address
            problems.append(
                f"{part.service} sends nothing to {address}: another pod {endpoint.pod} is ready already"
            )
    return problems


def _server(endpoint: Endpoint, port: int) -> ProxyServer:
    return ProxyServer(endpoint.pod, SocketAddress(endpoint.ip, endpoint.ports[port]))
