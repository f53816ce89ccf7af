"""One container that is probed, from run to run: how often it was restarted, and how it is restarted now."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from reconciler.prober.checks import Checker, bounded
from reconciler.prober.docker import Docker, DockerError
from reconciler.prober.looking import CoalescedLook
from reconciler.prober.reports import ProbeReport
from reconciler.prober.runs import Run, RunStart
from reconciler.prober.schedule import RestartBackoff
from reconciler.prober.specs import ProbeSettings, ProbeTarget

LABEL_CLUSTER = "reconciler.dev/cluster"
_SHORTEST_GRACE = 2.0
"""Seconds: what a preStop hook leaves at least, as upstream."""
_FRESH_SECONDS = 10.0
HEAD_START = 3.0
"""Seconds that a master has, which keeps the same back-off, to start the container before this program does."""


class WatchedContainer:
    """A container that is probed, known by its name on the host, whatever id it has.

    `booting`: this program has just begun, so what the first look finds running may have run before it.
    """

    def __init__(
        self,
        docker: Docker,
        cluster: str,
        target: ProbeTarget,
        send: Callable[[ProbeReport], None],
        booting: bool = False,
    ) -> None:
        self._docker = docker
        self._cluster = cluster
        self._target = target
        self._send = send
        self._id = ""
        self._run: Run | None = None
        self._killed = 0
        self._why = ("", "")
        """Kind and message of the probe that ended the last run."""
        self._backoff = RestartBackoff()
        self._ending: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        """It was ended, and waits for its next start."""
        self._booting = booting
        self._looking = CoalescedLook(target.name, self._look)
        self._last: ProbeReport | None = None

    def update(self, target: ProbeTarget) -> None:
        if target == self._target:
            return
        other_probes = target.probes != self._target.probes
        self._target = target
        if self._run is not None and other_probes:
            self._run.update(target)
            self._changed()

    def end(self) -> None:
        """It is no longer to be probed. A restart that has begun goes to its end; a start that waits is none."""
        self._looking.end()
        self._end_run()
        self._start_no_more()

    def report(self) -> ProbeReport | None:
        """Return what its probes have found; None while it does not run."""
        run = self._run
        if run is None:
            return None
        return ProbeReport(
            id=run.began.id,
            run=run.began.name,
            started=run.health.started,
            ready=run.health.ready,
            message=bounded(run.health.message),
            killed=self._killed,
            known=run.is_known,
        )

    def look(self) -> asyncio.Task[None]:
        """Ask Docker whether it runs, and whether it is another run. The task ends when Docker has answered."""
        return self._looking.look()

    # --- inside ---------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Raises DockerError; what was known holds on then."""
        found = await self._docker.inspect(self._target.name)
        booting, self._booting = self._booting, False
        if found is None or not self._is_ours(found) or not found["State"].get("Running"):
            self._end_run()
            return
        began = _began(found, booting)
        if self._run is None or self._run.began.name != began.name:
            self._begin_run(began)
        assert self._run is not None
        self._run.paused = bool(found["State"].get("Paused"))

    def _is_ours(self, found: dict[str, Any]) -> bool:
        return (found["Config"].get("Labels") or {}).get(LABEL_CLUSTER) == self._cluster

    def _begin_run(self, began: RunStart) -> None:
        self._end_run()
        self._start_no_more()
        if began.id != self._id:
            self._id, self._killed, self._why, self._backoff = began.id, 0, ("", ""), RestartBackoff()
        self._run = Run(self._docker, self._target, began, self._changed, self._failing)
        self._run.health.inherit(*self._why)
        self._why = ("", "")
        self._changed()

    def _end_run(self) -> None:
        if self._run is not None:
            self._run.end()
            self._run = None

    def _changed(self) -> None:
        report = self.report()
        if report is not None and report.known and report != self._last:
            self._last = report
            self._send(report)

    def _failing(self, probe: ProbeSettings) -> None:
        if self._run is not None and self._ending is None:
            self._ending = asyncio.ensure_future(self._restart(self._run, probe))

    async def _restart(self, run: Run, probe: ProbeSettings) -> None:
        """preStop, SIGTERM, SIGKILL when the grace period is over: at once. What may have to wait is its start."""
        began = time.monotonic()
        target = self._target
        try:
            found = await self._docker.inspect(run.began.id)
            if found is None or not self._is_ours(found) or found["State"]["StartedAt"] != run.began.started_at:
                return
            self._killed += 1
            self._why = (probe.kind, run.health.message)
            self._changed()
            if target.pre_stop is not None and probe.grace:
                hook = Checker(self._docker, run.began.id)
                passed, said = await hook.check(target.pre_stop, probe.grace)
                if not passed:
                    _log(f"{target.name}: preStop hook failed: {said}")
            grace = probe.grace - (time.monotonic() - began)
            grace = max(grace, min(_SHORTEST_GRACE, probe.grace))
            if self._run is not run:
                return  # It has ended by itself, or by somebody else, meanwhile.
            pause = self._backoff.ended(run.age)
            if target.restarts and not pause:
                await self._docker.restart(run.began.id, grace)
            else:
                await self._docker.stop(run.began.id, grace)
            if self._run is run:
                self._end_run()
                self.look()
            if target.restarts and pause:
                self._start_no_more()
                self._starting = asyncio.ensure_future(self._start_later(run.began, pause + HEAD_START))
        except DockerError as error:
            _log(f"{target.name}: not restarted: {error}")
        finally:
            self._ending = None

    async def _start_later(self, ended: RunStart, pause: float) -> None:
        """Unless somebody has started it before, or it has done its work."""
        await asyncio.sleep(pause)
        try:
            found = await self._docker.inspect(ended.id)
            if found is None or not self._is_ours(found) or found["State"]["StartedAt"] != ended.started_at:
                return
            if not found["State"].get("Running") and not _has_done_its_work(found):
                await self._docker.start(ended.id)
        except DockerError as error:
            _log(f"{self._target.name}: not started again: {error}")

    def _start_no_more(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None


def _began(found: dict[str, Any], booting: bool) -> RunStart:
    started_at = found["State"]["StartedAt"]
    age = max(0.0, time.time() - _unix(started_at))
    fresh = not booting or age < _FRESH_SECONDS
    return RunStart(found["Id"], started_at, age, fresh=fresh, witnessed=not booting)


def _has_done_its_work(found: dict[str, Any]) -> bool:
    """It ended well, and is started again only where it did not."""
    policy = (found.get("HostConfig") or {}).get("RestartPolicy") or {}
    return policy.get("Name") == "on-failure" and found["State"].get("ExitCode") == 0


def _unix(moment: str) -> float:
    """Of Docker's `2026-11-23T12:55:49.123456789Z`; now, where it cannot be read."""
    try:
        whole = datetime.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
        return whole.timestamp() + float("0" + (moment[19:].rstrip("Z") or ".0"))
    except ValueError:
        return time.time()


def _log(text: str) -> None:
    print(bounded(text), file=sys.stderr, flush=True)
