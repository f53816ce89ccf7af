"""The files of a folder, kept from one reading to the next so that only what changed is read again.

Every step from the root is taken relative to an open folder and without following links (`openat`, `O_NOFOLLOW`):
a folder swapped for a link between two steps leads to an error and never outside.
"""

import os
import stat
import time
from hashlib import blake2b, sha256
from typing import Final, NamedTuple

from reconciler.model.desired import Rejected, Revision, SourceFile, SourceSnapshot
from reconciler.model.problems import Problem
from reconciler.sources import rules
from reconciler.sources.writers import open_for_writing

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: should a pipe take a file's place in the last moment, opening it must not wait."""


EVERYTHING: Final = None
"""What stands in the place of hints if any file may have changed."""


class StillChanging(Exception):
    """A file is being written; reading it now could show half of it."""


class Uncertain(Exception):
    """A hint leads nowhere clear: everything is to be looked at."""


class _KnownFile(NamedTuple):
    stamp: tuple[int, int, int, int]
    """Size, mtime, ctime, inode: while these stay, the content does."""
    file: SourceFile | None
    problem: Problem | None
    line: bytes
    """Its part of the revision's id."""

    @property
    def size(self) -> int:
        """The bytes that are held of it."""
        return len(self.file.content) if self.file is not None else 0


class FolderTree:
    """`settle`: how many seconds a file must have been left alone to be read."""

    def __init__(self, origin: str, settle: float) -> None:
        self._origin = origin
        self._settle = settle
        self._known: dict[str, _KnownFile] = {}
        """In the order of the paths."""
        self._position: dict[str, int] = {}
        self._lines: list[bytes] = []
        """Of each known file, at its position."""
        self._size = 0
        """Bytes of all known files."""
        self._problems: list[Problem] = []
        """Of folders, links and the like: what has no `_KnownFile`."""
        self._last: SourceSnapshot | Rejected | None = None

    def look_at_all(self, root: int) -> SourceSnapshot | Rejected:
        """`root` is the open folder. OSError where it cannot be listed; StillChanging."""
        scan = _Scan(self._known, self._settle, self._origin)
        scan.folder(root, "", 0)
        return self._replace_all(scan.found, scan.problems)

    def look_at(self, root: int, paths: frozenset[str]) -> SourceSnapshot | Rejected:
        """Look only at files that are known or new; Uncertain if more than files changed. StillChanging."""
        if self._problems or self._last is None:
            raise Uncertain
        if not paths:
            return self._last
        scan = _Scan(self._known, self._settle)
        for path in paths:
            scan.one(root, path)
        before = [self._known[path] for path in paths if path in self._known]
        count = len(self._known) + len(scan.found) - len(before)
        size = self._size + sum(new.size for new in scan.found.values()) - sum(old.size for old in before)
        if rules.over_a_limit(0, count, size):
            raise Uncertain
        edited = len(scan.found) == len(paths) == len(before)
        if (
            edited
            and isinstance(self._last, SourceSnapshot)
            and not any(new.problem for new in scan.found.values())
        ):
            self._size = size
            return self._replace_some(self._last, scan.found)
        rest = {path: known for path, known in self._known.items() if path not in paths}
        return self._replace_all(rest | scan.found, [])

    def _replace_some(self, last: SourceSnapshot, edited: dict[str, _KnownFile]) -> SourceSnapshot:
        """The common case, one file saved: its cost hardly depends on how many others there are."""
        files = list(last.files)
        for path, known in edited.items():
            if known.file is not None:
                position = self._position[path]
                files[position] = known.file
                self._lines[position] = known.line
        self._known.update(edited)
        revision = self._revision(sha256(b"".join(self._lines)).hexdigest())
        if revision != last.revision:
            last = SourceSnapshot(revision, tuple(files))
        self._last = last
        return last

    def _replace_all(self, found: dict[str, _KnownFile], problems: list[Problem]) -> SourceSnapshot | Rejected:
        self._known = dict(sorted(found.items()))
        self._position = {path: position for position, path in enumerate(self._known)}
        self._lines = [known.line for known in self._known.values()]
        self._size = sum(known.size for known in self._known.values())
        self._problems = problems
        every = [*problems, *(known.problem for known in self._known.values() if known.problem)]
        digest = sha256(b"".join(self._lines))
        for problem in every:
            digest.update(str(problem).encode("utf-8", "backslashreplace"))
        revision = self._revision(digest.hexdigest())
        if self._last is None or self._last.revision != revision:
            if every:
                self._last = Rejected(revision, tuple(sorted(every, key=lambda problem: problem.place)))
            else:
                self._last = SourceSnapshot(
                    revision, tuple(known.file for known in self._known.values() if known.file)
                )
        return self._last

    def _revision(self, digest: str) -> Revision:
        return Revision(f"sha256:{digest}", self._origin)


