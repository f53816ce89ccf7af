"""The bare clone of a remote repository, and the fetches into it: each with a deadline, one at a time."""

import fcntl
import gc
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import paramiko
import structlog
from msgspec import DecodeError, json

from reconciler.sources import git_fetch
from reconciler.sources.git_address import GitAccess, GitTarget, RemoteAddress
from reconciler.sources.git_fetch import Failure, FetchReply, FetchRequest

PACK_LIMIT = 50
"""Every fetch leaves a pack behind; with more of them the clone is made anew."""

_PASSED_ON = ("PATH", "LANG", "SSH_AUTH_SOCK", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY")
_FIXES: dict[Failure, str] = {
    "refused": "renew the key or the token, and check that it may read this repository",
    "missing": "restore it, or name another branch, tag or commit",
    "failed": "look at the network and the server; this is tried again",
}


class Tip(NamedTuple):
    commit: str
    branch: str
    """Empty where a tag or a commit is followed."""


class GitUnavailable(Exception):
    """The repository cannot say which commit is wanted."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why)
        self.fix = fix


class GitClone:
    """`timeout`: seconds for a whole fetch; `stall`: seconds in which nothing comes."""

    def __init__(
        self, address: RemoteAddress, access: GitAccess, cache: Path, *, timeout: float, stall: float
    ) -> None:
        self._address = address
        self._access = access
        self._timeout = timeout
        self._stall = stall
        self.path = cache / f"{hashlib.sha256(address.url.encode()).hexdigest()[:20]}.git"
        self._running: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()

    def tip(self, target: GitTarget) -> Tip:
        """Fetch what is new; GitUnavailable, within the deadline, where that does not work."""
        try:
            for folder in (self.path.parent.parent, self.path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                return self._fetched(target)
        except OSError as error:
            raise GitUnavailable(
                f"the clone {self.path}: {error.strerror or error}",
                "free disk space, or choose another cache directory",
            ) from error

    def discard(self) -> None:
        """Forget what was fetched; the next `tip` clones again.

        libgit2 keeps a pack for as long as a repository that has it is not freed, and gives it to the next one of
        the same name: what a failed read left behind in a reference cycle must not outlive the files."""
        gc.collect()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._running is not None:
                self._running.kill()

    def _fetched(self, target: GitTarget) -> Tip:
        for left_over in self.path.parent.glob(f"{self.path.stem}-*"):  # by a process that was killed
            shutil.rmtree(left_over, ignore_errors=True)
        if self.path.exists() and (why := self._unusable()):
            structlog.get_logger().warning("git clone is discarded", url=self._address.url, why=why)
            self.discard()
        if self.path.exists():
            reply = self._fetch(self.path, target)
            if reply.failure != "damaged":
                return self._answer(reply)
            structlog.get_logger().warning("git clone is discarded", url=self._address.url, why=reply.message)
        return self._clone(target)

    def _clone(self, target: GitTarget) -> Tip:
        """Elsewhere first: what is in place stays until the new clone is whole."""
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.path.stem}-", dir=self.path.parent))
        try:
            tip = self._answer(self._fetch(fresh, target))
            self.discard()
            fresh.rename(self.path)
            return tip
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _answer(self, reply: FetchReply) -> Tip:
        if reply.failure:
            if reply.failure == "distrusted":
                why, fix = distrust(self._address, self._access)
                raise GitUnavailable(f"{self._address}: {why}; no credential was sent", fix)
            said = "access was refused: " if reply.failure == "refused" else ""
            raise GitUnavailable(f"{self._address}: {said}{reply.message}", _FIXES.get(reply.failure, ""))
        return Tip(reply.commit, reply.branch)

    def _unusable(self) -> str:
        """Locks that a killed process left: nobody else is here, so nobody will remove them."""
        locks = [*self.path.glob("*.lock"), *(self.path / "refs").rglob("*.lock")]
        if locks:
            return f"{locks[0].name} was left over"
        packs = len(list((self.path / "objects" / "pack").glob("*.pack")))
        return f"it has {packs} packs" if packs > PACK_LIMIT else ""

    def _fetch(self, directory: Path, target: GitTarget) -> FetchReply:
        with tempfile.TemporaryDirectory(prefix=f"{self.path.stem}-", dir=self.path.parent) as home:
            return self._in_a_process(self._request(directory, home, target))

    def _in_a_process(self, request: FetchRequest) -> FetchReply:
        """Of its own, which ends at the deadline whatever the server does."""
        with self._lock:
            if self._closed:
                return FetchReply(failure="failed", message="closed")
            self._running = subprocess.Popen(
                [sys.executable, "-P", git_fetch.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,
            )
        with self._running as process:
            try:
                out, errors = process.communicate(json.encode(request), self._timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                return FetchReply(failure="failed", message=f"no answer within {self._timeout:g} s")
        try:
            return json.decode(out, type=FetchReply)
        except DecodeError:
            last = errors.decode(errors="replace").strip().rpartition("\n")[2]
            return FetchReply(
                failure="failed", message=f"the fetching process ended with {process.returncode}: {last}"
            )

    def _request(self, directory: Path, home: str, target: GitTarget) -> FetchRequest:
        access = self._access
        return FetchRequest(
            url=self._address.url,
            directory=str(directory),
            home=home,
            branch=target.branch,
            tag=target.tag,
            commit=target.commit,
            known_hosts=_known_hosts(self._address, access) if self._address.scheme == "ssh" else "",
            ssh_key=str(Path(access.ssh_key).expanduser()) if access.ssh_key else "",
            ssh_passphrase=access.ssh_passphrase.reveal() if access.ssh_passphrase else "",
            username=self._address.user or access.username,
            token=access.token.reveal() if access.token else "",
            ca_file=access.ca_file,
            stall_seconds=self._stall,
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time: `diff` may run beside `run`, with the same cache."""
        fd = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            deadline = time.monotonic() + self._timeout
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise GitUnavailable(
                            f"{self._address}: another process has been fetching for {self._timeout:g} s",
                            "wait for it, or choose another cache directory",
                        ) from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(fd)


def _known_hosts(address: RemoteAddress, access: GitAccess) -> str:
    """Lines of known_hosts; none where the file is missing, and then no server is trusted."""
    if access.host_key:
        return f"{address.known_hosts_name} {access.host_key}\n"
    path = Path(access.known_hosts).expanduser()
    return path.read_text(errors="replace") if path.is_file() else ""


def distrust(address: RemoteAddress, access: GitAccess) -> tuple[str, str]:
    """Why the server is not trusted, and the way out: by HTTPS its certificate, by SSH its host key."""
    if address.scheme == "https":
        where = (
            f"the authorities in {access.ca_file} have" if access.ca_file else "no authority of this machine has"
        )
        return (
            f"its certificate is not trusted: {where} signed it for {address.host}, or it has expired",
            "install the authority's certificate on this machine (update-ca-certificates), or renew the server's",
        )
    scan = f"ssh-keyscan -p {address.port} {address.host}"
    if access.host_key:
        return (
            "its host key is not the one that --git-host-key gives",
            f"if it was changed on purpose, give the new one (`{scan}` prints it); if not, somebody else answers",
        )
    if _is_listed(address, access):
        return (
            f"its host key is not the one that {access.known_hosts} has for {address.known_hosts_name}",
            "if it was changed on purpose, replace that line; if not, someone else answers there",
        )
    return (
        f"its host key is not known: {access.known_hosts} has no line for {address.known_hosts_name}",
        f"compare the fingerprint (`{scan} | ssh-keygen -lf -`) with the one that its owner publishes, then "
        f"add the key (`{scan} >> {access.known_hosts}`), or give it with --git-host-key",
    )


def _is_listed(address: RemoteAddress, access: GitAccess) -> bool:
    """Does known_hosts have any key for the server? A line that is none of a key is passed over, as ssh does."""
    known = paramiko.HostKeys()
    for line in _known_hosts(address, access).splitlines():
        with suppress(ValueError, paramiko.SSHException, paramiko.hostkeys.InvalidHostKey):
            if line.strip() and (entry := paramiko.hostkeys.HostKeyEntry.from_line(line)) is not None:
                for name in entry.hostnames or ():
                    known.add(name, entry.key.get_name(), entry.key)
    return known.lookup(address.known_hosts_name) is not None


def _environment() -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
