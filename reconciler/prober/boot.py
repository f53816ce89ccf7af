"""`python3 -m reconciler.prober.boot CLUSTER DIRECTORY INSIDE [SOCKET]`: brings a host up that boots alone.

DIRECTORY is the host's, INSIDE is where this container sees it. Docker starts this with the host, and with
dockerd. Files and network are put up by the host's own programs, in the namespaces of its first process; what is
there stays as it is. Then it sleeps, as another program that needs next to nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from reconciler.prober.boot_pods import Raiser
from reconciler.prober.docker import Docker, DockerError

_FILES, _NETWORK, _PODS, _ATTENDED = "files.sh", "network.sh", "pods", "attended"
_ENTER = ("nsenter", "--target", "1", "--mount", "--net", "--", "sh")
_NEVER = "0001-"
_SCRIPT_SECONDS = 120.0
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST = 0.2, 10.0, 600.0
"""Seconds: a host may have its own addresses, and Docker its API, a while after this begins."""


class Boot:
    def __init__(self, cluster: str, directory: str, inside: Path, docker: Docker) -> None:
        self._cluster = cluster
        self._directory = directory
        self._inside = inside
        self._docker = docker
        self._began = time.time()

    async def bring_up(self) -> None:
        network = asyncio.ensure_future(self._bring_up_network())
        if not await self._is_first_start():
            # Docker has tried every container by now. What mounts one of these files is begun here, in its order.
            await self._run(_FILES)
            raiser = Raiser(self._docker, self._cluster, self._inside / _PODS, self._is_attended)
            await raiser.raise_all()
        await network

    async def _bring_up_network(self) -> None:
        pause, deadline = _FIRST_PAUSE, time.monotonic() + _LONGEST
        while not await self._run(_NETWORK) and time.monotonic() < deadline:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _run(self, script: str) -> bool:
        """Whether it says that all is there. One that the host does not have has nothing to do."""
        if not (self._inside / script).exists():
            return True
        run = await asyncio.create_subprocess_exec(
            *_ENTER, f"{self._directory}/{script}", stdin=asyncio.subprocess.DEVNULL
        )
        try:
            return await asyncio.wait_for(run.wait(), _SCRIPT_SECONDS) == 0
        except asyncio.TimeoutError:
            run.kill()
            return False

    async def _is_first_start(self) -> bool:
        """A master has just made this container: nothing has booted."""
        pause, deadline = _FIRST_PAUSE, time.monotonic() + _LONGEST
        while time.monotonic() < deadline:
            try:
                found = await self._docker.inspect(f"{self._cluster}_boot")
                return found is None or str(found["State"]["FinishedAt"]).startswith(_NEVER)
            except DockerError as error:
                # It answers once it has tried to start every container that ran before.
                print(f"boot: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    def _is_attended(self) -> bool:
        try:
            return (self._inside / _ATTENDED).stat().st_mtime > self._began
        except OSError:
            return False


def main() -> None:
    cluster, directory, inside, socket = (*sys.argv[1:], "/var/run/docker.sock")[:4]
    asyncio.run(Boot(cluster, directory, Path(inside), Docker(socket)).bring_up())
    os.execvp("sleep", ["sleep", "2147483647"])


if __name__ == "__main__":
    main()
