"""A folder as a source: its content, hashed, is the revision."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.model.desired import Rejected, SourceSnapshot, Unavailable
from reconciler.sources.folder_tree import EVERYTHING, FolderTree, StillChanging, Uncertain

if TYPE_CHECKING:
    from reconciler.sources.folder_watch import FolderWatch

SETTLED_WITHIN_SECONDS = 3.0
"""How long `read` waits for a file that is being written."""


class FolderSource:
    """`debounce`: seconds in which nothing may have been written before a change counts as complete.

    `rescan`: seconds between two looks at every file, for what no event tells (a network file system).
    """

    def __init__(self, path: str | Path, *, debounce: float = 0.05, rescan: float = 30.0) -> None:
        self._path = Path(os.path.abspath(path))
        self._tree = FolderTree(str(self._path), debounce)
        self._debounce = debounce
        self._rescan = rescan
        self._watch: FolderWatch | None = None
        self._refused: frozenset[str] = frozenset()
        """What rejects the revision that was read last."""
        self._lock = threading.Lock()
        self._device: int | None = None
        """Where the folder was when it was read last."""

    def read(self) -> SourceSnapshot | Rejected | Unavailable:
        """Waits at most SETTLED_WITHIN_SECONDS, for a file that is being written."""
        deadline = time.monotonic() + SETTLED_WITHIN_SECONDS
        with self._lock:
            while True:
                watch = self._watch
                hints = watch.take_hints() if watch else EVERYTHING
                try:
                    if watch and (writing := watch.being_written()) is not None:
                        raise StillChanging(writing)
                    found = self._look(hints)
                    self._refused = _refused(found)
                    if watch:
                        watch.refused(self._refused)
                    return found
                except StillChanging as error:
                    if watch:
                        watch.give_back(hints)
                    if time.monotonic() > deadline:
                        return Unavailable(
                            f"{self._path}: {error} is still being written",
                            "it is read once its writer has closed it; until then nothing is changed",
                        )
                    time.sleep(0.01)
                except OSError as error:
                    if watch:
                        watch.give_back(EVERYTHING)
                    if self._path.is_file():
                        return Unavailable(
                            f"{self._path} is a file, and a source is a folder of manifests",
                            f"name the folder it is in: {self._path.parent}",
                        )
                    return Unavailable(
                        f"{self._path}: {error.strerror or error}",
                        "restore the folder, or start again with the right path; what runs keeps running",
                    )

    def watch(self, changed: Callable[[], None]) -> None:
        from reconciler.sources.folder_watch import FolderWatch  # a single read needs no observer

        watch = FolderWatch(self._path, self._debounce, self._rescan, self._refused)
        watch.start(changed)
        self._watch = watch

    def close(self) -> None:
        """Ends the watching; may be called again."""
        if self._watch is not None:
            self._watch.stop()

    def _look(self, hints: frozenset[str] | None) -> SourceSnapshot | Rejected | Unavailable:
        root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if hints is EVERYTHING:
                return self._look_at_all(root)
            try:
                return self._tree.look_at(root, hints)
            except Uncertain:
                return self._look_at_all(root)
        finally:
            os.close(root)

    def _look_at_all(self, root: int) -> SourceSnapshot | Rejected | Unavailable:
        """An empty folder on another file system than before is the place where the right one was mounted."""
        found = self._tree.look_at_all(root)
        device = os.fstat(root).st_dev
        if isinstance(found, SourceSnapshot) and not found.files and self._device not in (None, device):
            return Unavailable(f"{self._path}: its file system is no longer mounted", "mount it again")
        self._device = device
        return found


def _refused(found: SourceSnapshot | Rejected | Unavailable) -> frozenset[str]:
    problems = found.problems if isinstance(found, Rejected) else ()
    return frozenset(problem.place.path for problem in problems)
