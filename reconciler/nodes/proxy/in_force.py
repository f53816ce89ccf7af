"""What a node's HAProxy runs with, as far as it is known: one value, replaced as a whole. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.observed import ProxyState
from reconciler.model.proxy import ProxySection
from reconciler.nodes.network.refusals import silent_binds
from reconciler.nodes.proxy.runtime_api import LiveServer, as_wanted
from reconciler.nodes.proxy.servers import LiveServers


class InForce(Struct, frozen=True):
    """The configuration in force, and the servers and networks as they were last read back."""

    image: str = ""
    """The image of the container that is known to run; empty: it is to be looked at."""
    structure: str = ""
    """The structure in force, with what was left out of it; empty: not known."""
    bound: frozenset[SocketAddress] = frozenset()
    """What HAProxy has been told to bind, and may have done."""
    listens: Mapping[str, frozenset[SocketAddress]] = {}
    """Where each section in force listens."""
    servers: LiveServers = LiveServers()
    sources: Mapping[str, frozenset[str]] = {}
    """The networks that clients may come from, by list."""
    applied: Mapping[str, ProxySection] = {}
    """The sections whose servers and networks are known to be as wanted."""

    @property
    def unserved(self) -> frozenset[SocketAddress]:
        """Where services listen that have no pod to take a connection."""
        return silent_binds(self.listens, self.servers.silent)

    def is_applied(self, section: ProxySection) -> bool:
        """The section has no servers to bring up to date, or they are known to be as wanted."""
        return not section.server_options or self.applied.get(section.name) is section

    def has(self, sections: Iterable[ProxySection]) -> bool:
        """New connections go to just the wanted servers, and come from just the wanted networks."""
        return all(as_wanted(section, self.servers.of(section.name), self.sources) for section in sections)

    def with_applied(self, sections: Iterable[ProxySection]) -> "InForce":
        return replace(self, applied={**self.applied, **{section.name: section for section in sections}})

    def with_live(
        self,
        servers: Mapping[str, Mapping[str, LiveServer]],
        lists: Iterable[str],
        sources: Mapping[str, frozenset[str]],
    ) -> "InForce":
        """Return it with the servers of these sections as they were read back, and with those of these lists that
        HAProxy has.
        """
        others = {name: networks for name, networks in self.sources.items() if name not in set(lists)}
        return replace(self, servers=self.servers.updated(servers), sources={**others, **sources})


def proxy_state(
    in_force: InForce, fingerprint: str, kept: bool, error: str = "", before: frozenset[str] = frozenset()
) -> ProxyState:
    """Return the state of a proxy as the loop observes it.

    `before`: pods that were routed to, and perhaps are, while the structure is unknown.
    """
    servers = in_force.servers
    routed = servers.routed | (frozenset() if in_force.structure else before)
    return ProxyState(False, fingerprint, routed, servers.connected - routed, error, kept)
