"""Brings up the pods of a host that has booted alone: what Docker could not start, in the order it is to start in.

A sandbox that does not run took its network with it: the pod begins anew in the next one, init containers first,
as in a kubelet. Nothing is ever made or removed here, and nothing is done twice: it goes by what is there, so a
master that comes meanwhile finds the same and takes over.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.prober.checks import Checker, bounded
from reconciler.prober.docker import Docker, DockerError
from reconciler.prober.specs import Handler, ProbeSettings, read_handler, read_probe

LABEL_CLUSTER, LABEL_UID = "reconciler.dev/cluster", "reconciler.dev/uid"
_AT_ONCE = 4
"""How many containers Docker starts at a time: the host has just booted, and has more to do."""
_HOOK_SECONDS = 300.0
_INIT_SECONDS = 3600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
_BEGUN = ("running", "exited", "paused", "restarting")
_POLICIES = {"Always": "unless-stopped", "OnFailure": "on-failure"}


@dataclass(frozen=True)
class RecordedContainer:
    """A container, by its name on the host."""

    container: str
    kind: str
    """init, sidecar or main."""
    restarts: str
    """Always or OnFailure."""
    post_start: Handler | None
    startup: ProbeSettings | None


@dataclass(frozen=True)
class RecordedPod:
    uid: str
    sandbox: str
    parts: tuple[RecordedContainer, ...]


def read_pod(text: str) -> RecordedPod:
    """Raises ValueError, KeyError or TypeError."""
    one = json.loads(text)
    return RecordedPod(str(one["uid"]), str(one["sandbox"]), tuple(_part(part) for part in one["parts"]))


def _part(one: dict[str, Any]) -> RecordedContainer:
    hook, startup = one["post_start"], one["startup"]
    return RecordedContainer(
        container=one["container"],
        kind=one["kind"],
        restarts=one["restarts"],
        post_start=read_handler(hook) if hook else None,
        startup=read_probe(startup) if startup else None,
    )


class Raiser:
    def __init__(self, docker: Docker, cluster: str, records: Path, attended: Callable[[], bool]) -> None:
        """`attended`: a master has come, and the pods are its own work again."""
        self._docker = docker
        self._cluster = cluster
        self._records = records
        self._attended = attended
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def raise_all(self) -> None:
        pods = []
        for file in sorted(self._records.glob("*.json")):
            try:
                pods.append(read_pod(file.read_text()))
            except (OSError, ValueError, KeyError, TypeError) as error:
                _log(f"{file.name} cannot be read: {type(error).__name__}: {error}")
        await asyncio.gather(*(self._raise(pod) for pod in pods))

    async def _raise(self, pod: RecordedPod) -> None:
        try:
            await _Raising(self._docker, self._turns, self._cluster, pod, lambda: self._is_wanted(pod)).go()
        except DockerError as error:
            _log(f"pod {pod.uid}: {error}")

    def _is_wanted(self, pod: RecordedPod) -> bool:
        """Asked before every step: the record goes when the pod is to leave."""
        return (self._records / f"{pod.uid}.json").exists() and not self._attended()


class _Raising:
    """One pod."""

    def __init__(
        self, docker: Docker, turns: asyncio.Semaphore, cluster: str, pod: RecordedPod, wanted: Callable[[], bool]
    ) -> None:
        self._docker = docker
        self._turns = turns
        self._cluster = cluster
        self._pod = pod
        self._wanted = wanted
        self._since = ""
        """When the sandbox began; empty: there is none."""
        self._again: set[str] = set()
        """What was stopped here, to be started when its turn comes."""

    async def go(self) -> None:
        """Raises DockerError where the pod cannot come up."""
        if self._pod.sandbox:
            found = await self._find(self._pod.sandbox)
            if found is None or not self._wanted():
                return
            if _status(found) in ("exited", "created"):
                await self._start(self._pod.sandbox)
                found = await self._find(self._pod.sandbox)
            if found is None or _status(found) != "running":
                return
            self._since = _began(found)
        await self._stop_what_came_too_early()
        mains_have_begun = await self._mains_have_begun()
        for part in self._pod.parts:
            if not self._wanted():
                return
            if part.kind == "init":
                if not (mains_have_begun or await self._initialized(part)):
                    return
            elif part.kind == "sidecar":
                await self._bring_up(part)
                if part.startup is not None and not await self._started(part, part.startup):
                    return
            else:
                await self._try_to_bring_up(part)

    async def _stop_what_came_too_early(self) -> None:
        """Docker knows no order: it may have started containers in the new sandbox before the init containers."""
        inits = [await self._find(part.container) for part in self._pod.parts if part.kind == "init"]
        if all(found is None or self._is_of_now(found) for found in inits):
            return
        for part in reversed(self._pod.parts):
            found = await self._find(part.container) if part.kind != "init" else None
            if found is not None and _status(found) in ("running", "restarting"):
                self._again.add(part.container)
                await self._docker.stop(part.container, _grace(found))

    async def _mains_have_begun(self) -> bool:
        """In the present sandbox: then the init containers have done their work."""
        for part in self._pod.parts:
            if part.kind != "main" or part.container in self._again:
                continue
            found = await self._find(part.container)
            if found is not None and self._is_of_now(found) and _status(found) in _BEGUN:
                return True
        return False

    async def _initialized(self, part: RecordedContainer) -> bool:
        """Run it to a good end, however often that takes; False: it is not wanted any more, or not there."""
        pause = _FIRST_PAUSE
        while self._wanted():
            found = await self._find(part.container)
            if found is None:
                return False
            if _status(found) == "exited" and self._is_of_now(found) and found["State"]["ExitCode"] == 0:
                return True
            await self._start(part.container)
            if await self._docker.wait(part.container, _INIT_SECONDS) != 0:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        return False

    async def _try_to_bring_up(self, part: RecordedContainer) -> None:
        """One main container that cannot start keeps no other one from it."""
        try:
            await self._bring_up(part)
        except DockerError as error:
            _log(f"{part.container}: {error}")

    async def _bring_up(self, part: RecordedContainer) -> None:
        found = await self._find(part.container)
        if found is None:
            return
        state = found["State"]
        if state["Status"] == "running" and not self._is_of_now(found):
            await self._docker.restart(part.container, _grace(found))
            return
        if state["Status"] not in ("exited", "created"):
            return
        done = part.restarts == "OnFailure" and state["Status"] == "exited" and state["ExitCode"] == 0
        if done and part.container not in self._again:
            return
        policy = found["HostConfig"]["RestartPolicy"]["Name"]
        if policy in ("", "no") and part.post_start is None:
            # It had crashed again and again, and its start was a master's to time. Docker times it now.
            await self._docker.restart_by_itself(part.container, _POLICIES[part.restarts])
        await self._start(part.container)
        if part.post_start is not None:
            await self._run_hook(part, part.post_start)

    async def _run_hook(self, part: RecordedContainer, hook: Handler) -> None:
        passed, said = await Checker(self._docker, part.container).check(hook, _HOOK_SECONDS)
        if not passed:
            _log(f"{part.container}: postStart hook failed: {said}")
            await self._docker.stop(part.container, 10.0)

    async def _started(self, part: RecordedContainer, probe: ProbeSettings) -> bool:
        """As its startup probe says; the prober restarts it where that fails."""
        checker = Checker(self._docker, part.container)
        await asyncio.sleep(probe.initial_delay)
        while self._wanted():
            if (await checker.check(probe.action, float(probe.timeout)))[0]:
                return True
            await asyncio.sleep(probe.period)
        return False

    async def _start(self, container: str) -> None:
        async with self._turns:
            await self._docker.start(container)

    async def _find(self, container: str) -> dict[str, Any] | None:
        """None: there is none that is this pod's."""
        found = await self._docker.inspect(container)
        labels = (found["Config"].get("Labels") or {}) if found else {}
        ours = labels.get(LABEL_CLUSTER) == self._cluster and labels.get(LABEL_UID) == self._pod.uid
        return found if ours else None

    def _is_of_now(self, found: dict[str, Any]) -> bool:
        """Its last run began in the sandbox that is there now. Docker writes moments without zeros at the end."""
        return not self._since or _began(found) >= self._since


def _status(found: dict[str, Any]) -> str:
    return str(found["State"]["Status"])


def _began(found: dict[str, Any]) -> str:
    return str(found["State"]["StartedAt"]).rstrip("Z")


def _grace(found: dict[str, Any]) -> float:
    """Seconds between SIGTERM and SIGKILL."""
    return float(found["Config"].get("StopTimeout") or 10)


def _log(text: str) -> None:
    print(bounded(f"{time.strftime('%H:%M:%S')} {text}"), file=sys.stderr, flush=True)
