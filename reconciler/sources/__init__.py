"""Where revisions come from: a folder, or a Git branch, tag or commit. Both implement `control.ports.Source`."""

from reconciler.sources.folder import FolderSource
from reconciler.sources.git import GitSource
from reconciler.sources.git_address import GitAccess, GitTarget
from reconciler.sources.git_local import commit_around

__all__ = ["FolderSource", "GitAccess", "GitSource", "GitTarget", "commit_around"]
