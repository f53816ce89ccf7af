"""Who may write to a state directory: one process, for as long as it lives.

The kernel drops the lock with the process, however that ends, so there is no stale lock to clean up. What the
file says is only for people.
"""

import fcntl
import os
import socket
import sys
import time
import weakref
from pathlib import Path

from msgspec import DecodeError, Struct, json

from reconciler.store.errors import StateLost, StoreFailed, StoreLocked

LOCK_FILE = "lock"
PATIENCE_SECONDS = 0.5
"""A reader that asks who the holder is has the lock for microseconds; a writer that starts then tries again."""


class Holder(Struct, frozen=True):
    """The process that writes to a store."""

    pid: int
    host: str
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host} ({self.command})"


class Ownership:
    """The right to write, taken by the constructor and given back by `release`."""

    def __init__(self, directory: Path) -> None:
        self._path = path = directory / LOCK_FILE
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreFailed(
                str(path), error.strerror or str(error), "make the state directory writable for this user"
            ) from error
        try:
            _take(self._fd, path)
            me = Holder(os.getpid(), socket.gethostname(), " ".join(sys.argv))
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.encode(me), 0)
        except OSError as error:
            os.close(self._fd)
            raise StoreFailed(str(path), error.strerror or str(error), "free some disk space") from error
        except StoreLocked:
            os.close(self._fd)
            raise
        _let_go_in_children(self)

    def check(self) -> None:
        """StateLost where the lock at its path is not the file that we hold: somebody else may hold that."""
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except OSError:
            raise StateLost(str(self._path), "the state directory's lock was removed") from None
        if not os.path.samestat(found, os.fstat(self._fd)):
            raise StateLost(str(self._path), "the state directory's lock was replaced")

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def holder_of(directory: Path) -> Holder | None:
    """The living process that writes to this store, or None; takes nothing away from it."""
    try:
        fd = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd)
    finally:
        os.close(fd)
    return None


def _take(fd: int, path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreLocked(str(path), str(_read(fd))) from None
            time.sleep(0.02)
        else:
            return


def _read(fd: int) -> Holder:
    try:
        return json.decode(os.pread(fd, 4096, 0), type=Holder)
    except DecodeError:
        return Holder(0, "an unknown host", "it has not said who it is yet")


def _let_go_in_children(ownership: Ownership) -> None:
    """A forked worker would keep the lock after our death: it closes its copy of the descriptor at once."""
    reference = weakref.ref(ownership)

    def release() -> None:
        if (owner := reference()) is not None:
            owner.release()

    os.register_at_fork(after_in_child=release)
