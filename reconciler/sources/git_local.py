"""A repository on this machine: opened where it is, read only, and never cloned."""

import re
from pathlib import Path
from typing import Final

import pygit2
from msgspec import Struct

from reconciler.sources.git_address import BadSource, GitTarget
from reconciler.sources.git_clone import GitUnavailable, Tip

_SHORT_ID: Final = re.compile("[0-9a-f]{7,40}")


class LocalRepository:
    """A repository on this machine, with what `GitClone` has: `tip` says which commit is wanted, `path` where it
    can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def tip(self, target: GitTarget) -> Tip:
        """GitUnavailable where the repository or what is wanted of it is missing."""
        try:
            return _resolve(pygit2.Repository(str(self.path)), target)
        except (pygit2.GitError, LookupError, ValueError, OSError) as error:
            raise GitUnavailable(f"{self.path}: {error}", _fix(error, self.path)) from error

    def close(self) -> None:
        """Nothing is held open."""

    def ref_folders(self) -> dict[str, bool]:
        """Where Git writes when a branch or tag moves; True: and below it. GitError where there is none."""
        own = Path(pygit2.Repository(str(self.path)).path)
        common = own / (own / "commondir").read_text().strip() if (own / "commondir").exists() else own
        common = common.resolve()
        return {str(own.resolve()): False, str(common): False, str(common / "refs"): True}


class Checkout(Struct, frozen=True):
    """Where a folder stands in the repository around it, and a commit of that repository."""

    root: Path
    subpath: str
    commit: str


def commit_around(folder: Path, name: str) -> Checkout:
    """The commit that a branch, tag, remote branch or (abbreviated) commit id means around this folder.

    For `diff --base`. BadSource where there is no repository, or nothing of this name in it.
    """
    repository = _repository_around(folder)
    if repository is None or repository.workdir is None:
        raise BadSource(f"{folder} is not inside a Git work tree: --base compares with a commit of its repository")
    root = Path(repository.workdir).resolve()
    subpath = folder.resolve().relative_to(root).as_posix()
    return Checkout(root, "" if subpath == "." else subpath, str(_named(repository, name).id))


def path_in_repository(folder: Path) -> str:
    """Return the path from the root of the work tree around this folder to it; empty at the root, and if there is
    none.

    BadSource if Git does not let us read it.
    """
    repository = _repository_around(folder)
    root = repository.workdir if repository is not None else None
    return "" if root is None else folder.resolve().relative_to(Path(root).resolve()).as_posix().removeprefix(".")


def _repository_around(folder: Path) -> pygit2.Repository | None:
    if (found := pygit2.discover_repository(str(folder))) is None:
        return None
    try:
        return pygit2.Repository(found)
    except pygit2.GitError as error:
        raise BadSource(f"{error} ({_fix(error, Path(found).parent)})") from error


def _named(repository: pygit2.Repository, name: str) -> pygit2.Commit:
    """Names only, never an expression (`main~3`, `:/text`): libgit2's revision parser is not asked."""
    places = ["HEAD"] if name == "HEAD" else [f"refs/{kind}/{name}" for kind in ("heads", "tags", "remotes")]
    for place in filter(pygit2.reference_is_valid_name, places):
        if (reference := repository.references.get(place)) is not None:
            return reference.peel(pygit2.Commit)
    if _SHORT_ID.fullmatch(name) and (commit := _commit(repository, name)) is not None:
        return commit
    raise BadSource(f"the repository has no branch, tag or commit {name!r}: is the clone shallow? fetch it first")


def _commit(repository: pygit2.Repository, name: str) -> pygit2.Commit | None:
    found = repository.get(name)
    return found if isinstance(found, pygit2.Commit) else None


def _resolve(repository: pygit2.Repository, target: GitTarget) -> Tip:
    if target.commit:
        if _commit(repository, target.commit) is None:
            raise LookupError(f"it has no commit {target.commit}")
        return Tip(target.commit, "")
    name = f"refs/tags/{target.tag}" if target.tag else f"refs/heads/{target.branch}"
    if not (target.tag or target.branch):
        if repository.head_is_detached:
            return Tip(str(repository.head.target), "")
        name = str(repository.references["HEAD"].target)
    if (reference := repository.references.get(name)) is None:
        raise LookupError(f"it has no {name}")
    commit = reference.peel(pygit2.Commit)
    return Tip(str(commit.id), "" if target.tag else name.removeprefix("refs/heads/"))


def _fix(error: Exception, path: Path) -> str:
    if "not owned by" in str(error):
        return f"git config --global --add safe.directory {path}"
    return "check the path, and the branch, tag or commit; what runs keeps running"
