"""The servers of a running HAProxy, as last read back, and which pods they reach: counted as they change."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reconciler.nodes.proxy.runtime_api import Live

_NOBODY: Mapping[str, Live] = {}


class LiveServers:
    """By section and name. Not shared between threads."""

    def __init__(self, sections: Mapping[str, Mapping[str, Live]]) -> None:
        self._sections: dict[str, Mapping[str, Live]] = {}
        self._taking: Counter[str] = Counter()
        """How many servers take new connections for each pod's address."""
        self._leaving: Counter[str] = Counter()
        """The same of those in maintenance: each is there until nobody is connected to it."""
        self.silent: set[str] = set()
        """The sections that have no server to take a new connection."""
        for name, servers in sections.items():
            self.put(name, servers)

    def of(self, section: str) -> Mapping[str, Live]:
        return self._sections.get(section, _NOBODY)

    def items(self) -> Iterator[tuple[str, Mapping[str, Live]]]:
        yield from self._sections.items()

    def put(self, section: str, servers: Mapping[str, Live]) -> None:
        self._count(self.of(section), -1)
        self._count(servers, 1)
        self._sections[section] = servers
        if any(server.takes for server in servers.values()):
            self.silent.discard(section)
        else:
            self.silent.add(section)

    def __contains__(self, section: str) -> bool:
        return section in self._sections

    @property
    def routed(self) -> frozenset[str]:
        """The pods that get new connections."""
        return frozenset(self._taking)

    @property
    def connected(self) -> frozenset[str]:
        """Those that get none, and perhaps still have some."""
        return frozenset(self._leaving.keys() - self._taking.keys())

    @property
    def deletions(self) -> Sequence[str]:
        """The commands that delete those servers on their way out that nobody is connected to by now."""
        if not self._leaving:
            return ()
        return [
            f"del server {section}/{name}"
            for section, servers in self._sections.items()
            for name, live in servers.items()
            if not live.takes
        ]

    def _count(self, servers: Mapping[str, Live], by: int) -> None:
        for live in servers.values():
            counts = self._taking if live.takes else self._leaving
            ip = live.address.ip
            counts[ip] += by
            if not counts[ip]:
                del counts[ip]
