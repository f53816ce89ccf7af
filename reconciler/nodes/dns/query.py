"""Asks a name server of ours what it knows: a few DNS messages on one TCP connection. Called by dns/servers.py."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from reconciler.model.setups import NodeDns
from reconciler.nodes.errors import CommandFailed

PORT = 53
_A, _TXT, _INTERNET = 1, 16, 1
_RECURSION_DESIRED = 0x0100
_SECONDS = 1.0


class Stream(Protocol):
    def settimeout(self, timeout: float | None, /) -> None: ...
    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, nbytes: int, /) -> bytes: ...
    def close(self) -> None: ...


OpenStream = Callable[[str, int, float], Stream]


class ServerAnswers(Struct, frozen=True):
    """What a name server has read of the files that it was given."""

    answers: bool = False
    config: bool = False
    hosts: bool = False
    authority: bool = False
    """It has the answers from the program beside it."""


def in_force(connect: OpenStream, server: str, wanted: NodeDns) -> ServerAnswers:
    """Raises NodeError where the host, not the server, is the trouble."""
    try:
        stream = connect(server, PORT, _SECONDS)
    except CommandFailed:
        return ServerAnswers()
    own = ((wanted.config_name, _TXT), (wanted.hosts_name, _A))
    names = (*own, (wanted.answers_name, _A))
    try:
        stream.settimeout(_SECONDS)
        stream.sendall(b"".join(_question(name, kind) for name, kind in names))
        known = _known(stream, len(names))
    except OSError:
        return ServerAnswers()
    finally:
        stream.close()
    # What it has to ask the authority for may be missing, nothing else.
    return ServerAnswers(True, *known) if len(known) >= len(own) else ServerAnswers()


def _known(stream: Stream, count: int) -> list[bool]:
    """For each reply that comes."""
    known: list[bool] = []
    with suppress(OSError, EOFError):
        while len(known) < count:
            known.append(_is_known(_message(stream)))
    return known


def _question(name: str, kind: int) -> bytes:
    """With its length before it, as over TCP. Rule: RFC 1035, sections 4.1 and 4.2.2."""
    header = b"".join(word.to_bytes(2, "big") for word in (kind, _RECURSION_DESIRED, 1, 0, 0, 0))
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    message = header + labels + b"\0" + kind.to_bytes(2, "big") + _INTERNET.to_bytes(2, "big")
    return len(message).to_bytes(2, "big") + message


def _message(stream: Stream) -> bytes:
    return _exactly(stream, int.from_bytes(_exactly(stream, 2), "big"))


def _exactly(stream: Stream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (piece := stream.recv(count - len(data))):
            raise EOFError
        data += piece
    return data


def _is_known(message: bytes) -> bool:
    """No error, and an answer in it."""
    return len(message) >= 12 and not message[3] & 0x0F and message[6:8] != b"\0\0"
