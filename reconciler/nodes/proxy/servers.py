"""The servers of a running HAProxy, as last read back, and which pods they reach: counted as they change. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from reconciler.nodes.proxy.runtime_api import LiveServer

_NOBODY: Mapping[str, LiveServer] = {}


class LiveServers(Struct, frozen=True):
    """Every section's servers, by name."""

    sections: Mapping[str, Mapping[str, LiveServer]] = {}
    taking: Mapping[str, int] = {}
    """How many servers take new connections for each pod's address."""
    leaving: Mapping[str, int] = {}
    """The same of those in maintenance: each is there until nobody is connected to it."""
    silent: frozenset[str] = frozenset()
    """The sections that have no server to take a new connection."""

    def of(self, section: str) -> Mapping[str, LiveServer]:
        return self.sections.get(section, _NOBODY)

    def updated(self, sections: Mapping[str, Mapping[str, LiveServer]]) -> "LiveServers":
        """Return them with these sections as they are now; the others stay."""
        taking, leaving = dict(self.taking), dict(self.leaving)
        for name, servers in sections.items():
            _count(self.of(name), -1, taking, leaving)
            _count(servers, 1, taking, leaving)
        silent = {name for name, servers in sections.items() if not any(live.takes for live in servers.values())}
        return LiveServers(
            {**self.sections, **sections},
            taking,
            leaving,
            frozenset(self.silent - sections.keys() | silent),
        )

    @property
    def routed(self) -> frozenset[str]:
        """The pods that get new connections."""
        return frozenset(self.taking)

    @property
    def connected(self) -> frozenset[str]:
        """The pods that get no new connections, and perhaps still have some."""
        return frozenset(self.leaving.keys() - self.taking.keys())

    @property
    def deletions(self) -> Sequence[str]:
        """The commands that delete those servers on their way out that nobody is connected to by now."""
        if not self.leaving:
            return ()
        return [
            f"del server {section}/{name}"
            for section, servers in self.sections.items()
            for name, live in servers.items()
            if not live.takes
        ]


def _count(servers: Mapping[str, LiveServer], by: int, taking: dict[str, int], leaving: dict[str, int]) -> None:
    for live in servers.values():
        counts, ip = taking if live.takes else leaving, live.address.ip
        count = counts.get(ip, 0) + by
        if count:
            counts[ip] = count
        else:
            del counts[ip]
