"""Answers, by DNS, for ports of headless services (SRV) and for names that stand for others (CNAME).

    python3 -c THIS LISTEN PORT DIRECTORY SERVER…

dnsmasq hands over the names that its configuration says. What they stand for is in files of a directory, looked at
with every question: whoever renames a file into it is answered from it at once. A line is one of

    srv NAME TARGET PORT
    cname NAME TARGET
    version NAME

The address of what a name stands for is asked of SERVER, which is dnsmasq again. `version` names have the address
0.0.0.0: who finds one knows that the files which came with it are read. Rules: RFC 1035, RFC 2782, RFC 6891.
"""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Optional

A, CNAME, AAAA, SRV, OPT = 1, 5, 28, 33, 41
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION = 0x8000, 0x0400, 0x0200, 0x0180
_SMALL = 512
_OWN_SIZE = 1232
_ALIAS_TTL = 5
_LONGEST_CHAIN = 8
_SECONDS, _IDLE_SECONDS = 2.0, 30.0
_NOBODY = 65534
_FOREVER = 3600.0


class Malformed(Exception):
    """No message, or none that makes sense."""


class ResourceRecord(NamedTuple):
    name: str
    kind: int
    ttl: int
    data: bytes


class Question(NamedTuple):
    number: int
    flags: int
    name: str
    kind: int
    size: int
    """Bytes that fit into an answer by UDP."""
    extended: bool
    asked: bytes
    """The question as it came, for the reply to begin with: askers compare it, capitals included."""


class Reply(NamedTuple):
    status: int
    records: tuple[ResourceRecord, ...]


AskServers = Callable[[str, int], Optional[Reply]]
"""What a server says of a name and a kind of record; None: nothing in time."""


# --- messages ------------------------------------------------------------------------------------------------


def packed_name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read_name(message: bytes, at: int) -> tuple[str, int]:
    """The name in lower case, and where it ends."""
    labels: list[str] = []
    end = 0
    for _ in range(128):
        length = message[at]
        if length == 0:
            return ".".join(labels), end or at + 1
        if length & 0xC0 == 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", message, at)[0] & 0x3FFF
        elif length & 0xC0:
            raise Malformed
        else:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
    raise Malformed


def read_question(message: bytes) -> Question:
    try:
        number, flags, questions, _, _, additional = struct.unpack_from(">6H", message)
        if questions != 1 or flags & _RESPONSE:
            raise Malformed
        name, at = read_name(message, 12)
        kind, _ = struct.unpack_from(">2H", message, at)
        size, extended = _SMALL, False
        if additional and message[at + 4 : at + 7] == struct.pack(">BH", 0, OPT):
            size, extended = max(_SMALL, struct.unpack_from(">H", message, at + 7)[0]), True
        return Question(number, flags, name, kind, size, extended, message[12 : at + 4])
    except (IndexError, struct.error, UnicodeDecodeError):
        raise Malformed from None


def read_reply(message: bytes) -> Reply:
    """The records of the answer that are addresses, or names for one."""
    try:
        _, flags, questions, answers, _, _ = struct.unpack_from(">6H", message)
        at = 12
        for _ in range(questions):
            at = read_name(message, at)[1] + 4
        found = []
        for _ in range(answers):
            name, at = read_name(message, at)
            kind, _, ttl, length = struct.unpack_from(">2HIH", message, at)
            at += 10
            if kind == CNAME:
                found.append(ResourceRecord(name, kind, ttl, packed_name(read_name(message, at)[0])))
            elif kind in (A, AAAA):
                found.append(ResourceRecord(name, kind, ttl, message[at : at + length]))
            at += length
        return Reply(flags & 0x0F, tuple(found))
    except (IndexError, struct.error, UnicodeDecodeError):
        raise Malformed from None


def packed_question(number: int, name: str, kind: int) -> bytes:
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + packed_name(name) + struct.pack(">2H", kind, 1)


def packed_reply(question: Question, reply: Reply, size: int) -> bytes:
    """What does not fit into `size` is left out, and the reply says so: the asker comes again by TCP."""
    extension = struct.pack(">BHHIH", 0, OPT, _OWN_SIZE, 0, 0) if question.extended else b""
    body = b"".join(
        packed_name(one.name) + struct.pack(">2HIH", one.kind, 1, one.ttl, len(one.data)) + one.data
        for one in reply.records
    )
    count, flags = len(reply.records), _RESPONSE | _AUTHORITATIVE | (question.flags & _RECURSION) | reply.status
    if 12 + len(question.asked) + len(body) + len(extension) > size:
        body, count, flags = b"", 0, flags | _TRUNCATED
    header = struct.pack(">6H", question.number, flags, 1, count, 0, 1 if extension else 0)
    return header + question.asked + body + extension


# --- what names stand for ------------------------------------------------------------------------------------


