"""Whether a reconciler that holds a lease has ended, where that can be known: it ran where we see processes.

A process is named by the kernel's boot, its PID namespace, its number and its start: no other has all four.
"""

import os
from pathlib import Path

UNKNOWN = "-"


def this_process() -> str:
    """One word."""
    try:
        return f"{_place()}/{os.getpid()}/{_start(os.getpid())}"
    except OSError:
        return UNKNOWN


def has_ended(process: str) -> bool:
    """False also of one that cannot be seen from here: on another machine, or in another PID namespace."""
    place, _, named = process.partition("/")
    number, _, start = named.partition("/")
    try:
        return number.isdigit() and place == _place() and not _runs(int(number), start)
    except OSError:
        return False


def _place() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"


def _runs(number: int, start: str) -> bool:
    try:
        os.kill(number, 0)  # First: /proc may hide what others run.
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _start(number) == start


def _start(number: int) -> str:
    """Clock ticks since the boot (proc(5)); empty: its exit status is all that is left. OSError: hidden."""
    state, *fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return "" if state in ("Z", "X") else fields[18]
