"""The program beside dnsmasq: what it reads, what it answers over both transports, and what it never does."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.authority.__main__ import (
    AAAA,
    CNAME,
    NO_ERROR,
    NO_SUCH_NAME,
    SERVER_FAILURE,
    SRV,
    A,
    Malformed,
    NameFiles,
    Reply,
    ResourceRecord,
    answer,
    ask_of,
    framed,
    packed_name,
    packed_question,
    packed_reply,
    read_framed,
    read_name,
    read_question,
    read_reply,
    serving,
)

PORTS = "_http._tcp.db.b"
FILES = {
    "01": f"srv {PORTS} db-0.db.b 8080\nsrv {PORTS} db-1.db.b 8081\n",
    "02": "cname mail.b example.org\ncname two.b mail.b\ncname loop.b loop.b\ncname own.b web.b\n",
    "version": "version v1.answers-version.b\n",
}
ADDRESS = ResourceRecord("example.org", A, 60, bytes([192, 0, 2, 44]))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def asked(directory: Path, name: str, kind: int, said: Reply | None = None) -> tuple[Reply, list[str]]:
    """The answer, and the names that were asked for elsewhere."""
    elsewhere: list[str] = []

    def ask(name: str, kind: int) -> Reply | None:
        elsewhere.append(name)
        return said

    question = read_question(packed_question(1, name, kind))
    return answer(question, NameFiles(str(directory)), ask), elsewhere


def test_each_port_of_a_service_is_an_answer(directory: Path) -> None:
    reply, elsewhere = asked(directory, PORTS, SRV)
    assert (reply.status, elsewhere) == (NO_ERROR, [])
    assert [struct.unpack_from(">3H", one.data) for one in reply.records] == [(0, 1, 8080), (0, 1, 8081)]
    assert [read_name(one.data, 6)[0] for one in reply.records] == ["db-0.db.b", "db-1.db.b"]
    assert {one.ttl for one in reply.records} == {0}, "who keeps it would not see the next change"


def test_a_name_without_that_kind_of_record_is_no_error_and_an_unknown_one_is(directory: Path) -> None:
    assert asked(directory, PORTS, A)[0] == Reply(NO_ERROR, ())
    assert asked(directory, "_http._tcp.web.b", SRV)[0] == Reply(NO_SUCH_NAME, ())


def test_what_stands_for_another_name_has_its_address(directory: Path) -> None:
    reply, elsewhere = asked(directory, "two.b", A, Reply(NO_ERROR, (ADDRESS,)))
    assert [one.name for one in reply.records] == ["two.b", "mail.b", "example.org"]
    assert elsewhere == ["example.org"]
    assert asked(directory, "mail.b", CNAME)[1] == [], "who asks for the name itself gets just that"


def test_what_is_said_elsewhere_is_said_here(directory: Path) -> None:
    assert asked(directory, "mail.b", AAAA, Reply(NO_SUCH_NAME, ()))[0].status == NO_SUCH_NAME
    assert asked(directory, "mail.b", A)[0] == Reply(SERVER_FAILURE, ()), "nobody answers"
    assert asked(directory, "loop.b", A)[0] == Reply(SERVER_FAILURE, ()), "it leads to itself"


def test_a_file_that_is_renamed_into_the_directory_counts_at_once(directory: Path) -> None:
    names = NameFiles(str(directory))
    names.look()
    assert len(names.of(PORTS) or ()) == 2
    (directory / ".new").write_text(f"srv {PORTS} db-9.db.b 80\n")
    (directory / ".new").rename(directory / "01")
    (directory / "02").unlink()
    names.look()
    assert [read_name(one.data, 6)[0] for one in names.of(PORTS) or ()] == ["db-9.db.b"]
    assert names.of("mail.b") is None
    assert names.of("v1.answers-version.b") is not None


# --- over the wire ---------------------------------------------------------------------------------------------


@contextmanager
def served(directory: Path) -> Iterator[int]:
    """On a port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with serving("127.0.0.1", port, str(directory), [], poll=0.01):
        yield port