class _Scan:
    """One look, at everything or at some files. With `origin`, the folder's path, also at who writes to them."""

    def __init__(self, known: dict[str, _KnownFile], settle: float, origin: str = "") -> None:
        self.found: dict[str, _KnownFile] = {}
        self.problems: list[Problem] = []
        self._known = known
        self._settle = settle
        self._origin = origin
        self._writers: frozenset[tuple[int, int]] | None = None
        self._entries = 0
        self._bytes = 0

    def folder(self, fd: int, path: str, depth: int) -> None:
        with os.scandir(fd) as entries:
            for entry in entries:
                self._entries += 1
                if not rules.is_hidden(entry.name):
                    self._entry(fd, entry, rules.join(path, entry.name), depth)
                if self._over_a_limit():
                    return

    def one(self, root: int, path: str) -> None:
        """Look at one file, by its path. What is not there, or no regular file, is left out."""
        *folders, name = path.split("/")
        opened: list[int] = []
        try:
            fd = root
            for folder in folders:
                fd = os.open(folder, _FOLDER, dir_fd=fd)
                opened.append(fd)
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or not rules.is_plain(name):
                raise Uncertain
            self._file(fd, name, path, found)
        except FileNotFoundError:
            return
        except OSError as error:
            raise Uncertain from error
        finally:
            for fd in opened:
                os.close(fd)

    def _entry(self, fd: int, entry: "os.DirEntry[str]", path: str, depth: int) -> None:
        if entry.is_symlink():
            if rules.is_manifest(entry.name) or _leads_to_folder(fd, entry.name):
                self.problems.append(rules.symlink(path))
        elif entry.is_dir(follow_symlinks=False):
            self._subfolder(fd, entry.name, path, depth)
        elif not rules.is_manifest(entry.name):
            return
        elif not rules.is_plain(entry.name):
            self.problems.append(rules.bad_name(path))
        elif not entry.is_file(follow_symlinks=False):
            self.problems.append(rules.special_file(path))
        else:
            try:
                self._file(fd, entry.name, path, entry.stat(follow_symlinks=False))
            except FileNotFoundError:  # removed since it was listed: as if it had never been listed
                return

    def _subfolder(self, parent: int, name: str, path: str, depth: int) -> None:
        if depth + 1 > rules.MAX_DEPTH:
            self.problems.append(rules.too_deep(path))
            return
        if not rules.is_plain(name):
            self.problems.append(rules.bad_name(path))
            return
        try:
            fd = os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems.append(rules.unreadable(path, error.strerror or str(error)))
            return
        try:
            self.folder(fd, path, depth + 1)
        except OSError as error:
            self.problems.append(rules.unreadable(path, error.strerror or str(error)))
        finally:
            os.close(fd)

    def _file(self, folder: int, name: str, path: str, found: os.stat_result) -> None:
        stamp = _stamp(found)
        known = self._known.get(path)
        if known is not None and known.stamp == stamp:
            self._keep(path, known)
            return
        if 0 <= time.time() - found.st_mtime < self._settle:
            raise StillChanging(path)
        if self._has_writer(found):
            raise StillChanging(path)
        if found.st_size > rules.MAX_FILE_BYTES:
            self._refuse(path, stamp, rules.too_large(path, found.st_size))
            return
        try:
            content = _read(folder, name, stamp)
        except FileNotFoundError:
            raise
        except OSError as error:
            # Not under its stamp: the right to read may come back without any other change.
            self._refuse(path, (0, 0, 0, 0), rules.unreadable(path, error.strerror or str(error)))
            return
        if rules.is_lfs_pointer(content):
            self._refuse(path, stamp, rules.lfs_pointer(path))
            return
        digest = blake2b(content, digest_size=20).hexdigest()
        file = known.file if known and known.file and known.file.digest == digest else None
        line = f"{path}\0{digest}\n".encode()
        self._keep(path, _KnownFile(stamp, file or SourceFile(path, digest, content), None, line))

    def _has_writer(self, found: os.stat_result) -> bool:
        """What changed is asked for, and all of it at once."""
        if self._writers is None:
            self._writers = open_for_writing(self._origin) if self._origin else frozenset()
        return (found.st_dev, found.st_ino) in self._writers

    def _refuse(self, path: str, stamp: tuple[int, int, int, int], problem: Problem) -> None:
        self._keep(path, _KnownFile(stamp, None, problem, f"{path}\0\n".encode()))

    def _keep(self, path: str, known: _KnownFile) -> None:
        self.found[path] = known
        self._bytes += known.size

    def _over_a_limit(self) -> bool:
        if problem := rules.over_a_limit(self._entries, len(self.found), self._bytes):
            self.problems = [problem]
        return problem is not None


def _stamp(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _read(folder: int, name: str, stamp: tuple[int, int, int, int]) -> bytes:
    fd = os.open(name, _FILE, dir_fd=folder)
    try:
        if _stamp(found := os.fstat(fd)) != stamp or not stat.S_ISREG(found.st_mode):
            raise StillChanging(name)
        content = os.read(fd, stamp[0] + 1)
        if _stamp(os.fstat(fd)) != stamp or len(content) != stamp[0]:
            raise StillChanging(name)
        return content
    finally:
        os.close(fd)


def _leads_to_folder(parent: int, name: str) -> bool:
    """Asks for the type of the link's end, and opens nothing."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent).st_mode)
    except OSError:
        return False
