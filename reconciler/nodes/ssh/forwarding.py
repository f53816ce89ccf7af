"""Connections from this machine to a pod, through the SSH connection to its host."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Final

import paramiko

from reconciler.nodes.errors import NodeError
from reconciler.nodes.ssh.connection import SshConnection

_CONNECT_SECONDS: Final = 10.0
_WAKE_SECONDS: Final = 0.5
_CHUNK: Final = 65536


class Forwarder:
    """Listens at one address, and carries every connection that is made to it. `close` ends all of them."""

    def __init__(
        self, ssh: SshConnection, local: tuple[str, int], remote: tuple[str, int], failed: Callable[[str], None]
    ) -> None:
        """OSError where nothing can listen there. `failed` is told why a connection could not be carried."""
        self._ssh = ssh
        self._remote = remote
        self._failed = failed
        family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        self._listener = socket.create_server(local, family=family)
        self._listener.settimeout(_WAKE_SECONDS)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, name=f"forward {local[1]}", daemon=True)

    @property
    def port(self) -> int:
        """The one that was given, or for 0, one that was free."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(None)
            try:
                channel = self._ssh.connect_to(*self._remote, _CONNECT_SECONDS)
            except NodeError as error:
                self._failed(str(error))
                return
            with contextlib.closing(channel):
                upward = threading.Thread(target=_upward, args=(connection, channel), daemon=True)
                upward.start()
                _downward(channel, connection)
                upward.join()


def _upward(connection: socket.socket, channel: paramiko.Channel) -> None:
    """Until the client has no more to say; the pod may still answer."""
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := connection.recv(_CHUNK):
            channel.sendall(data)
        channel.shutdown_write()


def _downward(channel: paramiko.Channel, connection: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := channel.recv(_CHUNK):
            connection.sendall(data)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR if channel.eof_received else socket.SHUT_RDWR)
