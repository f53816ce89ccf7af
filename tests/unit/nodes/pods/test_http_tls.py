"""TLS over what is no socket: a hook's https request to a server whose certificate nobody knows."""

import datetime
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reconciler.nodes.pods.http_tls import TlsSocket
from reconciler.nodes.ssh.channel_socket import ChannelSocket


class SocketChannel:
    """A paramiko channel in the place of which a socket does."""

    closed = eof_received = False

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.settimeout: Any = connection.settimeout
        self.sendall: Any = connection.sendall
        self.recv: Any = connection.recv
        self.close: Any = connection.close


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    day = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), day, day)
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    with ours, theirs:
        yield ours, theirs


def test_a_request_is_answered(ends: tuple[socket.socket, socket.socket], certificate: Path) -> None:
    ours, theirs = ends
    body = b"x" * 100_000

    def serve() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with context.wrap_socket(theirs, server_side=True) as server:
            server.recv(4096)
            server.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    channel = ChannelSocket(SocketChannel(ours))  # type: ignore[arg-type]
    channel.settimeout(5)
    connection = http.client.HTTPConnection("10.0.0.1", 443)
    connection.sock = TlsSocket(channel, "10.0.0.1")
    connection.request("GET", "/")
    assert connection.getresponse().read() == body
    server.join(5)


def test_who_speaks_no_tls_is_an_error_of_the_connection(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    channel = ChannelSocket(SocketChannel(ours))  # type: ignore[arg-type]
    channel.settimeout(5)
    with pytest.raises(OSError):
        TlsSocket(channel, "10.0.0.1")
