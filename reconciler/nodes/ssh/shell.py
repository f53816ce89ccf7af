"""Commands through one shell that stays open, with framed replies: 0.2 ms each, where a fresh exec costs 110 ms.

The shell runs on the host, or with another opener in a container. A command is a list; it is quoted here and
nowhere else. A reply counts only if its frame is whole: anything else has an unknown outcome, never success.
"""

import base64
import gzip
import os
import shlex
import threading
import time
import zlib
from collections.abc import Callable, Sequence

import paramiko
from msgspec import Struct

from reconciler.nodes.errors import CommandFailed, OutcomeUnknown

# Some shells keep a here-document in a file while it is read: never on a disk, for it may hold a Secret.
_SETUP = (
    "unset HISTFILE; TMPDIR=/dev/shm; "
    "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)
_CHUNK = 65536
_LONG = 16384
"""Bytes."""
_PACKED = '"$@" | gzip -1 | base64'


class CommandResult(Struct, frozen=True):
    status: int
    out: str
    err: str


class Shell:
    """A shell on a host, opened when first needed and again after a command that did not end. One command at a
    time."""

    def __init__(self, open_channel: Callable[[], paramiko.Channel], where: str) -> None:
        self._open_channel = open_channel
        self._where = where
        self._channel: paramiko.Channel | None = None
        self._count = 0
        self._lock = threading.Lock()

    def run(self, argv: Sequence[str], stdin: str | bytes | None = None, timeout: float = 5.0) -> CommandResult:
        """Run to the end, whatever its exit status.

        Raises OutcomeUnknown if no whole reply came in time, ConnectionLost if the shell could not be opened.
        """
        with self._lock:
            if self._channel is None or self._channel.closed:
                self._channel = self._open_channel()
                self._exchange(self._channel, _SETUP, argv, timeout)
            return self._exchange(self._channel, command_line(argv, stdin), argv, timeout)

    def check(self, argv: Sequence[str], stdin: str | bytes | None = None, timeout: float = 5.0) -> str:
        """`run`, and its output; CommandFailed with its own words unless it exits 0."""
        reply = self.run(argv, stdin, timeout)
        if reply.status != 0:
            raise CommandFailed(
                f"`{shlex.join(argv)[:200]}` on {self._where} exited {reply.status}: {_said(reply)}"
            )
        return reply.out

    def read(self, argv: Sequence[str], stdin: str | bytes | None = None, timeout: float = 5.0) -> str:
        """Return the output of a command that says much, compressed on its way, whatever its exit status.
        Raises as `run`."""
        reply = self.run(("sh", "-c", _PACKED, "sh", *argv), stdin, timeout)
        try:
            return gzip.decompress(base64.b64decode(reply.out)).decode(errors="replace")
        except (ValueError, OSError, EOFError, zlib.error) as error:
            said = reply.err.strip() or str(error)
            raise OutcomeUnknown(f"`{shlex.join(argv)[:200]}` on {self._where}: {said}") from error

    def script(
        self, doing: str, script: str, words: Sequence[str], stdin: bytes | None = None, timeout: float = 5.0
    ) -> str:
        """`check` of several lines of sh, in a shell of their own with these words as its arguments."""
        reply = self.run(("sh", "-c", script, doing, *words), stdin, timeout)
        if reply.status != 0:
            raise CommandFailed(f"{doing} on {self._where} failed: {_said(reply)}")
        return reply.out

    def close(self) -> None:
        if (channel := self._channel) is not None:
            channel.close()

    def _exchange(
        self, channel: paramiko.Channel, line: str, argv: Sequence[str], timeout: float
    ) -> CommandResult:
        self._count += 1
        token = f"{self._count}-{os.urandom(8).hex()}"
        deadline = time.monotonic() + timeout
        try:
            channel.settimeout(timeout)
            channel.sendall(framed(line, token).encode())
            out = _read_until(channel.recv, channel, token, deadline)
            err = _read_until(channel.recv_stderr, channel, token, deadline)
            return read_reply(out, err, token)
        except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
            # The command may still run; this shell is of no more use.
            channel.close()
            what = str(error) or f"no reply within {timeout:g} s"
            raise OutcomeUnknown(f"`{shlex.join(argv)[:200]}` on {self._where}: {what}") from error


def _said(reply: CommandResult) -> str:
    return (reply.err or reply.out).strip()[-2000:] or f"exit status {reply.status}, without a word"


def command_line(argv: Sequence[str], stdin: str | bytes | None) -> str:
    """One line (and a here-document) of sh. Input travels as base64: no byte of it means anything to the shell.

    Shells read a here-document slowly: what is long is compressed. A host that cannot undo it says so, and the
    command does not begin."""
    command = shlex.join(argv)
    if stdin is None:
        return f"{command} </dev/null"
    content = stdin.encode() if isinstance(stdin, str) else stdin
    if len(content) < _LONG:
        return f"base64 -d <<'.' | {command}\n{base64.encodebytes(content).decode()}."
    compressed = base64.encodebytes(gzip.compress(content, 1)).decode()
    return f"gzip </dev/null >/dev/null && base64 -d <<'.' | gzip -dc | {command}\n{compressed}."


def framed(line: str, token: str) -> str:
    return (
        f"printf '<{token}>'; printf '<{token}>' >&2\n"
        f"{line}\n"
        f"printf '<{token} %d>' \"$?\"; printf '<{token} 0>' >&2\n"
    )


def read_reply(out: bytes, err: bytes, token: str) -> CommandResult:
    """Inverse of `framed`; ValueError for a broken frame, or anything around it."""
    outer, inner = _unframed(out, token), _unframed(err, token)
    if outer is None or inner is None:
        raise ValueError("the reply has no whole frame around it (does a login script print something?)")
    return CommandResult(outer[1], outer[0].decode(errors="replace"), inner[0].decode(errors="replace"))


def _unframed(data: bytes, token: str) -> tuple[bytes, int] | None:
    """What is in the frame, and the number at its end; None: it is not whole."""
    begin, end = f"<{token}>".encode(), f"<{token} ".encode()
    at = data.rfind(end)
    number = data[at + len(end) : -1]
    if at < 0 or not data.startswith(begin) or not data.endswith(b">") or not number.isdigit():
        return None
    return data[len(begin) : at], int(number)


def _read_until(receive: Callable[[int], bytes], channel: paramiko.Channel, token: str, deadline: float) -> bytes:
    data = bytearray()
    end = f"<{token} ".encode()
    while data.rfind(end, max(0, len(data) - 64)) < 0 or not data.endswith(b">"):
        if (left := deadline - time.monotonic()) <= 0:
            raise ValueError("no end of its reply within the deadline")
        channel.settimeout(left)
        if not (chunk := receive(_CHUNK)):
            raise ValueError("the connection ended before its reply did")
        data += chunk
    return bytes(data)
