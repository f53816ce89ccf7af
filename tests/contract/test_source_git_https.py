"""A repository over https: a certificate that nobody vouches for gets no token, one that is trusted does."""

import base64
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.model.desired import Unavailable
from reconciler.model.secrets import SecretText
from reconciler.sources.git import GitSource
from reconciler.sources.git_address import GitAccess


class Asking(HTTPServer):
    """Wants a password for everything, and accepts none; `sent` are the ones that came."""

    sent: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Asking

    def do_GET(self) -> None:
        if (sent := self.headers.get("Authorization")) is not None:
            self.server.sent.append(base64.b64decode(sent.removeprefix("Basic ")).decode())
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed one for 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[Asking]:
    server = Asking(("127.0.0.1", 0), Handler)
    server.sent = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def why(server: Asking, cache: Path, ca_file: str = "") -> str:
    access = GitAccess(token=SecretText("canary-token"), ca_file=ca_file)
    url = f"https://127.0.0.1:{server.server_port}/shop.git"
    found = GitSource(url, access=access, cache=cache, timeout=20.0, stall=5.0).read()
    assert isinstance(found, Unavailable)
    assert "canary-token" not in f"{found}"
    return found.why


@pytest.mark.rule(2)
def test_an_untrusted_certificate_gets_no_token(server: Asking, tmp_path: Path) -> None:
    assert "its certificate is not trusted: no authority of this machine" in why(server, tmp_path / "cache")
    assert server.sent == []


@pytest.mark.fault(30)
@pytest.mark.rule(7)
def test_a_trusted_server_gets_the_token_once_and_its_refusal_is_told(
    server: Asking, certificate: Path, tmp_path: Path
) -> None:
    assert "access was refused" in why(server, tmp_path / "cache", str(certificate))
    assert server.sent == ["git:canary-token"]
