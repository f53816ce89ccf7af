"""Frames of a container's outputs, however they arrive; and taking a connection over."""

import struct
from collections.abc import Sequence
from typing import Any, cast

import paramiko
import pytest

from reconciler.nodes.docker.streams import STDERR, STDOUT, Demultiplexer, OutputChunk, hijack, pieces
from reconciler.nodes.errors import ConnectionLost, EngineError, OutcomeUnknown


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


WHOLE = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"")
EXPECTED = [OutputChunk(STDOUT, b"out\n"), OutputChunk(STDERR, b"err\n"), OutputChunk(STDOUT, b"")]


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_frames_are_whole_however_they_arrive(size: int) -> None:
    chunks = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
    assert list(pieces(chunks, tty=False)) == EXPECTED


def test_a_terminal_has_no_frames() -> None:
    assert list(pieces([b"a\r\n", b"b"], tty=True)) == [OutputChunk(STDOUT, b"a\r\n"), OutputChunk(STDOUT, b"b")]


def test_what_is_no_frame_is_not_shown() -> None:
    with pytest.raises(OutcomeUnknown):
        list(Demultiplexer().feed(b"HTTP/1.1 400 Bad Request"))


class Channel:
    """Answers with these chunks, then ends as it is told."""

    def __init__(self, chunks: Sequence[bytes], *, ends: bool = True) -> None:
        self.sent = b""
        self.closed = False
        self.eof_received = ends
        self._chunks = list(chunks)

    def settimeout(self, seconds: float | None) -> None: ...

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def recv(self, size: int) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""

    def close(self) -> None:
        self.closed = True


def taken_over(channel: Channel) -> Any:
    return hijack(cast(paramiko.Channel, channel), "/v1.41/exec/x/start", {"Tty": False})


def test_what_comes_with_the_answer_is_part_of_the_stream() -> None:
    channel = Channel([b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tc", b"p\r\n\r\nfirst", b"second"])
    assert list(taken_over(channel).chunks()) == [b"first", b"second"]
    assert channel.sent.endswith(b'\r\n\r\n{"Tty": false}')


def test_a_stream_that_breaks_off_has_not_ended() -> None:
    stream = taken_over(Channel([b"HTTP/1.1 101 UPGRADED\r\n\r\n"], ends=False))
    with pytest.raises(ConnectionLost):
        list(stream.chunks())


def test_a_refusal_has_dockers_own_words() -> None:
    channel = Channel([b"HTTP/1.1 409 Conflict\r\n\r\n", b'{"message":"Container x is not', b' running"}\n'])
    with pytest.raises(EngineError, match="Container x is not running") as refused:
        taken_over(channel)
    assert refused.value.status == 409
    assert channel.closed


@pytest.mark.parametrize("chunks", [[], [b"garbage\r\n\r\n"]])
def test_no_answer_is_no_success(chunks: list[bytes]) -> None:
    with pytest.raises(OutcomeUnknown):
        taken_over(Channel(chunks))
