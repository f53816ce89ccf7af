"""Reads the file, follows Docker's events, and keeps a Container for each that is to be probed."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from reconciler.prober.containers import LABEL_CLUSTER, Container
from reconciler.prober.docker import Docker, DockerError
from reconciler.prober.specs import BadFile, Wanted, read_wanted
from reconciler.prober.telling import Teller, Told

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_EVENTS = ["start", "die", "pause", "unpause", "rename", "destroy"]
_STDOUT = 1


class Prober:
    def __init__(self, docker: Docker, file: Path) -> None:
        self._docker = docker
        self._file = file
        self._wanted = Wanted("", {}, "")
        self._containers: dict[str, Container] = {}
        self._teller = Teller(_STDOUT, self._everything)
        self._looking: set[asyncio.Task[None]] = set()
        self._booting = True
        """Until every container has been looked at once: what runs then has been running before."""

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

    def _everything(self) -> tuple[str, Iterable[Told]]:
        told = [container.told() for container in self._containers.values()]
        return self._wanted.digest, [one for one in told if one is not None]

    def _reload(self) -> None:
        try:
            self._want(read_wanted(self._file.read_text()))
        except (OSError, BadFile) as error:
            print(f"prober: {error}", file=sys.stderr, flush=True)
        if not self._booting:
            self._teller.tell_everything()

    def _want(self, wanted: Wanted) -> None:
        if wanted.cluster != self._wanted.cluster:
            self._drop(list(self._containers))
        self._drop([name for name in self._containers if name not in wanted.targets])
        self._wanted = wanted
        for name, target in wanted.targets.items():
            if name in self._containers:
                self._containers[name].update(target)
            else:
                self._containers[name] = Container(self._docker, wanted.cluster, target, self._teller.tell)
                if not self._booting:
                    self._look(name)

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
                        await self._look_at_all()
            except (DockerError, asyncio.TimeoutError) as error:
                print(f"prober: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _noticed(self, attributes: dict[str, str]) -> None:
        for key in ("name", "oldName"):
            name = attributes.get(key, "").lstrip("/")
            if name in self._containers:
                self._look(name)

    async def _look_at_all(self) -> None:
        """One after the other: a host with a hundred of them has just booted, perhaps."""
        looked: set[str] = set()
        while left := [name for name in self._containers if name not in looked]:
            looked.add(left[0])
            await self._containers[left[0]].look(self._booting)
        self._booting = False
        self._teller.tell_everything()

    def _look(self, name: str) -> None:
        async def look() -> None:
            try:
                await self._containers[name].look()
            except KeyError:
                pass
            except DockerError as error:
                print(f"prober: {name}: {error}", file=sys.stderr, flush=True)

        task = asyncio.ensure_future(look())
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)
