"""Keeps reading the source, on a thread of its own: a slow remote, or 10,000 files, never hold up the loop."""

import threading
from typing import Protocol

from reconciler.control.inbox import Inbox, SourceBroke, SourceRead
from reconciler.control.ports import Source
from reconciler.model.desired import Desired, Rejected, SourceSnapshot, Unavailable

RETRY_SECONDS = 5.0
"""A source that cannot be read is asked again this often, beside its own notifications."""


class Load(Protocol):
    """Bytes to meaning; `manifests.Loader.load`."""

    def __call__(self, snapshot: SourceSnapshot) -> Desired | Rejected: ...


class Refresher:
    """Reads on every change that the source reports, and tells the inbox what is new."""

    def __init__(self, source: Source, load: Load, inbox: Inbox) -> None:
        self._source = source
        self._load = load
        self._inbox = inbox
        self._changed = threading.Event()
        self._closed = False
        self._last: SourceSnapshot | Rejected | Unavailable | None = None
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
        try:
            self._follow()
        except Exception as error:
            self._inbox.put(SourceBroke(error))

    def _follow(self) -> None:
        wait: float | None = None
        while True:
            self._changed.wait(wait)
            if self._closed:
                return
            self._changed.clear()
            read = self._source.read()
            if not _same(read, self._last):
                self._inbox.put(self._meaning(read))
            self._last = read
            wait = RETRY_SECONDS if isinstance(read, Unavailable) else None

    def _meaning(self, read: SourceSnapshot | Rejected | Unavailable) -> SourceRead:
        if not isinstance(read, SourceSnapshot):
            return SourceRead(read)
        result = self._load(read)
        return SourceRead(result, read if isinstance(result, Desired) else None)


def _same(
    read: SourceSnapshot | Rejected | Unavailable, last: SourceSnapshot | Rejected | Unavailable | None
) -> bool:
    """Whether there is nothing new to tell: sources are looked at far more often than they change."""
    if isinstance(read, Unavailable) or isinstance(last, Unavailable | None):
        return read == last
    return read.revision == last.revision
