"""Hears when a branch or tag of a local repository moves, so that a commit is acted on at once."""

import threading
from typing import Final

import pygit2
from watchdog.observers.inotify import InotifyObserver

from reconciler.sources import inotify
from reconciler.sources.git_local import LocalRepository

LOCAL_POLL_SECONDS: Final = 1.0
"""How often a repository is looked at that gives no events, or is not there now."""


class RefsWatch:
    """`repository` None: a remote one, of which nothing is heard; then `wait` only waits."""

    def __init__(self, repository: LocalRepository | None) -> None:
        self._repository = repository
        self._observer: InotifyObserver | None = None
        self._folders: dict[str, bool] = {}
        self._heard = threading.Event()

    def arm(self) -> None:
        """Let what happens from here on end the next `wait`. Does nothing if that holds already."""
        if self._repository is None:
            return
        try:
            folders = self._repository.ref_folders()
            if self._observer is None or folders != self._folders or not inotify.works(self._observer):
                self._disarm()
                self._observer = inotify.observe(folders, lambda _: self._heard.set())
                self._folders = folders
        except (pygit2.GitError, KeyError, OSError):
            # The repository is gone, which `tip` says too, or the kernel gives no events, and it is polled.
            self._disarm()

    def wait(self, seconds: float) -> None:
        self._heard.wait(seconds)
        self._heard.clear()

    def wake(self) -> None:
        self._heard.set()

    def stop(self) -> None:
        """Close the watch, after the thread that waits has ended."""
        self._disarm()

    def _disarm(self) -> None:
        if self._observer is not None:
            inotify.stop(self._observer)
            self._observer = None
