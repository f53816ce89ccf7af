"""The manifests of one commit, read blob by blob through its trees: no work tree, so no file that is not in it.

A folder that has not changed since the last reading is not listed again, and an unchanged blob not read again.
"""

import posixpath
from typing import NamedTuple

import pygit2
from pygit2.enums import FileMode

from reconciler.model.desired import SourceFile
from reconciler.model.problems import Place, Problem
from reconciler.sources import rules


class _Folder(NamedTuple):
    """One tree, without what is below it."""

    files: tuple[SourceFile, ...]
    problems: tuple[Problem, ...]
    folders: tuple[tuple[str, pygit2.Oid], ...]
    """path, tree"""
    entries: int
    size: int
    has_links: bool
    """Where a link leads depends on the whole commit: such a folder is listed at every reading."""


class _FolderKey(NamedTuple):
    path: str
    tree: pygit2.Oid


class GitTreeReader:
    """Keeps what it read from one reading to the next. `subpath`: the root of the manifests, '' for all."""

    def __init__(self, subpath: str) -> None:
        self._subpath = subpath
        self._folders: dict[_FolderKey, _Folder] = {}
        self._files: dict[str, SourceFile] = {}

    def read(
        self, repository: pygit2.Repository, commit: pygit2.Commit
    ) -> tuple[tuple[SourceFile, ...], tuple[Problem, ...]]:
        """Files in the order of their paths, relative to `subpath`. KeyError or GitError for a damaged object."""
        root = _descend(commit.tree, self._subpath)
        if root is None:
            return (), (_missing(self._subpath, commit),)
        walk = _Walk(repository, commit.tree, self._subpath, self._folders, self._files)
        walk.folder("", root.id)
        files = tuple(sorted(walk.files, key=lambda file: file.path))
        self._folders = walk.folders
        self._files = {file.path: file for file in files}
        return files, tuple(sorted(walk.problems, key=lambda problem: problem.place))


class _Walk:
    """One reading."""

    def __init__(
        self,
        repository: pygit2.Repository,
        top: pygit2.Tree,
        subpath: str,
        known_folders: dict[_FolderKey, _Folder],
        known_files: dict[str, SourceFile],
    ) -> None:
        self.files: list[SourceFile] = []
        self.problems: list[Problem] = []
        self.folders: dict[_FolderKey, _Folder] = {}
        self._repository = repository
        self._top = top
        self._subpath = subpath
        self._known_folders = known_folders
        self._known_files = known_files
        self._contents: dict[pygit2.Oid, bytes] = {}
        """A blob that is at many paths is read once."""
        self._entries = 0
        self._bytes = 0

    def folder(self, path: str, tree: pygit2.Oid, depth: int = 0) -> bool:
        """False once a limit was passed: then nothing more is read."""
        if depth > rules.MAX_DEPTH:
            self.problems.append(rules.too_deep(path))
            return True
        key = _FolderKey(path, tree)
        folder = self._known_folders.get(key) or self._list(path, tree)
        if not folder.has_links:
            self.folders[key] = folder
        self.files += folder.files
        self.problems += folder.problems
        self._entries += folder.entries
        self._bytes += folder.size
        return not self._over_a_limit() and all(self.folder(*below, depth + 1) for below in folder.folders)

    def _over_a_limit(self) -> bool:
        if problem := rules.over_a_limit(self._entries, len(self.files), self._bytes):
            self.files, self.problems, self.folders = [], [problem], {}
        return problem is not None

    def _list(self, path: str, tree: pygit2.Oid) -> _Folder:
        files: list[SourceFile] = []
        problems: list[Problem] = []
        folders: list[tuple[str, pygit2.Oid]] = []
        entries = size = 0
        has_links = False
        for entry in self._repository[tree].peel(pygit2.Tree):
            entries += 1
            has_links |= entry.filemode == FileMode.LINK
            found = self._entry(entry, path)
            if isinstance(found, SourceFile):
                files.append(found)
                size += len(found.content)
                if self._bytes + size > rules.MAX_TOTAL_BYTES:
                    break
            elif isinstance(found, Problem):
                problems.append(found)
            elif found is not None:
                folders.append(found)
        return _Folder(tuple(files), tuple(problems), tuple(folders), entries, size, has_links)

    def _entry(self, entry: pygit2.Object, folder: str) -> SourceFile | Problem | tuple[str, pygit2.Oid] | None:
        name = (entry.raw_name or b"").decode("utf-8", "surrogateescape")
        path = rules.join(folder, name)
        mode = entry.filemode
        counts = mode == FileMode.TREE or rules.is_manifest(name) or rules.is_hidden(name)
        if counts and (not rules.is_plain(name) or _passes_for_git(name)):
            return rules.bad_name(path)
        if rules.is_hidden(name):
            return None
        if mode == FileMode.TREE:
            return path, entry.id
        if mode == FileMode.COMMIT:
            return rules.submodule(path)
        if mode == FileMode.LINK:
            return rules.symlink(path) if rules.is_manifest(name) or self._leads_to_folder(entry, folder) else None
        return self._blob(entry, path) if rules.is_manifest(name) else None

    def _blob(self, entry: pygit2.Object, path: str) -> SourceFile | Problem:
        digest = str(entry.id)
        known = self._known_files.get(path)
        if known is not None and known.digest == digest:
            return known
        if (content := self._contents.get(entry.id)) is None:
            _, size = self._repository.odb.read_header(entry.id)
            if size > rules.MAX_FILE_BYTES:
                return rules.too_large(path, size)
            _, content = self._repository.odb.read(entry.id)
            self._contents[entry.id] = content
        if rules.is_lfs_pointer(content):
            return rules.lfs_pointer(path)
        return SourceFile(path, digest, content)

    def _leads_to_folder(self, link: pygit2.Object, folder: str) -> bool:
        """Also for a link that leads out of the repository: nobody can tell here what it is."""
        _, size = self._repository.odb.read_header(link.id)
        if size > 4096:
            return True
        _, content = self._repository.odb.read(link.id)
        target = content.decode("utf-8", "surrogateescape")
        end = posixpath.normpath(posixpath.join(self._subpath, folder, target))
        if end.startswith(("/", "..")) or not end.isprintable():
            return True
        return end == "." or _descend(self._top, end) is not None


def _descend(tree: pygit2.Tree, path: str) -> pygit2.Tree | None:
    """The tree at `path`; None where there is none. Follows no link, since a link is no tree."""
    for name in filter(None, path.split("/")):
        if name not in tree or not isinstance(below := tree[name], pygit2.Tree):
            return None
        tree = below
    return tree


def _passes_for_git(name: str) -> bool:
    """What some file system would take for `.git`; no honest tree holds it."""
    return name.rstrip(" .").lower() in (".git", "git~1")


def _missing(subpath: str, commit: pygit2.Commit) -> Problem:
    return Problem(
        Place(subpath),
        "path-missing",
        f"commit {str(commit.id)[:8]} has no folder of this name",
        "check the path for a typing error; it is relative to the root of the repository",
    )
