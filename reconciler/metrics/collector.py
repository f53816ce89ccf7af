"""What a scrape gets: asked of the hosts when it comes, and never before."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from msgspec import Struct
from prometheus_client import CollectorRegistry, Histogram, Metric, ProcessCollector
from prometheus_client.registry import Collector

from reconciler.control.cycle import Turn
from reconciler.metrics.families import LoopState, loop_families, traffic_families
from reconciler.metrics.scraping import Scraper
from reconciler.model.desired import Desired, Rejected
from reconciler.model.observed import Observed, Reachable
from reconciler.model.plan import Hold
from reconciler.model.traffic import Sections

_FRESH_SECONDS: Final = 1.0
"""Scrapes that come at the same time share an answer: hosts are asked no more often, whoever asks here."""

_TURN_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class ObservedLoop(Protocol):
    """What any thread may look at of `control.loop.Loop`: each of it is replaced, and never changed."""

    desired: Desired | None
    refusal: Rejected | Hold | None
    turn: Turn | None
    observed: Observed | None
    took: Callable[[float], None]


def registry_of(loop: ObservedLoop, scraper: Scraper) -> CollectorRegistry:
    """Everything that a scrape gets; from now on the loop's turns are timed."""
    registry = CollectorRegistry(auto_describe=False)
    turns = Histogram(
        "reconciler_turn_seconds",
        "Turns of the control loop: how long planning, storing and handing over took.",
        registry=registry,
        buckets=_TURN_SECONDS,
    )
    loop.took = turns.observe
    ProcessCollector(registry=registry)
    registry.register(ClusterCollector(loop, scraper))
    return registry


class ClusterCollector(Collector):
    def __init__(self, loop: ObservedLoop, scraper: Scraper, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._scraper = scraper
        self._clock = clock
        self._lock = threading.Lock()
        self._last = _Answer(float("-inf"), (), {})

    def collect(self) -> Iterator[Metric]:
        yield from loop_families(_state(self._loop))
        with self._lock:
            if self._clock() - self._last.at > _FRESH_SECONDS:
                self._last = self._ask()
            last = self._last
        yield from traffic_families(last.nodes, last.told)

    def _ask(self) -> "_Answer":
        desired, observed = self._loop.desired, self._loop.observed
        if desired is None:
            return _Answer(self._clock(), (), {})
        seen = observed.nodes if observed is not None else {}
        reachable = [name for name in desired.nodes if isinstance(seen.get(name), Reachable)]
        told = self._scraper.ask(desired.nodes, desired.cluster, reachable)
        return _Answer(self._clock(), tuple(desired.nodes), told)


class _Answer(Struct, frozen=True):
    at: float
    nodes: tuple[str, ...]
    told: Mapping[str, Sections]


def _state(loop: ObservedLoop) -> LoopState:
    turn = loop.turn
    return LoopState(
        revision=str(turn.revision) if turn is not None else "",
        refused=loop.refusal is not None,
        converged=turn is not None and turn.converged,
        statuses=turn.plan.statuses if turn is not None else {},
        observed=loop.observed,
    )
