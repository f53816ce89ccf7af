"""Whether the database's files are still those that this process writes to: nobody tells SQLite.

SQLite goes on with files that were unlinked or renamed, and in WAL mode it does not notice that the database was
overwritten. The main file changes only when this process, the one writer, moves the log into it.
"""

import os
from pathlib import Path

from reconciler.store.errors import StateLost

_Print = tuple[int, int, int, int]


class WatchedFiles:
    """`note` after each write of ours, `check` before the next one; three looks at the file system, no reading."""

    def __init__(self, database: Path) -> None:
        self._database = str(database)
        self._log = f"{database}-wal"
        self._noted = _print_of(self._database)
        self._noted_log = _identity_of(self._log)

    def note(self) -> None:
        """What is there now is of our making."""
        now, log = _print_of(self._database), _identity_of(self._log)
        if now is not None and self._noted is not None and now[:2] == self._noted[:2]:
            self._noted = now
        self._noted_log = self._noted_log or log

    def check(self) -> None:
        found = _print_of(self._database)
        if found is None:
            raise StateLost(self._database, "the state was removed")
        if self._noted is not None and found[:2] != self._noted[:2]:
            raise StateLost(self._database, "the state was replaced by another file")
        if found != self._noted:
            raise StateLost(self._database, "the state was overwritten")
        if self._noted_log is not None and _identity_of(self._log) != self._noted_log:
            raise StateLost(self._log, "a part of the state was removed or replaced")

    @property
    def inode(self) -> int:
        return self._noted[1] if self._noted is not None else 0


def _print_of(path: str) -> _Print | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _identity_of(path: str) -> tuple[int, int] | None:
    found = _print_of(path)
    return None if found is None else found[:2]
