"""Checks against real sockets on this machine."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from reconciler.prober.checks import Checker, bounded
from reconciler.prober.docker import Docker, DockerError
from reconciler.prober.specs import Handler

T = TypeVar("T")
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SERVING, NOT_SERVING = b"\0\0\0\0\2\x08\1", b"\0\0\0\0\2\x08\2"


def run(work: Awaitable[T]) -> T:
    async def limited() -> T:
        return await asyncio.wait_for(work, 10)

    return asyncio.run(limited())


@contextlib.asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def http(*answers: bytes, asked: list[bytes] | None = None) -> Answer:
    """One answer for each request, the last one over and over."""
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(request)
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def check(answer: Answer, seconds: float = 2, **action: Any) -> tuple[bool, str]:
    async def work() -> tuple[bool, str]:
        async with serving(answer) as port:
            asked = Handler(**{"type": "http", "host": "127.0.0.1", "port": port, **action})
            return await Checker(Docker("/nowhere"), "id").check(asked, seconds)

    return run(work())


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_http_from_200_to_399_is_success(status: int) -> None:
    assert check(http(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status))[0]


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_http_failures_come_with_the_status_and_what_was_said(status: int) -> None:
    passed, said = check(http(b"HTTP/1.1 %d X\r\nContent-Length: 6\r\n\r\nbroken and more" % status))
    assert (passed, said) == (False, f"HTTP probe failed with statuscode: {status}: broken")


def test_http_sends_the_manifests_headers_and_its_own() -> None:
    asked: list[bytes] = []
    headers = (("Host", "shop.example"), ("X-Probe", "yes"))
    assert check(http(b"HTTP/1.0 200 OK\r\n\r\n", asked=asked), path="/a?b=c", headers=headers)[0]
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert {"Host: shop.example", "X-Probe: yes", "Connection: close"} <= set(lines)
    assert any(line.startswith("User-Agent: kube-probe/") for line in lines)


def test_a_header_cannot_smuggle_another_line() -> None:
    passed, said = check(http(b"HTTP/1.0 200 OK\r\n\r\n"), headers=(("X", "a\r\nHost: b"),))
    assert (passed, "line break" in said) == (False, True)


def test_http_follows_redirects_on_the_host_and_no_further() -> None:
    moved = b"HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
    asked: list[bytes] = []
    assert not check(http(moved, b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", asked=asked))[0]
    assert asked[1].startswith(b"GET /there ")
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
    assert check(http(elsewhere)) == (True, "redirected to another host (http://192.0.2.1/), which is not asked")
    assert check(http(moved)) == (False, "stopped after 10 redirects")


def test_http_reads_chunks_and_no_more_than_it_must() -> None:
    chunked = b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n"
    assert check(http(chunked))[1].endswith(": bad")
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000
    assert check(http(endless))[0]


@pytest.mark.parametrize("kind", ["http", "grpc"])
@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH\r\n\r\n", b"", b"\xff" * 40])
def test_what_speaks_another_protocol_fails_and_does_not_hang(kind: str, said: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    assert check(answer, type=kind)[0] is False


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_what_never_answers_fails_in_time(kind: str) -> None:
    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    passed, said = check(answer, seconds=0.2, type=kind)
    assert (passed, said.endswith("no answer within 0.2 s")) == (False, True)


def test_tcp_asks_only_for_a_connection() -> None:
    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    assert check(answer, type="tcp") == (True, "")
    refused = Handler("tcp", host="127.0.0.1", port=1)
    assert run(Checker(Docker("/nowhere"), "id").check(refused, 2)) == (
        False,
        "tcp 127.0.0.1:1: Connection refused",
    )
    named = Handler("tcp", host="127.0.0.1", port=0)
    assert "no such port" in run(Checker(Docker("/nowhere"), "id").check(named, 2))[1]


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def grpc(*frames: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(24)
        writer.write(frame(4, 0, 0, b""))
        for one in frames:
            writer.write(one)
        await reader.read()

    return answer


def test_grpc_serving_is_success_and_everything_else_is_told() -> None:
    head = frame(1, 4, 1, b"\x88")
    assert check(grpc(head, frame(0, 0, 1, SERVING[:3]), frame(0, 0, 1, SERVING[3:])), type="grpc")[0]
    assert check(grpc(head, frame(0, 0, 1, NOT_SERVING)), type="grpc") == (
        False,
        "service unhealthy (responded with 'NOT_SERVING')",
    )
    said = check(grpc(frame(1, 5, 1, b"\x88")), type="grpc", service="shop")[1]
    assert said.startswith("it says nothing of service 'shop'")
    assert "GOAWAY" in check(grpc(frame(7, 0, 0, b"\0" * 8)), type="grpc")[1]


def test_output_is_one_bounded_line_that_no_terminal_minds() -> None:
    assert bounded("a\x1b[2Jb\n\tc\u202e") == "a [2Jb c"
    assert len(bounded("é" * 5000).encode()) <= 1024


# --- exec, through Docker -----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def engine(path: Path, answers: dict[str, bytes]) -> AsyncIterator[Docker]:
    """A Docker that says what it is told to, by the end of the request's path."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        said = next((said for end, said in answers.items() if line.endswith(end)), b"")
        if said:
            writer.write(said)
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_unix_server(answer, path)
    try:
        yield Docker(str(path))
    finally:
        server.close()


