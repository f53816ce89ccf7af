"""Reads the file, follows Docker's events, and keeps a Container for each that is to be probed."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from reconciler.prober.docker import Docker, DockerError
from reconciler.prober.reports import ProbeReport, Reporter
from reconciler.prober.specs import BadFile, ProbesFile, read_probes_file
from reconciler.prober.watched_container import LABEL_CLUSTER, WatchedContainer

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_PATIENCE = 2.0
"""Seconds that the others wait for one container's look."""
_EVENTS = ["start", "die", "pause", "unpause", "rename", "destroy"]
_STDOUT = 1


class Prober:
    def __init__(self, docker: Docker, file: Path) -> None:
        self._docker = docker
        self._file = file
        self._wanted = ProbesFile("", {}, "")
        self._containers: dict[str, WatchedContainer] = {}
        self._reporter = Reporter(_STDOUT, self._everything)
        self._round: asyncio.Task[None] | None = None
        """Under way, or ended."""
        self._booting = True
        """Until every container has had its look: what runs then has been running before."""

    async def run(self) -> None:
        """Until SIGTERM."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, done.set)
        loop.add_signal_handler(signal.SIGINT, done.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._reload()
        following = asyncio.ensure_future(self._follow())
        await done.wait()
        following.cancel()

    def _everything(self) -> tuple[str, Iterable[ProbeReport]]:
        reports = [container.report() for container in self._containers.values()]
        return self._wanted.digest, [one for one in reports if one is not None]

    def _reload(self) -> None:
        try:
            self._want(read_probes_file(self._file.read_text()))
        except (OSError, BadFile) as error:
            print(f"prober: {error}", file=sys.stderr, flush=True)
        if not self._booting:
            self._reporter.send_everything()

    def _want(self, wanted: ProbesFile) -> None:
        if wanted.cluster != self._wanted.cluster:
            self._drop(list(self._containers))
        self._drop([name for name in self._containers if name not in wanted.targets])
        self._wanted = wanted
        for name, target in wanted.targets.items():
            if name in self._containers:
                self._containers[name].update(target)
            else:
                self._containers[name] = WatchedContainer(
                    self._docker, wanted.cluster, target, self._reporter.send, self._booting
                )
                if not self._booting:
                    self._containers[name].look()

    def _drop(self, names: Iterable[str]) -> None:
        for name in names:
            self._containers.pop(name).end()

    # --- Docker's events ------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            filters = {
                "type": ["container"],
                "event": _EVENTS,
                "label": [f"{LABEL_CLUSTER}={self._wanted.cluster}"],
            }
            try:
                async for event in self._docker.events(filters):
                    pause = _FIRST_PAUSE
                    if event:
                        self._noticed(event.get("Actor", {}).get("Attributes", {}))
                    else:
                        self._begin_round()
            except (DockerError, asyncio.TimeoutError) as error:
                print(f"prober: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _noticed(self, attributes: dict[str, str]) -> None:
        for key in ("name", "oldName"):
            name = attributes.get(key, "").lstrip("/")
            if name in self._containers:
                self._containers[name].look()

    def _begin_round(self) -> None:
        if self._round is not None:
            self._round.cancel()
        self._round = asyncio.ensure_future(self._look_at_all())

    async def _look_at_all(self) -> None:
        """One after the other: a host with a hundred of them has just booted, perhaps. One that Docker does not
        answer about is looked at until it does; the next ones do not wait for it."""
        looked: set[WatchedContainer] = set()
        while left := [one for one in self._containers.values() if one not in looked]:
            looked.add(left[0])
            await asyncio.wait([left[0].look()], timeout=_PATIENCE)
        self._booting = False
        self._reporter.send_everything()
