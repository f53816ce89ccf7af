"""Where revisions come from: a folder, or a Git branch, tag or commit. Both implement `control.ports.Source`."""

from reconciler.sources.folder import FolderSource
from reconciler.sources.git import GitSource
from reconciler.sources.git_address import BadSource, GitAccess, GitTarget
from reconciler.sources.git_local import commit_around, path_in_repository

__all__ = [
    "BadSource",
    "FolderSource",
    "GitAccess",
    "GitSource",
    "GitTarget",
    "commit_around",
    "path_in_repository",
]
