"""Whatever answers at a host's address, connecting ends within its time and says what is wrong."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import paramiko
import pytest
from paramiko.common import AUTH_FAILED

from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.api.meta import ObjectMeta
from reconciler.nodes.errors import ConnectionLost, HostRefused
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.login import Credentials

SECONDS = 0.5


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[Node]:
    """Something that listens like sshd, and behaves like this to each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                behave(connection)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Node(ObjectMeta("node-1"), SshAddress("root", "127.0.0.1", listener.getsockname()[1]))
    finally:
        thread.join(10)
        listener.close()


def silent(connection: socket.socket) -> None:
    while connection.recv(1024):
        pass


def dripping(connection: socket.socket) -> None:
    for byte in b"SSH-2.0-slow" * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def chatting(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")
        time.sleep(0.05)


def closing(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.fault(44)
@pytest.mark.parametrize("behave", [silent, dripping, chatting, closing])
def test_a_server_that_is_no_sshd_is_given_up_in_time(behave: Callable[[socket.socket], None]) -> None:
    with server(behave) as node:
        began = time.monotonic()
        with pytest.raises(ConnectionLost, match="greeting"):
            SshConnection.connect(node, Credentials(), SECONDS)
        assert time.monotonic() - began < SECONDS + 10


class Asked(paramiko.ServerInterface):
    """Lets nobody in, and writes down who tries."""

    def __init__(self) -> None:
        self.users: list[str] = []
        self.keys: list[paramiko.PKey] = []

    def get_allowed_auths(self, username: str) -> str:
        self.users.append(username)
        return "publickey,password"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.keys.append(key)
        return AUTH_FAILED


def asking(key: paramiko.PKey, asked: Asked) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(key)
        transport.start_server(event=threading.Event(), server=asked)
        transport.join(10)
        transport.close()

    return behave


@pytest.fixture(scope="module")
def client_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "id_ecdsa"
    paramiko.ECDSAKey.generate().write_private_key_file(str(path))
    return path


@pytest.mark.fault(40)
@pytest.mark.rule(2)
@pytest.mark.parametrize("known", ["another is pinned", "another is known", "none is known", "this one is pinned"])
def test_a_host_of_another_key_sees_neither_a_user_nor_a_key_of_ours(
    known: str, client_key: Path, tmp_path: Path
) -> None:
    own, other, asked = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate(), Asked()
    pins = {"another is pinned": other, "this one is pinned": own}
    with server(asking(own, asked)) as node:
        known_hosts = tmp_path / "known_hosts"
        line = f"[127.0.0.1]:{node.ssh.port} {other.get_name()} {other.get_base64()}\n"
        known_hosts.write_text(line if known == "another is known" else "")
        pin = pins.get(known)
        node = Node(node.metadata, node.ssh, host_key=f"{pin.get_name()} {pin.get_base64()}" if pin else "")
        with pytest.raises((HostRefused, ConnectionLost)) as refused:
            SshConnection.connect(node, Credentials((client_key,), known_hosts=known_hosts), 20)
    if known == "this one is pinned":
        assert (asked.users[0], len(asked.keys)) == ("root", 1), "or the test looks for nothing"
    else:
        assert (asked.users, asked.keys) == ([], [])
        assert "no credential was sent" in str(refused.value)


def test_a_closed_port_says_where_to_look() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionLost, match=rf"127.0.0.1:{port} does not answer: Connection refused"):
        SshConnection.connect(Node(ObjectMeta("n"), SshAddress("root", "127.0.0.1", port)), Credentials(), SECONDS)


class Transport:
    """One with a connection to this address; empty: to none any more."""

    def __init__(self, other_end: str) -> None:
        self._other_end = other_end

    def getpeername(self) -> tuple[str, int]:
        if not self._other_end:
            raise OSError("not connected")
        return self._other_end, 22


@pytest.mark.parametrize(
    ("other_end", "peer"), [("192.0.2.7", "192.0.2.7"), ("127.0.1.1", ""), ("2001:db8::7", ""), ("", "")]
)
def test_the_other_end_is_an_address_for_other_hosts_or_none(other_end: str, peer: str) -> None:
    node = Node(ObjectMeta("n"), SshAddress("root", "n.example"))
    assert SshConnection(cast(Any, Transport(other_end)), node).peer == peer


def test_a_pin_of_an_unknown_type_is_refused() -> None:
    with server(silent) as node:
        pinned = Node(node.metadata, node.ssh, host_key="ssh-quantum AAAA")
        with pytest.raises(HostRefused, match="ssh-quantum"):
            SshConnection.connect(pinned, Credentials((Path("/none"),)), SECONDS)
