"""Which files of a folder other programs have open for writing now, as /proc tells.

Events tell it too, but not of what was opened before they were listened to, and not reliably for ever: who holds a
file open is asked for here. Programs of other users are seen by root alone, those of other machines by nobody.
"""

import os
from pathlib import Path
from typing import Final

_PROCESSES: Final = "/proc"
_RIGHTS: Final = os.O_WRONLY | os.O_RDWR


def open_for_writing(folder: str | Path) -> frozenset[tuple[int, int]]:
    """Device and inode of every file in it and below that some process may still write to."""
    inside = os.path.join(os.path.realpath(folder), "")
    found: set[tuple[int, int]] = set()
    for process in _listed(_PROCESSES):
        if process.isdigit():
            for number in _listed(f"{_PROCESSES}/{process}/fd"):
                found |= _written_to(f"{_PROCESSES}/{process}", number, inside)
    return frozenset(found)


def _written_to(process: str, number: str, inside: str) -> set[tuple[int, int]]:
    try:
        if not os.readlink(f"{process}/fd/{number}").startswith(inside):
            return set()
        with open(f"{process}/fdinfo/{number}", encoding="ascii") as about:
            flags = next((line.split()[1] for line in about if line.startswith("flags:")), "0")
        if not int(flags, 8) & _RIGHTS:
            return set()
        file = os.stat(f"{process}/fd/{number}")
    except OSError:  # It has been closed since, or is not ours to see.
        return set()
    return {(file.st_dev, file.st_ino)}


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
