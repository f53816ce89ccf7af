"""What is done after a container's start and before its stop: a program in it, a URL asked for, a while waited.

Rules: https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/ (as there, any answer to an HTTP
hook will do, whatever its status).
"""

import http.client
import shlex
import threading
import time
from collections.abc import Callable
from typing import Final

import paramiko

from reconciler.model.probes import GetUrl, Hook, RunCommand, Wait
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.docker.plain_text import plain
from reconciler.nodes.docker.streams import pieces
from reconciler.nodes.errors import EngineError, NodeError, OutcomeUnknown
from reconciler.nodes.pods.http_tls import TlsSocket
from reconciler.nodes.ssh.channel_socket import ChannelSocket

_CONNECT_SECONDS: Final = 5.0
_ATTACHED: Final = 2
"""How many programs may keep one of the few channels to Docker, for their output; others run without."""
_OUTPUT: Final = 1000
_READ: Final = 1 << 20
_LOOK_AGAIN_SECONDS: Final = (0.02, 1.0)

ConnectByHost = Callable[[str, int, float], paramiko.Channel]
"""(address, port, seconds) -> a TCP connection from the host's side."""
HasEnded = Callable[[str, float], bool]
"""(container id, seconds) -> whether the container ended within that time; it waits so long at most."""


class HookFailed(NodeError):
    """A hook did not succeed in its time; the message says what it was, and its own words."""


class Hooks:
    """Runs the lifecycle hooks of containers on one host."""

    def __init__(self, engine: Engine, connect: ConnectByHost, ended: HasEnded) -> None:
        self._engine = engine
        self._connect = connect
        self._ended = ended
        self._attached = threading.BoundedSemaphore(_ATTACHED)

    def run(self, hook: Hook, container_id: str, seconds: float) -> None:
        """Raises HookFailed where it fails or takes longer, other NodeErrors where the host is at fault."""
        match hook:
            case RunCommand(command=command):
                self._run_command(command, container_id, seconds)
            case GetUrl():
                self._get(hook, seconds)
            case Wait(seconds=wanted):
                self._ended(container_id, min(float(wanted), seconds))

    def _run_command(self, command: tuple[str, ...], container_id: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        shown = f"`{shlex.join(command)[:200]}`"
        attached = self._attached.acquire(blocking=False)
        try:
            with engine_errors("exec"):
                made = str(self._engine.exec_create(container_id, list(command))["Id"])
            output = self._start(made, seconds, attached)
        except OutcomeUnknown:
            if time.monotonic() < deadline:
                raise
            raise HookFailed(f"{shown} did not end within {seconds:g} s") from None
        except EngineError as error:
            raise HookFailed(f"{shown} could not be run: {error.message}") from error
        finally:
            if attached:
                self._attached.release()
        code = self._exit_code(made, container_id, deadline)
        if code is None:
            raise HookFailed(f"{shown} did not end within {seconds:g} s")
        if code != 0:
            said = plain(b"".join(piece.data for piece in pieces([output], tty=False)), _OUTPUT)
            raise HookFailed(f"{shown} exited {code}{f': {said}' if said else ''}")

    def _start(self, exec_id: str, seconds: float, attached: bool) -> bytes:
        with engine_errors("exec"):
            if attached:
                return self._engine.exec_output(exec_id, seconds, _READ)
            self._engine.exec_start(exec_id, detach=True)
            return b""

    def _exit_code(self, exec_id: str, container_id: str, deadline: float) -> int | None:
        """None: it runs on after the deadline."""
        pause, longest = _LOOK_AGAIN_SECONDS
        while True:
            with engine_errors("exec"):
                known = self._engine.exec_inspect(exec_id)
            if not known.get("Running") and known.get("ExitCode") is not None:
                return int(known["ExitCode"])
            if (left := deadline - time.monotonic()) <= 0:
                return None
            self._ended(container_id, min(pause, left))
            pause = min(pause * 2, longest)

    def _get(self, hook: GetUrl, seconds: float) -> None:
        where = f"{hook.scheme}://{hook.host}:{hook.port}{hook.path}"
        try:
            channel = self._connect(hook.host, hook.port, min(seconds, _CONNECT_SECONDS))
        except NodeError as error:
            raise HookFailed(f"GET {where}: {error}") from error
        try:
            plain_socket = ChannelSocket(channel)
            plain_socket.settimeout(seconds)
            connection = http.client.HTTPConnection(hook.host, hook.port)
            connection.sock = TlsSocket(plain_socket, hook.host) if hook.scheme == "https" else plain_socket
            headers = {"User-Agent": "reconciler", "Connection": "close", **dict(hook.headers)}
            connection.request("GET", hook.path or "/", headers=headers)
            connection.getresponse().read(1)
        except (http.client.HTTPException, OSError, EOFError, ValueError, paramiko.SSHException) as error:
            raise HookFailed(f"GET {where}: {error or type(error).__name__}") from error
        finally:
            channel.close()
