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
from reconciler.prober.looking import Looking
from reconciler.prober.runs import Began, Run
from reconciler.prober.schedule import Backoff
from reconciler.prober.specs import Probe, Target
from reconciler.prober.telling import Told

LABEL_CLUSTER = "reconciler.dev/cluster"
_SHORTEST_GRACE = 2.0
"""Seconds: what a preStop hook leaves at least, as upstream."""
_FRESH_SECONDS = 10.0


class Container:
    """By its name on the host; whatever id it has.

    `booting`: this program has just begun, so what the first look finds running may have run before it."""

    def __init__(
        self,
        docker: Docker,
        cluster: str,
        target: Target,
        tell: Callable[[Told], None],
        booting: bool = False,
    ) -> None:
        self._docker = docker
        self._cluster = cluster
        self._target = target
        self._tell = tell
        self._id = ""
        self._run: Run | None = None
        self._killed = 0
        self._why = ("", "")
        """Kind and message of the probe that ended the last run."""
        self._backoff = Backoff()
        self._ending: asyncio.Task[None] | None = None
        self._booting = booting
        self._looking = Looking(target.name, self._look)
        self._last: Told | None = None

    def update(self, target: Target) -> None:
        if target == self._target:
            return
        other_probes = target.probes != self._target.probes
        self._target = target
        if self._run is not None and other_probes:
            self._run.update(target)
            self._changed()

    def end(self) -> None:
        """It is no longer to be probed. A restart that has begun goes to its end."""
        self._looking.end()
        self._end_run()

    def told(self) -> Told | None:
        """None: it does not run."""
        run = self._run
        if run is None:
            return None
        return Told(
            id=run.began.id,
            run=run.began.name,
            started=run.health.started,
            ready=run.health.ready,
            message=bounded(run.health.message),
            killed=self._killed,
            known=run.health.decided or run.began.fresh,
        )

    def look(self) -> asyncio.Task[None]:
        """At Docker: does it run, and is it another run? The task ends when Docker has answered."""
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

    def _begin_run(self, began: Began) -> None:
        self._end_run()
        if began.id != self._id:
            self._id, self._killed, self._why, self._backoff = began.id, 0, ("", ""), Backoff()
        self._run = Run(self._docker, self._target, began, self._changed, self._failing)
        self._run.health.inherit(*self._why)
        self._why = ("", "")
        self._changed()

    def _end_run(self) -> None:
        if self._run is not None:
            self._run.end()
            self._run = None

    def _changed(self) -> None:
        told = self.told()
        if told is not None and told.known and told != self._last:
            self._last = told
            self._tell(told)

    def _failing(self, probe: Probe) -> None:
        run = self._run
        now = time.monotonic()
        if run is None or self._ending is not None or not self._backoff.allows(now):
            return
        self._backoff.restarted(now)
        self._ending = asyncio.ensure_future(self._restart(run, probe))

    async def _restart(self, run: Run, probe: Probe) -> None:
        """preStop, SIGTERM, SIGKILL when the grace period is over; and Docker starts it again."""
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
            if target.restarts:
                await self._docker.restart(run.began.id, grace)
            else:
                await self._docker.stop(run.began.id, grace)
        except DockerError as error:
            _log(f"{target.name}: not restarted: {error}")
        finally:
            self._ending = None


def _began(found: dict[str, Any], booting: bool) -> Began:
    started_at = found["State"]["StartedAt"]
    age = max(0.0, time.time() - _unix(started_at))
    return Began(found["Id"], started_at, age, fresh=not booting or age < _FRESH_SECONDS)


def _unix(moment: str) -> float:
    """Of Docker's `2026-11-23T12:55:49.123456789Z`; now, where it cannot be read."""
    try:
        whole = datetime.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
        return whole.timestamp() + float("0" + (moment[19:].rstrip("Z") or ".0"))
    except ValueError:
        return time.time()


def _log(text: str) -> None:
    print(bounded(text), file=sys.stderr, flush=True)
