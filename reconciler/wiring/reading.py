"""What a source and the state directory hold, for commands that have no loop; no host is contacted."""

from __future__ import annotations

from pathlib import Path

from reconciler.control.ports import Source
from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.desired import Desired, Rejected, SourceSnapshot, Unavailable
from reconciler.model.memory import Memory
from reconciler.settings import Settings, SourceSettings
from reconciler.sources.folder import FolderSource
from reconciler.stores import has_state, open_reader


def open_source(wanted: SourceSettings, settings: Settings) -> Source:
    if wanted.folder is not None:
        return FolderSource(wanted.folder)
    from reconciler.sources.git import GitSource  # with libgit2 and SSH, which a folder does not need
    from reconciler.sources.git_address import GitAccess, GitTarget

    access = GitAccess(
        host_key=wanted.git_host_key,
        known_hosts=str(settings.known_hosts or ""),
        ssh_key=str(wanted.git_key or ""),
        token=wanted.git_token,
    )
    return GitSource(
        wanted.git_url,
        GitTarget(wanted.branch, wanted.tag, wanted.commit),
        subpath=wanted.subpath,
        access=access,
        cache=settings.state_dir / "git",
        poll=wanted.poll_seconds,
    )


def read_once(wanted: SourceSettings, settings: Settings) -> Desired | Rejected | Unavailable:
    """The source as it is now, for commands that have no loop."""
    source = open_source(wanted, settings)
    try:
        read = source.read()
    finally:
        source.close()
    return Loader(ADMITTED).load(read) if isinstance(read, SourceSnapshot) else read


def folder_in_repository(wanted: SourceSettings) -> str:
    """What leads from the repository's root to the manifests, for reports that others show beside its files."""
    if wanted.folder is None:
        return wanted.subpath
    from reconciler.sources.git_local import path_in_repository

    return path_in_repository(wanted.folder)


def in_force_at(wanted: SourceSettings, base: str, settings: Settings) -> Desired | Rejected | Unavailable:
    """The revision that `base` names in the repository around the source, for a `diff` that has no state.

    BadSource where the source is not on this machine, or has no such commit.
    """
    from reconciler.sources.git_address import BadSource
    from reconciler.sources.git_local import commit_around

    if "://" in wanted.git_url:
        raise BadSource("--base needs the repository on this machine: give a folder of a checkout")
    folder = wanted.folder or Path(wanted.git_url) / wanted.subpath
    around = commit_around(folder, base)
    pinned = SourceSettings(git_url=str(around.root), commit=around.commit, subpath=around.subpath)
    return read_once(pinned, settings)


def remembered(settings: Settings) -> Memory:
    """What the store holds, read without its lock; an empty memory where there is no store yet."""
    if not has_state(settings.state_dir):
        return Memory()
    with open_reader(settings.state_dir) as reader:
        return reader.memory()


def kept_revision(settings: Settings) -> Desired | None:
    """The last good revision as the store has it, read without its lock."""
    if not has_state(settings.state_dir):
        return None
    with open_reader(settings.state_dir) as reader:
        snapshot = reader.last_revision()
    read = Loader(ADMITTED).load(snapshot) if snapshot is not None else None
    return read if isinstance(read, Desired) else None
