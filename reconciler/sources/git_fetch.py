"""Talks to a Git server, in a process of its own, which `git_clone` starts: this file is its main program.

A process, because its end is the only deadline that a server cannot evade, and because what libgit2 trusts (home,
configuration, known hosts) can be set for a process alone. Request and reply are JSON on standard input and
output, so that no secret is ever an argument. The server's host key or certificate is checked before anything
is sent. Nothing else of this package is imported, so that it starts fast.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import pygit2
from msgspec import Struct, json
from pygit2.enums import ConfigLevel, CredentialType
from pygit2.remotes import RemoteHead

TIP = "refs/reconciler/tip"
UNSHALLOW = 0x7FFFFFFF
"""libgit2's own depth for "all that a shallow clone lacks"."""


Failure: TypeAlias = Literal["", "distrusted", "refused", "missing", "damaged", "failed"]


class FetchRequest(Struct, frozen=True):
    url: str
    directory: str
    """A bare repository, made where missing."""
    home: str
    """An empty folder, the caller's to remove: this process may be killed."""
    branch: str
    tag: str
    commit: str
    known_hosts: str
    """Lines in the format of known_hosts."""
    ssh_key: str
    ssh_passphrase: str
    username: str
    token: str
    ca_file: str
    stall_seconds: float
    """Ends a connection over which nothing comes."""


class FetchReply(Struct, frozen=True):
    """`failure` is empty where `commit` was fetched, and is at `TIP`."""

    commit: str = ""
    branch: str = ""
    failure: Failure = ""
    message: str = ""


class MissingReference(Exception):
    """The server has no such branch, tag or commit."""


class _Callbacks(pygit2.RemoteCallbacks):
    def __init__(self, request: FetchRequest) -> None:
        super().__init__()
        self._request = request
        self.distrusted = False
        self.refused = False
        self._tried = False

    def certificate_check(self, certificate: None, valid: bool, host: bytes) -> bool:
        """`valid` is libssh2's verdict with our known_hosts, or OpenSSL's."""
        self.distrusted = not valid
        return bool(valid)

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> pygit2.Username | pygit2.UserPass | pygit2.Keypair:
        """Offered once: libgit2 asks again for as long as it gets an answer."""
        request = self._request
        user = username_from_url or request.username
        if allowed_types & CredentialType.USERNAME:
            return pygit2.Username(user)
        self.refused, self._tried = self._tried, True
        if not self.refused and allowed_types & CredentialType.SSH_KEY:
            if request.ssh_key:
                return pygit2.Keypair(user, None, request.ssh_key, request.ssh_passphrase)
            if os.environ.get("SSH_AUTH_SOCK"):
                return pygit2.KeypairFromAgent(user)
        if not self.refused and allowed_types & CredentialType.USERPASS_PLAINTEXT and request.token:
            return pygit2.UserPass(user, request.token)
        self.refused = True
        raise pygit2.GitError("the server wants credentials that are not there, or did not accept them")


def fetch(request: FetchRequest) -> FetchReply:
    """Never raises for what a server can do."""
    callbacks = _Callbacks(request)
    _isolate(request, Path(request.home))
    try:
        repository = _open(Path(request.directory))
    except (pygit2.GitError, KeyError) as error:
        return FetchReply(failure="damaged", message=str(error))
    try:
        return _fetch(repository, request, callbacks)
    except MissingReference as error:
        return FetchReply(failure="missing", message=str(error))
    except (pygit2.GitError, KeyError, ValueError, OSError) as error:
        if callbacks.distrusted:
            return FetchReply(failure="distrusted", message=str(error))
        if callbacks.refused:
            return FetchReply(failure="refused", message=str(error))
        return FetchReply(failure="failed" if _sound(repository) else "damaged", message=str(error))


def _isolate(request: FetchRequest, home: Path) -> None:
    """No configuration of the user or the system: it could rewrite the URL, or trust other keys."""
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = str(home)
    pygit2.settings.homedir = str(home)
    (home / ".ssh").mkdir(0o700)
    (home / ".ssh" / "known_hosts").write_text(request.known_hosts)
    milliseconds = int(request.stall_seconds * 1000)
    pygit2.settings.server_connect_timeout = milliseconds
    pygit2.settings.server_timeout = milliseconds
    if request.ca_file:
        pygit2.settings.set_ssl_cert_locations(request.ca_file, None)


def _open(directory: Path) -> pygit2.Repository:
    if (directory / "HEAD").exists():
        return pygit2.Repository(str(directory))
    return pygit2.init_repository(str(directory), bare=True)


def _fetch(repository: pygit2.Repository, request: FetchRequest, callbacks: _Callbacks) -> FetchReply:
    if request.commit:
        return _fetch_commit(repository, request, callbacks)
    remote = repository.remotes.create_anonymous(request.url)
    remote.connect(callbacks=callbacks, proxy=True)
    heads = {head.name: head for head in remote.list_heads(connect=False)}
    name = f"refs/tags/{request.tag}" if request.tag else f"refs/heads/{request.branch}"
    if not (request.branch or request.tag):
        name = _default_branch(heads)
    if name not in heads:
        raise MissingReference(f"it has no {name}")
    known = repository.references.get(TIP)
    if known is None or known.target != heads[name].oid:
        # The first time its newest commit alone; from then on every new one, which tells a rewritten history.
        remote.fetch([f"+{name}:{TIP}"], callbacks=callbacks, depth=0 if known else 1, proxy=True)
    commit = repository.references[TIP].peel(pygit2.Commit)
    return FetchReply(str(commit.id), name.removeprefix("refs/heads/") if not request.tag else "")


def _default_branch(heads: Mapping[str | None, RemoteHead]) -> str:
    name = heads["HEAD"].symref_target if "HEAD" in heads else None
    if not name:
        raise MissingReference("it has no commit yet, or its HEAD names no branch")
    return name


def _fetch_commit(repository: pygit2.Repository, request: FetchRequest, callbacks: _Callbacks) -> FetchReply:
    """Alone, where the server gives out single commits; otherwise with everything."""
    if request.commit in repository:
        return FetchReply(request.commit)
    try:
        alone = repository.remotes.create_anonymous(request.url)
        alone.fetch([f"+{request.commit}:{TIP}"], callbacks=callbacks, depth=1, proxy=True)
    except pygit2.GitError:
        if callbacks.distrusted or callbacks.refused:
            raise
    if request.commit not in repository:
        callbacks = _Callbacks(request)
        depth = UNSHALLOW if repository.is_shallow else 0
        every = repository.remotes.create_anonymous(request.url)
        every.fetch(["+refs/*:refs/reconciler/all/*"], callbacks=callbacks, depth=depth, proxy=True)
    if request.commit not in repository:
        raise MissingReference(f"it has no commit {request.commit}")
    repository.references.create(TIP, request.commit, force=True)
    return FetchReply(request.commit)


def _sound(repository: pygit2.Repository) -> bool:
    """Whether the commit fetched last, and its tree, can still be read."""
    try:
        known = repository.references.get(TIP)
        return known is None or known.peel(pygit2.Tree) is not None
    except (pygit2.GitError, KeyError):
        return False


def main() -> None:
    request = json.decode(sys.stdin.buffer.read(), type=FetchRequest)
    sys.stdout.buffer.write(json.encode(fetch(request)))


if __name__ == "__main__":
    main()
