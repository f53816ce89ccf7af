"""watchdog's inotify observer, and the one thing it keeps to itself: that the kernel's queue ran over.

After an overflow some changes were never told, so whoever listens must look at everything.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyEmitter, InotifyObserver, InotifyWatchGroup


class QueueOverflow(FileSystemEvent):
    """Events were lost."""

    event_type = "overflow"


FILE_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
]
FOLDER_EVENTS: list[type[FileSystemEvent]] = [DirCreatedEvent, DirMovedEvent, DirDeletedEvent, DirAttribEvent]
"""DirModifiedEvent is left out: watchdog makes it up for every change of an entry."""


class _Group(InotifyWatchGroup):
    overflowed: Callable[[], None] | None = None

    def on_queue_overflow(self) -> None:
        super().on_queue_overflow()
        if self.overflowed is not None:
            self.overflowed()


class _Emitter(InotifyEmitter):
    def on_thread_start(self) -> None:
        self._inotify = _Group(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter(),
            follow_symlink=self.watch.follow_symlink,
        )
        self._inotify.overflowed = lambda: self.queue_event(QueueOverflow(self.watch.path))


class _EventHandler(FileSystemEventHandler):
    def __init__(self, told: Callable[[FileSystemEvent], None]) -> None:
        self._told = told

    def dispatch(self, event: FileSystemEvent) -> None:
        self._told(event)


def observe(folders: dict[str, bool], told: Callable[[FileSystemEvent], None]) -> InotifyObserver:
    """Start telling, from another thread, what happens in these folders (True: and in everything below).

    OSError where a folder is missing or the kernel's number of watches is used up. The caller stops it."""
    # A folder made together with its content is announced twice, which watchdog survives and warns about.
    warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning, "watchdog")
    observer = InotifyObserver()
    observer._emitter_class = _Emitter
    try:
        for folder, recursive in folders.items():
            wanted: list[Any] = [*FILE_EVENTS, *FOLDER_EVENTS, QueueOverflow]
            observer.schedule(_EventHandler(told), folder, recursive=recursive, event_filter=wanted)
        observer.start()
    except BaseException:
        stop(observer)
        raise
    return observer


def stop(observer: InotifyObserver) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join(5.0)


def works(observer: InotifyObserver) -> bool:
    """False once one of its threads has died: it would be silent from then on."""
    threads = [observer, *observer.emitters, observer._inotify_fd]
    return all(thread.is_alive() for thread in threads)
