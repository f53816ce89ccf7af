"""Asking a name server: what goes over the wire, and what is made of the reply."""

import pytest

from reconciler.model.setups import NodeDns
from reconciler.nodes.dns.query import ServerAnswers, in_force
from reconciler.nodes.errors import CommandFailed, ConnectionLost

WANTED = NodeDns("i", ("10.96.0.10", "10.96.0.11"), "", "c.v", {}, "h.v", answers_name="a.v")
KNOWN, UNKNOWN, EMPTY = (
    b"\0\x10\x85\x80\0\1\0\1\0\0\0\0",
    b"\0\1\x85\x83\0\1\0\0\0\0\0\0",
    b"\0\1\x85\x80\0\1\0\0\0\0\0\0",
)


class Wire:
    """Replies with these messages, a few bytes at a time."""

    def __init__(self, *messages: bytes) -> None:
        self.sent, self.closed = b"", False
        self._rest = b"".join(len(message).to_bytes(2, "big") + message for message in messages)

    def settimeout(self, timeout: float | None, /) -> None: ...

    def sendall(self, data: bytes, /) -> None:
        self.sent += data

    def recv(self, nbytes: int, /) -> bytes:
        piece, self._rest = self._rest[: min(nbytes, 3)], self._rest[min(nbytes, 3) :]
        return piece

    def close(self) -> None:
        self.closed = True


def ask(wire: Wire) -> ServerAnswers:
    return in_force(lambda ip, port, seconds: wire, "10.96.0.10", WANTED)


def test_all_names_are_asked_for_in_one_connection() -> None:
    wire = Wire(KNOWN, KNOWN, KNOWN)
    assert ask(wire) == ServerAnswers(True, True, True, True)
    assert b"\1c\1v\0\0\x10\0\1" in wire.sent
    assert b"\1h\1v\0\0\1\0\1" in wire.sent
    assert b"\1a\1v\0\0\1\0\1" in wire.sent
    assert wire.closed


@pytest.mark.parametrize("reply", [UNKNOWN, EMPTY])
def test_a_name_that_it_does_not_know_is_not_in_force(reply: bytes) -> None:
    assert ask(Wire(reply, KNOWN, KNOWN)) == ServerAnswers(True, config=False, hosts=True, authority=True)
    assert ask(Wire(KNOWN, reply, KNOWN)) == ServerAnswers(True, config=True, hosts=False, authority=True)
    assert ask(Wire(KNOWN, KNOWN, reply)) == ServerAnswers(True, config=True, hosts=True, authority=False)


def test_half_a_reply_is_none() -> None:
    assert ask(Wire(KNOWN)) == ServerAnswers()


def test_an_authority_that_hangs_is_not_the_servers_silence() -> None:
    wire = Wire(KNOWN, KNOWN)
    assert ask(wire) == ServerAnswers(True, config=True, hosts=True, authority=False)
    assert wire.closed


def test_a_server_that_is_not_there_is_told_from_a_host_that_is_not() -> None:
    def refused(ip: str, port: int, seconds: float) -> Wire:
        raise CommandFailed("nothing accepts")

    def lost(ip: str, port: int, seconds: float) -> Wire:
        raise ConnectionLost("cut")

    assert in_force(refused, "10.96.0.10", WANTED) == ServerAnswers()
    with pytest.raises(ConnectionLost):
        in_force(lost, "10.96.0.10", WANTED)