class NameFiles:
    """What the files say now. May be shared between threads: what a look finds replaces what was known as one."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._files: dict[str, tuple[object, dict[str, list[ResourceRecord]]]] = {}

    def of(self, name: str) -> list[ResourceRecord] | None:
        """Return the records of a name; None if no file has it."""
        found: list[ResourceRecord] = []
        known = False
        for _, records in self._files.values():
            if name in records:
                known = True
                found += records[name]
        return found if known else None

    def look(self) -> None:
        seen = {}
        try:
            for entry in os.scandir(self._directory):
                stat = entry.stat()
                mark = stat.st_mtime_ns, stat.st_ino, stat.st_size
                before = self._files.get(entry.name)
                seen[entry.name] = before if before and before[0] == mark else (mark, read_records(entry.path))
        except OSError:
            return  # Renamed at this moment: the next question finds what is there.
        self._files = seen


def read_records(path: str) -> dict[str, list[ResourceRecord]]:
    found: dict[str, list[ResourceRecord]] = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["srv"]:
                _, name, target, port = words
                made = ResourceRecord(name, SRV, 0, struct.pack(">3H", 0, 1, int(port)) + packed_name(target))
            elif words[:1] == ["cname"]:
                made = ResourceRecord(words[1], CNAME, _ALIAS_TTL, packed_name(words[2]))
            else:
                made = ResourceRecord(words[1], A, 0, bytes(4))
            found.setdefault(made.name, []).append(made)
    return found


def answer(question: Question, names: NameFiles, ask: AskServers) -> Reply:
    names.look()
    chain: list[ResourceRecord] = []
    name, found = question.name, names.of(question.name)
    if found is None:
        return Reply(NO_SUCH_NAME, ())
    while found and found[0].kind == CNAME and question.kind != CNAME:
        chain.append(found[0])
        name = read_name(found[0].data, 0)[0]
        found = names.of(name)
        if len(chain) > _LONGEST_CHAIN:
            return Reply(SERVER_FAILURE, ())
    if found is not None:
        return Reply(NO_ERROR, (*chain, *(one for one in found if one.kind == question.kind)))
    said = ask(name, question.kind)
    if said is None:
        return Reply(SERVER_FAILURE, ())
    return Reply(said.status, (*chain, *said.records))


# --- the network: a thread for each question -----------------------------------------------------------------

Respond = Callable[[Question], Reply]


class _Datagrams(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535
    answer: Respond


class _Datagram(socketserver.BaseRequestHandler):
    server: _Datagrams

    def handle(self) -> None:
        data, out = self.request
        try:
            question = read_question(data)
        except Malformed:
            return
        out.sendto(packed_reply(question, self.server.answer(question), question.size), self.client_address)


class _Streams(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    answer: Respond


class _Stream(socketserver.BaseRequestHandler):
    server: _Streams

    def handle(self) -> None:
        """Each message has its length before it; a client may ask many."""
        self.request.settimeout(_IDLE_SECONDS)
        try:
            while message := read_framed(self.request):
                question = read_question(message)
                self.request.sendall(framed(packed_reply(question, self.server.answer(question), 65535)))
        except (OSError, Malformed):
            return


def framed(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def read_framed(stream: socket.socket) -> bytes:
    """One message; empty: there is none any more. Malformed: it is cut off."""
    head = _exactly(stream, 2)
    return _exactly(stream, struct.unpack(">H", head)[0], begun=True) if head else b""


def _exactly(stream: socket.socket, count: int, begun: bool = False) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece and (data or begun):
            raise Malformed
        if not piece:
            return b""
        data += piece
    return data


def ask_of(servers: Sequence[tuple[str, int]], name: str, kind: int) -> Reply | None:
    """Ask the servers for a name, each one only if the one before does not answer.

    By UDP first, for dnsmasq serves few by TCP at a time; by TCP what does not fit.
    """
    question = packed_question(int.from_bytes(os.urandom(2), "big"), name, kind)
    for server in servers:
        try:
            return read_reply(_by_datagram(server, question) or _by_stream(server, question))
        except (OSError, Malformed):
            continue
    return None


def _by_datagram(server: tuple[str, int], question: bytes) -> bytes:
    """The message; empty: it does not fit."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.settimeout(_SECONDS)
        way.connect(server)
        way.send(question)
        message = way.recv(65535)
    if len(message) < 12 or message[:2] != question[:2]:
        raise Malformed
    return b"" if struct.unpack_from(">H", message, 2)[0] & _TRUNCATED else message


def _by_stream(server: tuple[str, int], question: bytes) -> bytes:
    with socket.create_connection(server, _SECONDS) as stream:
        stream.sendall(framed(question))
        return read_framed(stream)


@contextmanager
def serving(
    listen: str, port: int, directory: str, servers: Sequence[tuple[str, int]], poll: float = _FOREVER
) -> Iterator[None]:
    """`poll`: how many seconds the end may take."""
    names = NameFiles(directory)

    def answer_of(question: Question) -> Reply:
        return answer(question, names, lambda name, kind: ask_of(servers, name, kind))

    with _Datagrams((listen, port), _Datagram) as datagrams, _Streams((listen, port), _Stream) as streams:
        datagrams.answer = streams.answer = answer_of
        for server in (datagrams, streams):
            threading.Thread(target=server.serve_forever, args=(poll,), daemon=True).start()
        try:
            yield
        finally:
            datagrams.shutdown()
            streams.shutdown()


def main(listen: str, port: str, directory: str, *servers: str) -> None:
    """Until a signal ends it."""
    if os.getuid() == 0:
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    with serving(listen, int(port), directory, [(server, 53) for server in servers]):
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