def by_tcp(port: int, message: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(framed(message))
        return read_framed(client)


def by_udp(port: int, message: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", port))
        client.send(b"no message")
        client.send(message)
        return client.recv(65535)


@pytest.mark.parametrize("way", [by_tcp, by_udp])
def test_it_is_asked_over_both_transports(directory: Path, way: Callable[[int, bytes], bytes]) -> None:
    with served(directory) as port:
        reply = way(port, packed_question(7, PORTS, SRV))
    number, flags, _, answers, _, _ = struct.unpack_from(">6H", reply)
    assert (number, flags & 0x0F, bool(flags & 0x8000), answers) == (7, NO_ERROR, True, 2)


def test_a_connection_takes_many_questions_and_ends_with_what_is_none(directory: Path) -> None:
    with served(directory) as port, socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(framed(packed_question(1, PORTS, SRV)) + framed(packed_question(2, "mail.b", CNAME)))
        assert [read_framed(client)[:2] for _ in range(2)] == [b"\0\1", b"\0\2"]
        client.sendall(framed(b"no message"))
        assert read_framed(client) == b""


def test_what_does_not_fit_is_asked_for_again_by_tcp(directory: Path) -> None:
    (directory / "01").write_text("".join(f"srv {PORTS} pod-{n}.db.b 80\n" for n in range(300)))
    question = packed_question(7, PORTS, SRV)
    with served(directory) as port:
        short, whole = by_udp(port, question), by_tcp(port, question)
    assert struct.unpack_from(">6H", short)[1] & 0x0200
    assert len(short) <= 512
    assert struct.unpack_from(">6H", whole)[3] == 300


def test_the_address_of_a_name_outside_is_asked_of_the_first_server_that_answers(directory: Path) -> None:
    with served(directory) as port:
        said = ask_of([("127.0.0.1", 1), ("127.0.0.1", port)], "v1.answers-version.b", A)
        assert said == Reply(NO_ERROR, (ResourceRecord("v1.answers-version.b", A, 0, bytes(4)),))
    assert ask_of([("127.0.0.1", 1)], "example.org", A) is None


def test_an_address_among_many_is_asked_for_by_tcp(directory: Path) -> None:
    names = "".join(f"cname many.b host-{n}.b\n" for n in range(100))
    (directory / "03").write_text(names)
    with served(directory) as port:
        said = ask_of([("127.0.0.1", port)], "many.b", CNAME)
    assert said is not None
    assert len(said.records) == 100


# --- messages --------------------------------------------------------------------------------------------------


def test_who_has_room_for_more_says_so() -> None:
    message = bytearray(packed_question(7, PORTS, SRV))
    message[10:12] = struct.pack(">H", 1)
    extended = bytes(message) + struct.pack(">BHHIH", 0, 41, 1232, 0, 0)
    question = read_question(extended)
    assert (question.size, question.extended, question.name, question.kind) == (1232, True, PORTS, SRV)
    assert packed_reply(question, Reply(NO_ERROR, ()), 1232)[10:12] == b"\0\1", "and is told our own room"


def test_a_name_is_found_in_any_capitals_and_said_back_in_the_same() -> None:
    question = read_question(packed_question(7, "_HTTP._tcp.Db.b", SRV))
    assert question.name == PORTS
    assert packed_name("_HTTP._tcp.Db.b") in packed_reply(question, Reply(NO_ERROR, ()), 512)


def test_a_reply_is_read_with_its_names_written_short() -> None:
    question = packed_question(1, "www.example.org", A)
    alias = b"\xc0\x0c" + struct.pack(">2HIH", CNAME, 1, 30, 2) + b"\xc0\x10"
    address = b"\xc0\x10" + struct.pack(">2HIH", A, 1, 60, 4) + ADDRESS.data
    other = b"\xc0\x10" + struct.pack(">2HIH", 46, 1, 60, 3) + b"sig"
    message = struct.pack(">6H", 1, 0x8180, 1, 3, 0, 0) + question[12:] + alias + address + other
    assert read_reply(message) == Reply(
        NO_ERROR, (ResourceRecord("www.example.org", CNAME, 30, packed_name("example.org")), ADDRESS)
    )


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    for read in (read_question, read_reply):
        with contextlib.suppress(Malformed):
            read(data)


@given(st.binary(max_size=60))
def test_a_header_with_any_bytes_behind_it_too(data: bytes) -> None:
    for flags, read in ((0x0100, read_question), (0x8180, read_reply)):
        with contextlib.suppress(Malformed):
            read(struct.pack(">6H", 1, flags, 1, 2, 0, 1) + data)
