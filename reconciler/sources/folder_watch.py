"""Hears of changes in a folder, waits until they are complete, and tells which files they were.

Editors save in many ways: writing in place, writing a new file and renaming it, through swap and test files. All
of it falls silent within milliseconds, and that silence is what is waited for. A file that a program has written
to and not closed yet is waited for as long as it is open.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
)
from watchdog.observers.inotify import InotifyObserver

from reconciler.sources import inotify, rules
from reconciler.sources.folder_tree import EVERYTHING
from reconciler.sources.writers import open_for_writing

WRITER_PATIENCE_SECONDS = 2.0
"""How long nothing need be heard of a file that was written to; then it is asked for who has it open."""
LONGEST_WAIT_SECONDS = 5.0
"""A folder that never falls silent is looked at this often nevertheless."""
UNOBSERVED_RESCAN_SECONDS = 2.0
"""Where the kernel gives no events at all."""
ROOT_CHECK_SECONDS = 1.0
"""How soon a folder that was deleted, renamed or replaced is noticed, and its return."""


class FolderWatch:
    """Hints are paths relative to the folder. Without `start`, the answer is always EVERYTHING."""

    def __init__(self, root: Path, debounce: float, rescan: float, refused: frozenset[str]) -> None:
        self._root = root
        self._debounce = debounce
        self._rescan = rescan
        self._heard = threading.Condition()
        self._hints: frozenset[str] | None = EVERYTHING
        self._first_event: float | None = None
        self._last_event = 0.0
        self._writing: dict[str, float] = {}
        """Written to and not closed: since when."""
        self._refused = refused
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._observer: InotifyObserver | None = None
        self._observed = ""
        self._identity: tuple[int, int] | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """`changed` is called from a thread of ours, once for everything that happened together."""
        self._arm()
        self._thread = threading.Thread(target=self._run, args=(changed,), name="folder-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._heard:
            self._stopping = True
            self._heard.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5.0)
        self._disarm()

    def take_hints(self) -> frozenset[str] | None:
        """What may have changed since they were taken last; the caller looks at it, or gives it back."""
        with self._heard:
            hints = self._hints
            self._hints = frozenset() if self._observer is not None else EVERYTHING
            return hints

    def give_back(self, hints: frozenset[str] | None) -> None:
        with self._heard:
            self._add(hints)

    def being_written(self) -> str | None:
        """A manifest whose writer has not closed it yet."""
        with self._heard:
            return self._unclosed(time.monotonic())

    def refused(self, paths: frozenset[str]) -> None:
        """What rejects the revision now: its end is news too, whatever its name."""
        self._refused = paths

    # --- the thread ------------------------------------------------------------------------------------------

    def _run(self, changed: Callable[[], None]) -> None:
        next_rescan = time.monotonic() + self._rescan_seconds()
        next_check = time.monotonic() + ROOT_CHECK_SECONDS
        while True:
            with self._heard:
                now = time.monotonic()
                wake = min(next_rescan, next_check, self._settled_at(now))
                if wake > now and not self._stopping:
                    self._heard.wait(wake - now)
                if self._stopping:
                    return
                now = time.monotonic()
                fire = self._settled_at(now) <= now
            if now >= next_check:
                next_check = now + ROOT_CHECK_SECONDS
                if self._root_identity() != self._identity or not self._hears():
                    self._rearm()
                    fire = True
            if now >= next_rescan:
                next_rescan = now + self._rescan_seconds()
                self.give_back(EVERYTHING)
                fire = True
            if fire:
                with self._heard:
                    self._first_event = None
                changed()

    def _rescan_seconds(self) -> float:
        return self._rescan if self._observer is not None else min(self._rescan, UNOBSERVED_RESCAN_SECONDS)

    def _settled_at(self, now: float) -> float:
        if self._first_event is None:
            return float("inf")
        quiet = self._last_event + self._debounce
        if self._unclosed(now):
            quiet = max(self._writing.values()) + WRITER_PATIENCE_SECONDS
        return min(quiet, self._first_event + LONGEST_WAIT_SECONDS)

    def _unclosed(self, now: float) -> str | None:
        silent = [path for path, since in self._writing.items() if now - since >= WRITER_PATIENCE_SECONDS]
        still_open = open_for_writing(self._observed) if silent else frozenset()
        for path in silent:
            if _identity_of(os.path.join(self._observed, path)) in still_open:
                self._writing[path] = now
            else:
                del self._writing[path]
        return next(iter(self._writing), None)

    # --- events ----------------------------------------------------------------------------------------------

    def _told(self, event: FileSystemEvent) -> None:
        """From the observer's thread."""
        hints: set[str] = set()
        for source in {os.fsdecode(event.src_path), os.fsdecode(event.dest_path)} - {""}:
            path = os.path.relpath(source, self._observed)
            if path != "." and any(rules.is_hidden(part) for part in path.split("/")):
                continue
            lost = event.is_directory or isinstance(event, inotify.QueueOverflow)
            if lost or path in self._refused or _is_new_link(event, source):
                return self._note(EVERYTHING)
            if rules.is_manifest(os.path.basename(path)):
                hints.add(path)
                self._note_writing(path, event.event_type)
        if hints:
            self._note(frozenset(hints))
        return None

    def _note_writing(self, path: str, event_type: str) -> None:
        with self._heard:
            if event_type == EVENT_TYPE_MODIFIED:
                self._writing[path] = time.monotonic()
            elif event_type in (EVENT_TYPE_CLOSED, EVENT_TYPE_MOVED, EVENT_TYPE_DELETED):
                self._writing.pop(path, None)

    def _note(self, hints: frozenset[str] | None) -> None:
        with self._heard:
            self._add(hints)
            self._last_event = time.monotonic()
            if self._first_event is None:
                self._first_event = self._last_event
            self._heard.notify_all()

    def _add(self, hints: frozenset[str] | None) -> None:
        if hints is EVERYTHING or self._hints is EVERYTHING:
            self._hints = EVERYTHING
        else:
            self._hints |= hints

    # --- the folder itself -----------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Without an observer, which is logged, `rescan` and the check of the root still find every change."""
        self._identity = self._root_identity()
        if self._identity is None:
            return
        self._observed = os.path.realpath(self._root)
        try:
            self._observer = inotify.observe({self._observed: True}, self._told)
        except OSError as error:
            structlog.get_logger().warning(
                "folder is polled",
                path=str(self._root),
                why=error.strerror or str(error),
                every_seconds=self._rescan_seconds(),
                fix="raise the sysctl fs.inotify.max_user_watches",
            )

    def _disarm(self) -> None:
        if self._observer is not None:
            inotify.stop(self._observer)
            self._observer = None

    def _rearm(self) -> None:
        self._disarm()
        self._arm()
        with self._heard:
            self._hints = EVERYTHING
            self._writing.clear()
        structlog.get_logger().warning(
            "folder is watched anew" if self._identity else "folder is gone", path=str(self._root)
        )

    def _hears(self) -> bool:
        return self._observer is None or inotify.works(self._observer)

    def _root_identity(self) -> tuple[int, int] | None:
        return _identity_of(self._root)


def _identity_of(path: str | Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_new_link(event: FileSystemEvent, path: str) -> bool:
    return event.event_type in (EVENT_TYPE_CREATED, EVENT_TYPE_MOVED) and os.path.islink(path)