def reply(document: Any, status: int = 200) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_a_commands_output_and_exit_code_come_from_docker(tmp_path: Path) -> None:
    pieces = b"".join(
        bytes([one, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for one, text in [(1, b"a "), (2, b"b")]
    )
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n" + pieces
    answers = {"/exec": reply({"Id": "e1"}, 201), "/start": stream, "/exec/e1/json": reply({"ExitCode": 3})}

    async def work() -> tuple[bool, str]:
        async with engine(tmp_path / "s", answers) as docker:
            return await Checker(docker, "id").check(Handler("exec", ("x",)), 2)

    assert run(work()) == (False, "a b")


def test_a_command_that_hangs_is_not_run_again_beside_itself(tmp_path: Path) -> None:
    answers = {"/exec": reply({"Id": "e1"}, 201), "/exec/e1/json": reply({"Running": True, "ExitCode": None})}

    async def work() -> list[str]:
        async with engine(tmp_path / "s", answers) as docker:
            checker = Checker(docker, "id")
            return [(await checker.check(Handler("exec", ("x",)), 1.0))[1] for _ in range(2)]

    assert run(work()) == ["command: no answer within 1 s", "the command of an earlier probe has not ended yet"]


def test_a_command_that_docker_has_forgotten_is_run_again(tmp_path: Path) -> None:
    answers = {"/exec": reply({"Id": "e1"}, 201)}
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
    forgotten = reply({"message": "No such exec instance: e1"}, 404)

    async def work() -> list[tuple[bool, str]]:
        async with engine(tmp_path / "s", answers) as docker:
            checker = Checker(docker, "id")
            said = [await checker.check(Handler("exec", ("x",)), 0.5)]
            answers.update({"/exec": reply({"Id": "e2"}, 201), "/exec/e1/json": forgotten})
            answers.update({"/e2/start": stream, "/exec/e2/json": reply({"ExitCode": 0})})
            return [*said, await checker.check(Handler("exec", ("x",)), 5)]

    assert run(work()) == [(False, "command: no answer within 0.5 s"), (True, "the command exited 0")]


def test_events_are_read_in_chunks_of_any_size(tmp_path: Path) -> None:
    body = b'{"a": 1}\n{"b": 2}\n'
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    answers = {"filters=%7B%7D": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks}

    async def work() -> list[dict[str, Any]]:
        async with engine(tmp_path / "s", answers) as docker:
            return [event async for event in docker.events({})]

    assert run(work()) == [{}, {"a": 1}, {"b": 2}]


def test_dockers_own_words_are_in_its_errors(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine(tmp_path / "s", {"/json": reply({"message": "no"}, 500)}) as docker:
            await docker.inspect("x")

    with pytest.raises(DockerError, match="no"):
        run(work())
