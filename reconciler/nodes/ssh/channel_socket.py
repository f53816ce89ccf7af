"""A channel of the SSH connection as a socket: what Docker's API and the hooks of pods speak HTTP through."""

import io
import time
from collections.abc import Callable
from typing import Any

import paramiko


class ChannelSocket:
    """A channel with as much of a socket as http.client asks for. `settimeout` sets a deadline for all that
    follows.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._deadline: float | None = None
        self._readers = 0
        self._closing = False

    def settimeout(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def sendall(self, data: bytes) -> None:
        self._channel.settimeout(self._left())
        self._channel.sendall(data)

    def receive(self, size: int) -> bytes:
        self._channel.settimeout(self._left())
        return self._channel.recv(size)

    def makefile(self, _mode: str = "rb", *_: object, **__: object) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(ReceivingReader(self.receive, self._reader_closed), 65536)

    def close(self) -> None:
        self._closing = True
        if self._readers == 0:
            self._channel.close()

    def _reader_closed(self) -> None:
        self._readers -= 1
        if self._closing:
            self.close()

    @property
    def closed(self) -> bool:
        return bool(self._channel.closed or self._channel.eof_received)

    def _left(self) -> float | None:
        if self._deadline is None:
            return None
        if (left := self._deadline - time.monotonic()) <= 0:
            raise TimeoutError("timed out")
        return left


class ReceivingReader(io.RawIOBase):
    """Reads what something receives, as a file does; `on_close` is called when nobody reads any more."""

    def __init__(self, receive: Callable[[int], bytes], on_close: Callable[[], None] = lambda: None) -> None:
        self._receive = receive
        self._on_close = on_close

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._on_close()
