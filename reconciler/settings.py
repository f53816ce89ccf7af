"""What is set outside the manifests, by flags and `RECONCILER_*` variables: where state is, which keys to use."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from reconciler.model.secrets import SecretText


class SourceSettings(Struct, frozen=True):
    """A folder, or a Git repository; exactly one of `folder` and `git_url` is set."""

    folder: Path | None = None
    git_url: str = ""
    branch: str = ""
    tag: str = ""
    commit: str = ""
    subpath: str = ""
    poll_seconds: float = 10.0
    git_key: Path | None = None
    """Private key for a repository over ssh; None: the agent's."""
    git_host_key: str = ""
    """`ssh-ed25519 AAAA…` of the Git server; empty: known_hosts decides."""
    git_token: SecretText | None = None
    """Password or access token for a repository over https; from RECONCILER_GIT_TOKEN, never from an argument."""


class Settings(Struct, frozen=True):
    state_dir: Path
    """The store and the clones; 0700."""
    ssh_keys: tuple[Path, ...] = ()
    """Empty: the user's agent and ~/.ssh/id_*."""
    known_hosts: Path | None = None
    """The file with the keys of hosts that are not pinned in their Node manifest."""
    take_over: bool = False
    """Whether the leases are taken from another reconciler that leads the cluster."""


class Listen(Struct, frozen=True):
    """Where a server of ours is reached."""

    address: str
    port: int


def default_state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "reconciler"


def default_known_hosts() -> Path:
    return Path.home() / ".ssh" / "known_hosts"


def git_token() -> SecretText | None:
    token = os.environ.get("RECONCILER_GIT_TOKEN")
    return SecretText(token) if token else None
