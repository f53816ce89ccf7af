"""What the prober reports on standard output: a line of JSON for each change, and all of it when asked."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class ProbeReport:
    """What the probes of a container have found in one run of it."""

    id: str
    run: str
    """The first 12 characters of the id, `@`, and when it started in Docker's words."""
    started: bool
    ready: bool
    message: str
    """What the probe said that failed."""
    killed: int
    """How often the container was restarted because of its probes."""
    known: bool = True
    """False: the run is older than this program, and its probes have not said anything yet."""


class Reporter:
    """Writes without ever waiting: where nobody takes the lines, everything is told again a second later.

    A line is shorter than what a pipe takes in one piece, so none is ever torn."""

    def __init__(self, descriptor: int, everything: Callable[[], tuple[str, Iterable[ProbeReport]]]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._everything = everything
        self._again: asyncio.TimerHandle | None = None

    def send(self, report: ProbeReport) -> None:
        self._write(asdict(report))

    def send_everything(self) -> None:
        """The digest of the file in force is in both marks."""
        digest, reports = self._everything()
        for line in ({"begin": digest}, *map(asdict, reports), {"end": digest}):
            if not self._write(line):
                return

    def _write(self, line: dict[str, object]) -> bool:
        try:
            os.write(self._descriptor, json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n")
        except OSError:  # Nobody reads, or nobody is there any more.
            if self._again is None:
                self._again = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._send_again)
            return False
        return True

    def _send_again(self) -> None:
        self._again = None
        self.send_everything()
