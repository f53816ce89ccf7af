"""Where a Git repository is and which of its commits is wanted: checked here before libgit2 hears of it."""

import re
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from pygit2 import reference_is_valid_name

from reconciler.model.failures import PlainFailure
from reconciler.model.secrets import SecretText

_SCP_FORM: Final = re.compile(r"(?:(?P<user>[\w.+-]+)@)?(?P<host>[\w][\w.-]*):(?P<path>[^/:].*)")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_USER: Final = re.compile(r"[A-Za-z0-9_][\w.+-]*")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


class BadSource(PlainFailure, ValueError):
    """What was asked for names no repository, or none that may be read; the message says what to write."""


class GitTarget(Struct, frozen=True):
    """What of a repository is wanted; at most one is set. None: the branch that HEAD names when first read."""

    branch: str = ""
    tag: str = ""
    commit: str = ""

    def __str__(self) -> str:
        return self.branch or self.tag or self.commit[:8] or "HEAD"


HEAD: Final = GitTarget()


class GitAccess(Struct, frozen=True):
    """How to know a remote, and how to be known to it. Nothing is sent before the remote is known."""

    host_key: str = ""
    """`ssh-ed25519 AAAA…`; empty: `known_hosts` decides."""
    known_hosts: str = "~/.ssh/known_hosts"
    ssh_key: str = ""
    """Path of a private key; empty: the ssh-agent."""
    ssh_passphrase: SecretText | None = None
    username: str = "git"
    token: SecretText | None = None
    """Password or access token for https."""
    ca_file: str = ""
    """Path of certificates to trust beside the system's."""


DEFAULT_ACCESS: Final = GitAccess()


class LocalAddress(Struct, frozen=True):
    path: Path

    def __str__(self) -> str:
        return str(self.path)


class RemoteAddress(Struct, frozen=True):
    url: str
    """`https://…` or `ssh://user@host:port/path`, without any secret."""
    scheme: str
    host: str
    port: int
    user: str

    def __str__(self) -> str:
        return self.url

    @property
    def known_hosts_name(self) -> str:
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


GitAddress: TypeAlias = LocalAddress | RemoteAddress


def parse_address(url: str) -> GitAddress:
    """BadSource, saying what to write, for anything but a path, `file`, `https` and `ssh`."""
    if not url or not url.isprintable() or " " in url or url.startswith("-"):
        raise BadSource(f"{url!r} is not the address of a Git repository: write a path, https://… or ssh://…")
    if "://" not in url and "::" not in url:
        if (scp := _SCP_FORM.fullmatch(url)) is None or Path(url).exists():
            return LocalAddress(Path(url).absolute())
        user, host, path = scp["user"] or "git", scp["host"], scp["path"]
        return _remote(f"ssh://{user}@{host}/{path}", url)
    if url.startswith("file:///"):
        return LocalAddress(Path(unquote(urlsplit(url).path)))
    return _remote(url, url)


def check_target(target: GitTarget) -> GitTarget:
    """BadSource for a name that could mean anything but a branch, a tag or a commit."""
    if sum(map(bool, (target.branch, target.tag, target.commit))) > 1:
        raise BadSource("branch, tag and commit exclude each other: name one of them")
    for kind, name in (("heads", target.branch), ("tags", target.tag)):
        hostile = (
            name.startswith("-") or not name.isprintable() or not reference_is_valid_name(f"refs/{kind}/x{name}")
        )
        if name and (hostile or not reference_is_valid_name(f"refs/{kind}/{name}")):
            raise BadSource(f"{name!r} cannot be the name of a branch or tag: write it as `git branch` shows it")
    if target.commit and not _COMMIT.fullmatch(target.commit):
        raise BadSource(f"{target.commit!r} is not a commit id: write all 40 hexadecimal digits, in lower case")
    return target


def check_subpath(subpath: str) -> str:
    """Return the path without slashes at its ends; BadSource for one that leads out of the repository."""
    parts = [part for part in subpath.split("/") if part not in ("", ".")]
    if ".." in parts or not subpath.isprintable() or "\\" in subpath:
        raise BadSource(f"{subpath!r} is not a path inside of the repository: write it relative to its root")
    return "/".join(parts)


def _remote(url: str, written: str) -> RemoteAddress:
    shown = re.sub(r"//[^/@]*@", "//…@", written)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadSource(f"{shown!r} is not a URL: {error}") from None
    if parts.scheme not in ("https", "ssh"):
        raise BadSource(
            f"{shown!r}: only https, ssh and file are spoken here, since others do not prove who the server is"
        )
    if parts.password is not None or (parts.scheme == "https" and parts.username):
        raise BadSource(
            f"{shown!r} holds a credential, and URLs end in logs: leave it out, and use a key or a token"
        )
    host = parts.hostname or ""
    if not _HOST.fullmatch(host if ":" not in host else f"[{host}]") or parts.path in ("", "/"):
        raise BadSource(
            f"{shown!r} does not name a host and a repository: write https://HOST/PATH or ssh://HOST/PATH"
        )
    user = parts.username or "git"
    if not _USER.fullmatch(user) or parts.query or parts.fragment:
        raise BadSource(f"{shown!r} is not the address of a repository: leave out what follows the path")
    if parts.scheme == "https":
        return RemoteAddress(url, "https", host, port or 443, "")
    bracketed = f"[{host}]" if ":" in host else host
    return RemoteAddress(f"ssh://{user}@{bracketed}:{port or 22}{parts.path}", "ssh", host, port or 22, user)
