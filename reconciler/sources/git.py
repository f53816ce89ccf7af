"""A Git branch, tag or commit as a source: the commit id is the revision."""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pygit2
import structlog

from reconciler.model.desired import Rejected, Revision, SourceSnapshot, Unavailable
from reconciler.sources.git_address import (
    DEFAULT_ACCESS,
    HEAD,
    GitAccess,
    GitTarget,
    LocalAddress,
    check_subpath,
    check_target,
    parse_address,
)
from reconciler.sources.git_clone import GitClone, GitUnavailable, Tip
from reconciler.sources.git_local import LocalRepository
from reconciler.sources.git_tree import GitTreeReader
from reconciler.sources.git_watch import LOCAL_POLL_SECONDS, RefsWatch


class GitSource:
    """A local repository is read where it is. A remote one is cloned into `cache`, and fetched every `poll`
    seconds once `watch` was called, else by every `read`.

    `timeout`: seconds for one fetch, whatever happens. `stall`: seconds in which a server may be silent.
    ValueError for an address, target or path that is none.
    """

    def __init__(
        self,
        url: str,
        target: GitTarget = HEAD,
        *,
        subpath: str = "",
        access: GitAccess = DEFAULT_ACCESS,
        cache: str | Path = "~/.cache/reconciler/git",
        poll: float = 10.0,
        timeout: float = 60.0,
        stall: float = 15.0,
    ) -> None:
        address = parse_address(url)
        self._address = address
        self._target = check_target(target)
        self._subpath = check_subpath(subpath)
        self._poll = poll
        self._repository: LocalRepository | GitClone
        if isinstance(address, LocalAddress):
            self._repository = LocalRepository(address.path)
        else:
            self._repository = GitClone(address, access, Path(cache).expanduser(), timeout=timeout, stall=stall)
        self._reader = GitTreeReader(self._subpath)
        self._tip: Tip | None = None
        self._failure: GitUnavailable | None = None
        self._last_success: datetime | None = None
        """To show: a moment, not an age, so that a failure that goes on is the same failure."""
        self._last: SourceSnapshot | Rejected | None = None
        self._lock = threading.Lock()
        """Held for no longer than reading what is on this machine takes."""
        self._asking = threading.Lock()
        self._closing = threading.Event()
        local = self._repository if isinstance(self._repository, LocalRepository) else None
        self._watch = RefsWatch(local)
        self._thread: threading.Thread | None = None

    def read(self) -> SourceSnapshot | Rejected | Unavailable:
        """Read the source: at once, once a remote repository is watched; otherwise within `timeout`."""
        if not self._asked_in_background():
            self._ask()
        with self._lock:
            return self._read()

    def watch(self, changed: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(changed,), name="git-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the watching, and a fetch that is under way; may be called again."""
        self._closing.set()
        self._repository.close()
        self._watch.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5.0)
        self._watch.stop()

    def _run(self, changed: Callable[[], None]) -> None:
        local = isinstance(self._repository, LocalRepository)
        while not self._closing.is_set():
            self._watch.arm()
            if self._ask() and not self._closing.is_set():
                changed()
            self._watch.wait(LOCAL_POLL_SECONDS if local else self._poll * random.uniform(0.9, 1.1))

    def _asked_in_background(self) -> bool:
        """A look at a local repository costs nothing, and shows the newest commit."""
        if isinstance(self._repository, LocalRepository) or self._thread is None:
            return False
        with self._lock:
            return self._tip is not None or self._failure is not None

    def _ask(self) -> bool:
        """Which commit is wanted now. True where the answer is another one than before."""
        with self._asking:
            tip, failure = self._tip, None
            try:
                tip = self._repository.tip(self._target)
            except GitUnavailable as error:
                failure = error
            with self._lock:
                news = tip != self._tip or (failure is None) != (self._failure is None)
                self._tip, self._failure = tip, failure
                if failure is None and tip is not None:
                    self._last_success = datetime.now(UTC)
                    self._target = _pinned(self._target, tip)
            return news

    def _read(self) -> SourceSnapshot | Rejected | Unavailable:
        if self._tip is None or self._failure is not None:
            return self._unavailable()
        if self._last is not None and self._last.revision.id == self._tip.commit:
            return self._last
        try:
            repository = pygit2.Repository(str(self._repository.path))
            commit = repository[self._tip.commit].peel(pygit2.Commit)
            files, problems = self._reader.read(repository, commit)
            if self._last is not None:
                self._log_rewritten_history(repository, self._last.revision.id)
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            return self._damaged(error)
        revision = Revision(self._tip.commit, self._origin(), _title(commit))
        self._last = Rejected(revision, problems) if problems else SourceSnapshot(revision, files)
        return self._last

    def _unavailable(self) -> Unavailable:
        why = str(self._failure) if self._failure else f"{self._address}: not read yet"
        if self._last_success is not None:
            why += f" (last read at {self._last_success:%Y-%m-%d %H:%M:%S} UTC)"
        return Unavailable(why, self._failure.fix if self._failure else "")

    def _damaged(self, error: Exception) -> Unavailable:
        """A clone is thrown away, and made again when the server is asked next."""
        why = f"{self._address}: the commit cannot be read: {error}"
        if isinstance(self._repository, LocalRepository):
            return Unavailable(why, f"run `git -C {self._address} fsck`")
        self._repository.discard()
        self._failure = GitUnavailable(why, "the clone is made again at the next poll")
        return self._unavailable()

    def _log_rewritten_history(self, repository: pygit2.Repository, before: str) -> None:
        """A force-push is followed like any commit, and said aloud. A clone made anew knows of no history."""
        after = self._tip.commit if self._tip else ""
        if before in repository and not repository.descendant_of(after, before):
            structlog.get_logger().warning(
                "git history was rewritten", source=self._origin(), before=before[:8], after=after[:8]
            )

    def _origin(self) -> str:
        where = f"{self._target}:{self._subpath}" if self._subpath else str(self._target)
        return f"{self._address} ({where})"


def _pinned(target: GitTarget, tip: Tip) -> GitTarget:
    """Where nothing was named, the first answer stays: a `git checkout` is no wish to run another branch."""
    if target != HEAD:
        return target
    return GitTarget(branch=tip.branch) if tip.branch else GitTarget(commit=tip.commit)


def _title(commit: pygit2.Commit) -> str:
    first = commit.raw_message.decode("utf-8", "replace").strip().split("\n", 1)[0]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in first[:200])
