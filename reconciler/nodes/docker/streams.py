"""What flows through Docker's API without an end of its own: outputs in frames, and two-way ("hijacked") streams.

Used by the commands that attach to a container; a two-way stream has a channel for itself.
Formats: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

import contextlib
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import paramiko

from reconciler.nodes.errors import ConnectionLost, EngineError, OutcomeUnknown

STDOUT: Final = 1
STDERR: Final = 2
_HEADER: Final = struct.Struct(">BxxxL")
_LONGEST_FRAME: Final = 64 << 20
_LONGEST_HEAD: Final = 64 << 10
_CHUNK: Final = 32768
_ANSWER_SECONDS: Final = 15.0


class OutputChunk(NamedTuple):
    """Some bytes of one of a container's outputs."""

    stream: int
    """STDOUT or STDERR."""
    data: bytes


class Demultiplexer:
    """Cuts what Docker sends for a container without a terminal into its two outputs."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[OutputChunk]:
        """Yield what has come so far, frame by frame; a frame that is not whole waits for the next bytes.

        OutcomeUnknown for what is no frame."""
        self._rest += data
        while len(self._rest) >= _HEADER.size:
            stream, size = _HEADER.unpack_from(self._rest)
            if stream > 2 or size > _LONGEST_FRAME:
                raise OutcomeUnknown("Docker sent output without its frames; does another program answer there?")
            if len(self._rest) < _HEADER.size + size:
                return
            piece = bytes(self._rest[_HEADER.size : _HEADER.size + size])
            del self._rest[: _HEADER.size + size]
            yield OutputChunk(STDERR if stream == STDERR else STDOUT, piece)


def pieces(chunks: Iterable[bytes], *, tty: bool) -> Iterator[OutputChunk]:
    """A terminal has one output, without frames."""
    if tty:
        yield from (OutputChunk(STDOUT, chunk) for chunk in chunks)
        return
    demultiplexer = Demultiplexer()
    for chunk in chunks:
        yield from demultiplexer.feed(chunk)


class DuplexStream:
    """A stream to and from a program in a container. One thread may read while another writes."""

    def __init__(self, channel: paramiko.Channel, first: bytes) -> None:
        self._channel = channel
        self._first = first

    def chunks(self) -> Iterator[bytes]:
        """Until the program closes its outputs. ConnectionLost where the connection ends before."""
        if self._first:
            yield self._first
        while data := self._receive():
            yield data
        if not self._channel.eof_received:
            raise ConnectionLost("the connection to the host ended")

    def send(self, data: bytes) -> None:
        """ConnectionLost where nobody takes it any more."""
        try:
            self._channel.sendall(data)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectionLost(f"the connection to the host ended: {error}") from error

    def end_input(self) -> None:
        """The program reads an end of file; what it still writes is read on."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.shutdown_write()

    def close(self) -> None:
        self._channel.close()

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(_CHUNK)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectionLost(f"the connection to the host ended: {error}") from error


def hijack(channel: paramiko.Channel, path: str, body: Mapping[str, Any]) -> DuplexStream:
    """POST `body` to Docker through a fresh `dial-stdio` channel, and take the connection over.

    EngineError where Docker says no, OutcomeUnknown where it does not answer."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
        f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    try:
        channel.settimeout(_ANSWER_SECONDS)
        channel.sendall(head.encode() + content)
        status, first = _answer(channel)
        if status not in (101, 200):
            raise EngineError(status, _refusal(channel, first))
        channel.settimeout(None)
    except (OSError, EOFError, paramiko.SSHException) as error:
        channel.close()
        raise OutcomeUnknown(f"Docker did not answer: {error or 'in time'}; is dockerd running?") from error
    except BaseException:
        channel.close()
        raise
    return DuplexStream(channel, first)


def _answer(channel: paramiko.Channel) -> tuple[int, bytes]:
    """The status, and what of the stream came with the answer's head."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = channel.recv(_CHUNK)
        if not chunk or len(data) > _LONGEST_HEAD:
            raise EOFError("the connection ended before the answer did")
        data += chunk
    head, _, first = data.partition(b"\r\n\r\n")
    match = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if match is None:
        raise EOFError("that is no answer of Docker's")
    return int(match[1]), first


def _refusal(channel: paramiko.Channel, first: bytes) -> str:
    """Docker's own words from `{"message": …}`, whatever is around them."""
    data = first
    with contextlib.suppress(OSError, EOFError):
        while b"}" not in data and len(data) < _LONGEST_HEAD and (chunk := channel.recv(_CHUNK)):
            data += chunk
    match = re.search(rb"\{.*\}", data, re.DOTALL)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(match[0])["message"]) if match else ""
    return data.decode(errors="replace").strip()
