"""The lease on one host, over one connection: taken, renewed and released, and proved by every channel that acts.

A connection begins as one that only looks. Once the lease is granted to it, what it opened to look with is closed,
and each channel that can change the host proves the lease on the host as it starts. A connection that has lost its
lease stays without: the session makes a new one, so nothing half done goes on over it.
"""

import threading
import time
from collections.abc import Sequence

import paramiko

from reconciler.model.leases import Claim, HostLease
from reconciler.nodes.errors import CommandFailed, ConnectionLost, Superseded
from reconciler.nodes.lease.script import lease_command, marked, read_lease
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.shell import Shell

_OPEN_SECONDS = 5.0
_ASK_SECONDS = 10.0
"""Longer than the script waits for its lock, or for the end of what it ends."""
_RENEWALS = 3
"""As often as this in the time that a lease lasts."""
_PIECE = 4096


class LeaseKeeper:
    """Used by the session's thread; `open`, `held` and `may_act` by every thread."""

    def __init__(self, ssh: SshConnection, cluster: str, node: str) -> None:
        self._ssh = ssh
        self._cluster = cluster
        self._node = node
        self._lock = threading.Lock()
        self._claim: Claim | None = None
        self._lost: Superseded | None = None
        self._resting = False
        self._opened: list[paramiko.Channel] = []
        self._renew_at = 0.0

    @property
    def held(self) -> int:
        """The epoch of the lease that this connection has; 0: none."""
        return self._claim.epoch if self._claim is not None and self._lost is None else 0

    @property
    def lost(self) -> Superseded | None:
        """Why the lease is not held any more; None: it is, or never was."""
        return self._lost

    @property
    def may_act(self) -> bool:
        return self.held > 0 and not self._resting

    def open(self, argv: Sequence[str], timeout: float = _OPEN_SECONDS) -> paramiko.Channel:
        """Start a program that may change the host, if the lease is ours there; before it was granted: to look.

        Raises Superseded where it is not ours any more, naming who has it."""
        with self._lock:
            claim, lost = self._claim, self._lost
        if lost is not None:
            raise lost
        channel = self._ssh.open(argv, timeout) if claim is None else self._proving(claim, argv, timeout)
        with self._lock:
            self._opened = [*(one for one in self._opened if not one.closed), channel]
            if self._claim is not claim or self._lost is not None:
                channel.close()
        return channel

    def take(self, claim: Claim) -> HostLease | None:
        """Ask the host for it; the lease as it is then there. `held` says whether it was granted.

        Raises NodeError."""
        self._close_all()
        answer, lease = self._ask("take", claim)
        if answer == "granted":
            with self._lock:
                self._claim, self._lost, self._resting = claim, None, False
            self._renew_at = time.monotonic() + claim.seconds / _RENEWALS
        return lease

    def keep(self, found: HostLease | None, shell: Shell) -> HostLease | None:
        """Renew the lease that is held, when it is time to; called with every heartbeat. Raises Superseded if it
        is another's.

        `found` is what the heartbeat has read; None if somebody has removed the lease: it is asked for anew.
        """
        claim = self._claim
        if claim is None or self._lost is not None:
            return found
        if found is None:
            found = self.take(claim)
        if found is None or not found.is_held_by(claim):
            raise self.lose(found, claim)
        if time.monotonic() < self._renew_at:
            return found
        answer, *lines = shell.check(lease_command("renew", self._cluster, claim)).splitlines()
        if answer != "granted":
            raise self.lose(read_lease(lines), claim)
        self._renew_at = time.monotonic() + claim.seconds / _RENEWALS
        return read_lease(lines)

    def release(self) -> HostLease | None:
        """Let go of it: another may have it at once. Nothing acts over this connection any more.

        Raises NodeError."""
        claim = self._claim
        if claim is None or self._lost is not None:
            return None
        self.lose(None, claim)
        return self._ask("release", claim)[1]

    def lose(self, lease: HostLease | None, claim: Claim | None = None) -> Superseded:
        """The host has it for another, or as good as that: whatever acts over this connection ends.

        Nothing happens where another claim than this one has been granted meanwhile."""
        superseded = Superseded(self._node, lease)
        with self._lock:
            if self._claim is not claim:
                return superseded
            self._lost = self._lost or superseded
        self._close_all()
        return superseded

    def rest(self) -> None:
        """Keep it, and begin nothing more until it is granted again."""
        self._resting = True

    # --- inside ---------------------------------------------------------------------------------------------

    def _proving(self, claim: Claim, argv: Sequence[str], timeout: float) -> paramiko.Channel:
        command = marked(self._cluster, claim, lease_command("prove", self._cluster, claim, argv))
        channel = self._ssh.open(command, timeout)
        answer = _read(channel, timeout, to_end=False).strip()
        if answer == "+":
            return channel
        rest, words = _read(channel, timeout), _read_errors(channel)
        channel.close()
        if answer == "-":
            raise self.lose(read_lease(rest.splitlines()), claim)
        raise ConnectionLost(
            f"the lease on {self._node} could not be proved: {words or answer or 'the host said nothing'}"
            " (does a login script print something?)"
        )

    def _ask(self, verb: str, claim: Claim) -> tuple[str, HostLease | None]:
        channel = self._ssh.open(lease_command(verb, self._cluster, claim))
        try:
            answer, *lines = _read(channel, _ASK_SECONDS).splitlines() or [""]
            if answer not in ("granted", "refused", "released"):
                raise CommandFailed(
                    f"the lease on {self._node} could not be had: "
                    f"{_read_errors(channel) or answer or 'the host said nothing'}"
                )
            return answer, read_lease(lines)
        finally:
            channel.close()

    def _close_all(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, []
        for channel in opened:
            channel.close()


def _read(channel: paramiko.Channel, seconds: float, to_end: bool = True) -> str:
    """All that it says until it closes, or only its first line: what follows is another reader's."""
    data = b""
    deadline = time.monotonic() + seconds
    try:
        while to_end or not data.endswith(b"\n"):
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            if not (piece := channel.recv(_PIECE if to_end else 1)):
                break
            data += piece
    except (paramiko.SSHException, OSError, EOFError) as error:
        channel.close()
        raise ConnectionLost(f"no answer about the lease within {seconds:g} s: {error}") from error
    return data.decode(errors="replace")


def _read_errors(channel: paramiko.Channel) -> str:
    try:
        channel.settimeout(0.5)
        return channel.recv_stderr(_PIECE).decode(errors="replace").strip()[-500:]
    except (paramiko.SSHException, OSError, EOFError):
        return ""
