"""A repository on this machine: opened where it is, read only, and never cloned."""

from pathlib import Path

import pygit2

from reconciler.sources.git_address import GitTarget
from reconciler.sources.git_clone import GitUnavailable, Tip


class LocalRepository:
    """Of the kind that `GitClone` is: `tip` says which commit is wanted, `path` where it can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def tip(self, target: GitTarget) -> Tip:
        """GitUnavailable where the repository or what is wanted of it is missing."""
        try:
            return _resolve(pygit2.Repository(str(self.path)), target)
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            raise GitUnavailable(f"{self.path}: {error}", _fix(error, self.path)) from error

    def close(self) -> None:
        """Nothing is held open."""

    def ref_folders(self) -> dict[str, bool]:
        """Where Git writes when a branch or tag moves; True: and below it. GitError where there is none."""
        own = Path(pygit2.Repository(str(self.path)).path)
        common = own / (own / "commondir").read_text().strip() if (own / "commondir").exists() else own
        common = common.resolve()
        return {str(own.resolve()): False, str(common): False, str(common / "refs"): True}


def _resolve(repository: pygit2.Repository, target: GitTarget) -> Tip:
    if target.commit:
        if not isinstance(repository.get(target.commit), pygit2.Commit):
            raise KeyError(f"it has no commit {target.commit}")
        return Tip(target.commit, "")
    name = f"refs/tags/{target.tag}" if target.tag else f"refs/heads/{target.branch}"
    if not (target.tag or target.branch):
        if repository.head_is_detached:
            return Tip(str(repository.head.target), "")
        name = str(repository.references["HEAD"].target)
    if (reference := repository.references.get(name)) is None:
        raise KeyError(f"it has no {name}")
    commit = reference.peel(pygit2.Commit)
    return Tip(str(commit.id), "" if target.tag else name.removeprefix("refs/heads/"))


def _fix(error: Exception, path: Path) -> str:
    if "not owned by" in str(error):
        return f"git config --global --add safe.directory {path}"
    return "check the path, and the branch, tag or commit; what runs keeps running"
