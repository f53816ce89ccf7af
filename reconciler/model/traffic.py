"""What a node's HAProxy has counted, and how it finds each pod: read live, and kept by nobody."""

from typing import TypeAlias

from msgspec import Struct

from reconciler.model.sections import Section


class TrafficCounts(Struct, frozen=True):
    """Since HAProxy's process began; a reload begins a new one. Of a port that is balanced by request a session is
    a request, else a connection."""

    sessions: int = 0
    current: int = 0
    """Now."""
    rate: int = 0
    """How many came in the last second; the highest is counted in the same way."""
    max_rate: int = 0
    bytes_in: int = 0
    """How many bytes came from clients, over connections that have ended."""
    bytes_out: int = 0
    connect_errors: int = 0
    """No pod could be connected to, after all retries."""
    response_errors: int = 0
    """A pod broke off, or answered nonsense."""
    retries: int = 0
    redispatches: int = 0
    """Retries with another pod."""
    responses: tuple[int, ...] = ()
    """1xx, 2xx, 3xx, 4xx and 5xx; empty where a port is balanced by connection."""
    queue_ms: int = 0
    """This and the following are averages over the last 1,024 sessions that got so far."""
    connect_ms: int = 0
    response_ms: int = 0
    """Until the first byte of the answer; 0 where a port is balanced by connection."""
    total_ms: int = 0

    @property
    def errors(self) -> int:
        return self.connect_errors + self.response_errors


class ServerTraffic(Struct, frozen=True):
    """A pod as this proxy sees it."""

    pod: str
    """The name of the pod, as `Endpoint.pod` has it."""
    address: str
    """`ip:port`."""
    state: str
    """HAProxy's word: UP, DOWN, MAINT (it leaves), DRAIN, NOLB, `no check`; `UP 1/2` is about to change."""
    counts: TrafficCounts
    weight: int = 1
    check: str = ""
    """HAProxy's word for the last check's result: L4OK, L4CON (no connection), L4TOUT (no answer)…"""
    said: str = ""
    """What the last check that failed was told by the system: `Connection refused`."""
    changed_seconds: int = 0
    """How long ago its state changed."""

    @property
    def up(self) -> bool:
        """New connections are sent to it."""
        return self.state.startswith("UP") or self.state == "no check"

    @property
    def leaves(self) -> bool:
        return self.state.startswith(("MAINT", "DRAIN"))


class SectionTraffic(Struct, frozen=True):
    section: Section
    counts: TrafficCounts
    """What all its pods have served, and what got none."""
    servers: tuple[ServerTraffic, ...] = ()
    by_request: bool = False
    denied: int = 0
    """Connections that a policy or the source ranges turned away."""


Sections: TypeAlias = tuple[SectionTraffic, ...]
"""All that one proxy told."""


class TrafficReport(Struct, frozen=True):
    """What a proxy that answered has counted."""

    sections: Sections


class Silent(Struct, frozen=True):
    """A proxy that could not be asked: nothing is known of it, which is not the same as no traffic."""

    why: str


ProxyTraffic: TypeAlias = TrafficReport | Silent
