"""One run of a container, while it lasts: its probes, each asked by a task of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.prober.checks import Checker
from reconciler.prober.docker import Docker
from reconciler.prober.schedule import Health, first_wait, next_due
from reconciler.prober.specs import ProbeSettings, ProbeTarget


@dataclass(frozen=True)
class RunStart:
    """What Docker says of the run."""

    id: str
    started_at: str
    """When it began, in Docker's words."""
    age: float
    """Seconds since then, when it was looked at."""
    fresh: bool
    """It has started a moment ago: its first probes need not be spread."""
    witnessed: bool
    """It has started while this program was there to see it: nobody can have found it ready before."""

    @property
    def name(self) -> str:
        return f"{self.id[:12]}@{self.started_at}"


class Run:
    """`changed` is called after each answer that changes something, `failing` when it is one too many."""

    def __init__(
        self,
        docker: Docker,
        target: ProbeTarget,
        began: RunStart,
        changed: Callable[[], None],
        failing: Callable[[ProbeSettings], None],
    ) -> None:
        self.began = began
        self.paused = False
        self.health = Health(target.probes)
        self._docker = docker
        self._changed = changed
        self._failing = failing
        self._since = asyncio.get_running_loop().time() - began.age
        self._started = asyncio.Event()
        self._tasks: dict[ProbeSettings, asyncio.Task[None]] = {}
        self._begin(target, again=False)

    @property
    def is_known(self) -> bool:
        """What is told of it counts. A run that this program has not seen begin may have been found ready before:
        until a probe decides; of one that began a moment ago, until a probe answers at all."""
        health = self.health
        return health.decided or self.began.witnessed or (self.began.fresh and health.answered)

    @property
    def age(self) -> float:
        """Seconds since it started."""
        return asyncio.get_running_loop().time() - self._since

    def update(self, target: ProbeTarget) -> None:
        """Other probes: those that are the same go on, and what they know is kept."""
        before = self.health
        self.health = Health(target.probes)
        self.health.keep(before, [probe.kind for probe in target.probes if probe in self._tasks])
        self._started.clear()
        self._begin(target, again=True)

    def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks = {}

    def _begin(self, target: ProbeTarget, again: bool) -> None:
        for probe in [probe for probe in self._tasks if probe not in target.probes]:
            self._tasks.pop(probe).cancel()
        for probe in target.probes:
            if probe not in self._tasks:
                fresh = self.began.fresh or again
                self._tasks[probe] = asyncio.ensure_future(self._ask_over_and_over(probe, fresh))
        if self.health.started:
            self._started.set()

    async def _ask_over_and_over(self, probe: ProbeSettings, fresh: bool) -> None:
        loop = asyncio.get_running_loop()
        checker = Checker(self._docker, self.began.id)
        if probe.kind != "startup":
            await self._started.wait()
        due = loop.time() + first_wait(probe, loop.time() - self._since, random.random(), fresh)
        passed = False
        while True:
            await asyncio.sleep(due - loop.time())
            if not self.paused and self.health.due(probe.kind):
                passed, output = await checker.check(probe.action, probe.timeout)
                self._take(probe, passed, output)
            due = next_due(due, probe.period, passed, loop.time())

    def _take(self, probe: ProbeSettings, passed: bool, output: str) -> None:
        before = (self.health.started, self.health.ready, self.health.message, self.health.decided)
        against = self.health.take(probe, passed, output)
        if self.health.started:
            self._started.set()
        if before != (self.health.started, self.health.ready, self.health.message, self.health.decided):
            self._changed()
        if against:
            self._failing(probe)
