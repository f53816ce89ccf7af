"""Ends a program that runs in a container, with everything that it has started: by the host's process numbers.

Docker tells the first process of a command, and cannot end it. A number may be another's by the time that it is
used: each process is held on to, and then looked at, before it is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_SNAPSHOT_SECONDS = 0.5
"""How long one look at all processes of the host serves: when many commands hang, they hang together."""
_PASSES = 3
"""A program that starts others while it is being ended is looked for again."""
_LATE = 2.0
"""Seconds by which a process may seem to be older than the command: the kernel counts in ticks."""


class _Process(NamedTuple):
    parent: int
    session: int
    started: float
    """Seconds since the host's boot."""


class _Snapshot:
    def __init__(self) -> None:
        self._taken = float("-inf")
        self._all: dict[int, _Process] = {}

    def take(self, fresh: bool) -> dict[int, _Process]:
        now = time.monotonic()
        if fresh or now - self._taken >= _SNAPSHOT_SECONDS:
            numbers = [int(each) for each in os.listdir(PROC) if each.isdigit()]
            self._all = {number: found for number in numbers if (found := _read(number)) is not None}
            self._taken = now
        return self._all


_snapshot = _Snapshot()


def uptime() -> float:
    """Seconds since the host's boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def end(first: int, container: str, since: float) -> bool:
    """SIGKILL to `first` and all of its session and descent, of this container (its full id), and begun after
    `since` (as `uptime` counts). True: it was one of these, and is told to end."""
    told = _kill(first, container, since)
    if told:
        for number in range(_PASSES):
            found = _family(first, _snapshot.take(fresh=number > 0))
            if not [one for one in found if _kill(one, container, since)]:
                break
    return told


def _family(first: int, everything: dict[int, _Process]) -> set[int]:
    family = {first}
    grown = True
    while grown:
        more = {n for n, each in everything.items() if each.parent in family or each.session == first} - family
        family |= more
        grown = bool(more)
    return family - {first}


def _kill(number: int, container: str, since: float) -> bool:
    try:
        held = os.pidfd_open(number)
    except OSError:
        return False
    try:
        found = _read(number)
        if found is None or found.started < since - _LATE or not _is_in(number, container):
            return False
        signal.pidfd_send_signal(held, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(held)
    return True


def _is_in(number: int, container: str) -> bool:
    with contextlib.suppress(OSError):
        return container in (PROC / str(number) / "cgroup").read_text()
    return False


def _read(number: int) -> _Process | None:
    """From /proc/N/stat, whose second field may hold spaces and brackets; None: it is gone, or as good as."""
    try:
        fields = (PROC / str(number) / "stat").read_text(errors="replace").rpartition(") ")[2].split()
        state, parent, session, started = fields[0], int(fields[1]), int(fields[3]), int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
    return None if state in "ZX" else _Process(parent, session, started / os.sysconf("SC_CLK_TCK"))
