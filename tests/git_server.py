"""A Git server over SSH for tests: paramiko in front of `git-upload-pack`, with faults on demand."""

import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED


class GitServer:
    """Serves one bare repository to one key. `logins` counts the attempts to log in, `fetches` the commands."""

    def __init__(self, repository: Path, client_key: paramiko.PKey) -> None:
        self.host_key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self.repository = repository
        self.stalls = False
        self.ends: Callable[[paramiko.Channel], None] | None = None
        """What becomes of a transfer after its first 20 kB; None: the rest of it."""
        self.logins = 0
        self.fetches = 0
        self._client_key = client_key
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"ssh://git@127.0.0.1:{self.port}{self.repository}"

    @property
    def known_host(self) -> str:
        return f"{self.host_key.get_name()} {self.host_key.get_base64()}"

    def close(self) -> None:
        """May be called again."""
        if self._socket.fileno() < 0:
            return
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        for transport in self._transports:
            transport.close()
            transport.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.host_key)
            self._transports.append(transport)
            transport.start_server(event=threading.Event(), server=_Session(self))

    def accepts(self, key: paramiko.PKey) -> bool:
        return key.get_base64() == self._client_key.get_base64()

    def serve(self, channel: paramiko.Channel) -> None:
        self.fetches += 1
        if self.stalls:
            return
        with subprocess.Popen(
            ["git", "-c", "safe.directory=*", "upload-pack", str(self.repository)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            feeding = threading.Thread(target=_feed, args=(channel, process), daemon=True)
            feeding.start()
            try:
                sent = 0
                while data := process.stdout.read(4096):
                    channel.sendall(data)
                    sent += len(data)
                    if self.ends is not None and sent > 20_000:
                        process.kill()
                        self.ends(channel)
                        return
                channel.send_exit_status(process.wait(10))
                channel.close()
            except (OSError, EOFError, paramiko.SSHException):  # a client that knows enough hangs up
                process.kill()
            feeding.join(5)


def _feed(channel: paramiko.Channel, process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    try:
        while data := channel.recv(32768):
            process.stdin.write(data)
        process.stdin.close()
    except (OSError, ValueError):  # ValueError: git was ended while more came, and its pipe is closed
        process.kill()


class _Session(paramiko.ServerInterface):
    def __init__(self, server: GitServer) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._server.logins += 1
        return AUTH_SUCCESSFUL if self._server.accepts(key) else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._server.serve, args=(channel,), daemon=True).start()
        return True
