"""As much of Docker's API as the prober needs, over its socket: one connection for each call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

_CALL_SECONDS = 10.0
_START_SECONDS = 120.0
_MOST_BYTES = 8 << 20
_LINE_BYTES = 1 << 20


class DockerError(Exception):
    """Docker said no, or nothing; `status` is HTTP's, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Docker:
    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def inspect(self, container: str) -> dict[str, Any] | None:
        """Ask Docker for a container; None if there is no such container."""
        try:
            found: dict[str, Any] = await self._call("GET", f"/containers/{quote(container)}/json")
        except DockerError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def start(self, container: str) -> None:
        """One that runs already stays as it is."""
        await self._call("POST", f"/containers/{quote(container)}/start", seconds=_START_SECONDS)

    async def wait(self, container: str, seconds: float) -> int:
        """Its exit code, once it does not run. Raises DockerError after so many seconds."""
        ended = await self._call("POST", f"/containers/{quote(container)}/wait", seconds=seconds)
        return int(ended["StatusCode"])

    async def restart_by_itself(self, container: str, policy: str) -> None:
        """`policy`: Docker's name of it."""
        await self._call("POST", f"/containers/{quote(container)}/update", {"RestartPolicy": {"Name": policy}})

    async def restart(self, container: str, grace: float) -> None:
        path = f"/containers/{quote(container)}/restart?t={int(grace)}"
        await self._call("POST", path, seconds=grace + 60)

    async def stop(self, container: str, grace: float) -> None:
        await self._call("POST", f"/containers/{quote(container)}/stop?t={int(grace)}", seconds=grace + 60)

    async def begin_exec(self, container: str, command: tuple[str, ...]) -> str:
        """The id of a command that `run_exec` runs."""
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        made = await self._call("POST", f"/containers/{quote(container)}/exec", body)
        return str(made["Id"])

    async def run_exec(self, exec_id: str, most: int) -> tuple[int, bytes]:
        """Its exit code and the first `most` bytes it wrote. The caller sets the deadline.

        Docker cannot end a command that it runs in a container: one that hangs goes on after that."""
        path = f"/exec/{quote(exec_id)}/start"
        reader, writer = await self._send("POST", path, {"Detach": False, "Tty": False})
        try:
            status, headers = await _head(reader)
            if status not in (101, 200):
                raise DockerError(_complaint(await _body(reader, headers)), status)
            said = await _demultiplexed(_chunks(reader, headers), most)
        finally:
            writer.close()
        ended = await self.exec_state(exec_id)
        return int(ended.get("ExitCode") or 0), said

    async def exec_state(self, exec_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self._call("GET", f"/exec/{quote(exec_id)}/json")
        return found

    async def events(self, filters: dict[str, list[str]]) -> AsyncIterator[dict[str, Any]]:
        """An empty one first, as soon as Docker listens; then every event, until it ends the stream."""
        reader, writer = await asyncio.wait_for(
            self._send("GET", f"/events?filters={quote(json.dumps(filters))}"), _CALL_SECONDS
        )
        try:
            status, headers = await asyncio.wait_for(_head(reader), _CALL_SECONDS)
            if status != 200:
                raise DockerError(_complaint(await _body(reader, headers)), status)
            yield {}
            rest = b""
            async for chunk in _chunks(reader, headers):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
        except (OSError, EOFError, ValueError) as error:
            raise DockerError(f"the stream of events broke: {error}") from error
        finally:
            writer.close()

    async def _call(self, method: str, path: str, body: Any = None, seconds: float = _CALL_SECONDS) -> Any:
        try:
            status, answer = await asyncio.wait_for(self._exchange(method, path, body), seconds)
        except asyncio.TimeoutError as error:
            raise DockerError(f"Docker did not answer within {seconds:g} s") from error
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise DockerError(f"Docker does not answer: {error}") from error
        if status >= 400:
            raise DockerError(_complaint(answer), status)
        return json.loads(answer) if answer.strip() else None

    async def _exchange(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        reader, writer = await self._send(method, path, body)
        try:
            status, headers = await _head(reader)
            return status, (b"" if status in (204, 304) else await _body(reader, headers))
        finally:
            writer.close()

    async def _send(
        self, method: str, path: str, body: Any = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket, limit=_LINE_BYTES)
        except OSError as error:
            raise DockerError(f"Docker does not answer: {error}") from error
        sent = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        writer.write(head.encode() + sent)
        return reader, writer


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(lines[0].split()[1]), headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    data = b""
    async for chunk in _chunks(reader, headers):
        data += chunk
        if len(data) > _MOST_BYTES:
            raise ValueError("an answer of more than 8 MiB")
    return data


async def _chunks(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while chunk := await reader.read(65536):
            yield chunk


async def _demultiplexed(chunks: AsyncIterator[bytes], most: int) -> bytes:
    """Standard output and error, as they come, without the eight bytes in front of each piece.

    All of it is read: a command that nobody reads from would wait."""
    kept, rest = b"", b""
    async for chunk in chunks:
        rest += chunk
        while len(rest) >= 8 and len(rest) >= 8 + (size := int.from_bytes(rest[4:8], "big")):
            kept = (kept + rest[8 : 8 + size])[:most]
            rest = rest[8 + size :]
    return kept


def _complaint(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:500].decode(errors="replace")
