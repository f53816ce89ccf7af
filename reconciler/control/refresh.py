"""Keeps reading the source, on a thread of its own: a slow remote, or 10,000 files, never hold up the loop."""

import threading
from typing import Protocol

from reconciler.control.inbox import Inbox, SourceRead
from reconciler.control.ports import Source
from reconciler.model.desired import Desired, Rejected, Snapshot, Unavailable

RETRY_SECONDS = 5.0
"""A source that cannot be read is asked again this often, beside its own notifications."""


class Load(Protocol):
    """Bytes to meaning; `manifests.Loader.load`."""

    def __call__(self, snapshot: Snapshot) -> Desired | Rejected: ...


class Refresher:
    """Reads on every change that the source reports, and tells the inbox what is new."""

    def __init__(self, source: Source, load: Load, inbox: Inbox) -> None:
        self._source = source
        self._load = load
        self._inbox = inbox
        self._changed = threading.Event()
        self._closed = False
        self._last: object = None
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    def start(self) -> None:
        self._changed.set()
        self._source.watch(self._changed.set)
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        self._changed.set()
        self._source.close()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        wait: float | None = None
        while True:
            self._changed.wait(wait)
            if self._closed:
                return
            self._changed.clear()
            result = self._read()
            wait = RETRY_SECONDS if isinstance(result, Unavailable) else None

    def _read(self) -> Desired | Rejected | Unavailable:
        read = self._source.read()
        result = self._load(read) if isinstance(read, Snapshot) else read
        if not _same(result, self._last):
            taken = read if isinstance(result, Desired) and isinstance(read, Snapshot) else None
            self._inbox.put(SourceRead(result, taken))
        self._last = result
        return result


def _same(result: object, last: object) -> bool:
    """Whether there is nothing new to tell. A loader gives the same object for the same snapshot."""
    return result is last or (isinstance(result, Unavailable) and result == last)
