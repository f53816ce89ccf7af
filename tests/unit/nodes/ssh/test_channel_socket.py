"""A time-out is a deadline for the whole reply: bytes that drip in do not extend it."""

import time

import pytest

from reconciler.nodes.ssh.channel_socket import ChannelSocket


class Dripping:
    """As much of paramiko's Channel as the socket uses: one byte every few milliseconds, for ever."""

    closed = False
    eof_received = False

    def __init__(self, pause: float = 0.01) -> None:
        self.pause = pause
        self.sent = b""

    def settimeout(self, seconds: float | None) -> None:
        self.seconds = seconds

    def recv(self, size: int) -> bytes:
        time.sleep(self.pause)
        return b"x"

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True


@pytest.mark.fault(44)
def test_a_reply_that_drips_ends_at_the_deadline() -> None:
    source = ChannelSocket(Dripping())  # type: ignore[arg-type]
    source.settimeout(0.1)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        source.makefile().read(1_000_000)
    assert time.monotonic() - began < 5


def test_without_a_deadline_it_waits_as_long_as_it_takes() -> None:
    channel = Dripping(pause=0)
    source = ChannelSocket(channel)  # type: ignore[arg-type]
    source.settimeout(None)
    assert source.makefile().read(10) == b"x" * 10
    assert channel.seconds is None


def test_the_channel_outlives_the_socket_while_a_reply_is_read() -> None:
    source = ChannelSocket(Dripping())  # type: ignore[arg-type]
    reader = source.makefile()
    source.close()
    after_the_socket = source.closed
    reader.close()
    assert (after_the_socket, source.closed) == (False, True)
