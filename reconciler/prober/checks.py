"""One check of one container, by the four kinds of actions. The caller sets the deadline by cancelling."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl

from reconciler.prober.docker import Docker, DockerError
from reconciler.prober.grpc import check_grpc
from reconciler.prober.http import check_http
from reconciler.prober.processes import end, uptime
from reconciler.prober.specs import Handler

_MOST_OUTPUT = 1024
"""Bytes of UTF-8."""
_END_SECONDS = 2.0
"""What Docker has to tell of a command that is to be ended; then its next probe tries again."""


class Checker:
    """The checks of one container's probe. A command that takes too long is ended, and all that it has started."""

    def __init__(self, docker: Docker, container: str) -> None:
        self._docker = docker
        self._container = container
        self._running = ""
        """The exec under way, or that was when its deadline came."""
        self._begun = 0.0

    async def check(self, action: Handler, seconds: float) -> tuple[bool, str]:
        """Did it succeed, and what was said: bounded, on one line."""
        try:
            passed, said = await asyncio.wait_for(self._check(action), seconds)
        except asyncio.TimeoutError:
            await self._end_command()
            return False, f"{_what(action)}: no answer within {seconds:g} s"
        except ssl.SSLError as error:
            return False, bounded(f"{_what(action)}: TLS: {error.reason or error}")
        except OSError as error:
            # asyncio's own words for an address that refuses are not the system's.
            number = error.errno or 0
            return False, bounded(f"{_what(action)}: {os.strerror(number) if number > 0 else error}")
        except asyncio.IncompleteReadError:
            return False, f"{_what(action)}: the connection ended before the answer"
        except (EOFError, ValueError, asyncio.LimitOverrunError, DockerError) as error:
            return False, bounded(f"{_what(action)}: {error}")
        return passed, bounded(said)

    async def _check(self, action: Handler) -> tuple[bool, str]:
        if action.type == "exec":
            return await self._execute(action)
        if action.type == "http":
            return await check_http(action)
        if action.type == "grpc":
            return await check_grpc(action)
        if action.type == "tcp":
            _, writer = await asyncio.open_connection(action.host, _port(action))
            writer.close()
            return True, ""
        await asyncio.sleep(action.seconds)
        return True, ""

    async def _execute(self, action: Handler) -> tuple[bool, str]:
        # Another one beside one that cannot be ended would fill the container.
        if self._running and not await self._has_ended(self._running):
            return False, "the command of an earlier probe has not ended yet"
        self._begun = uptime()
        self._running = await self._docker.begin_exec(self._container, action.command)
        code, said = await self._docker.run_exec(self._running, _MOST_OUTPUT)
        self._running = ""
        text = said.decode(errors="replace").strip()
        return code == 0, text or f"the command exited {code}"

    async def _end_command(self) -> None:
        """Tried again before the next one where it does not end now."""
        if self._running:
            with contextlib.suppress(DockerError, asyncio.TimeoutError):
                await asyncio.wait_for(self._has_ended(self._running), _END_SECONDS)

    async def _has_ended(self, exec_id: str) -> bool:
        """It is told to, where it has not."""
        try:
            state = await self._docker.exec_state(exec_id)
        except DockerError as error:
            # Docker forgets what has ended, and with a restart of its own everything.
            if error.status != 404:
                raise
            return True
        if state.get("Running"):
            end(int(state.get("Pid") or 0), str(state.get("ContainerID") or self._container), self._begun)
        return not state.get("Running")


def bounded(text: str) -> str:
    """Cut a text to 1 kB, and take out what moves a terminal's cursor."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * _MOST_OUTPUT]).split())
    return line.encode(errors="replace")[: _MOST_OUTPUT - 64].decode(errors="ignore")


def _port(action: Handler) -> int:
    if not 1 <= action.port <= 65535:
        raise ValueError("the container has no such port")
    return action.port


def _what(action: Handler) -> str:
    if action.type == "exec":
        return "command"
    if action.type == "http":
        return f"Get {action.scheme}://{action.host}:{action.port}{action.path}"
    return f"{action.type} {action.host}:{action.port}"
