"""An ACME server (RFC 8555) for tests: it checks every signature, and asks each host for its answer over HTTP."""

import datetime
import http.client
import itertools
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from acme.jws import JWS
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from josepy.b64 import b64decode, b64encode
from josepy.jwk import JWK

from tests.certificates import DAY, signed

PROBLEM = "urn:ietf:params:acme:error:"


class Refused(Exception):
    def __init__(self, kind: str, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.document = {"type": PROBLEM + kind, "detail": detail, "status": status}
        self.status = status


class AcmeServer:
    """`address_of` says where a host's port 80 is; `lifetime` is (start, end) of the next certificates, in seconds
    from now. What was asked of it stands in `orders` and `accounts`."""

    def __init__(self, address_of: Callable[[str], tuple[str, int]]) -> None:
        self.address_of = address_of
        self.lifetime = -3600.0, 90 * DAY
        self.accounts: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.stale_nonces = 1
        """So many requests are told that their nonce is stale, as a server may do at any time."""
        self.url = ""
        self.ca = ""
        self._keys: dict[str, JWK] = {}
        self._nonces: set[str] = set()
        self._certificates: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._signer = ec.generate_private_key(ec.SECP256R1())

    @property
    def directory(self) -> str:
        return f"{self.url}/directory"

    def names_ordered(self) -> list[list[str]]:
        return [[each["value"] for each in order["identifiers"]] for order in self.orders.values()]

    # --- requests --------------------------------------------------------------------------------------------

    def nonce(self) -> str:
        with self._lock:
            made = f"nonce{next(self._numbers)}"
            self._nonces.add(made)
        return made

    def answered(self, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Status, headers, and a document or text."""
        payload, account = self._opened(path, body)
        _, what, *rest = path.split("/")
        match what:
            case "account":
                return self._account(account, payload)
            case "order" if not rest:
                return self._order(payload)
            case "order":
                return 200, {}, self.orders[path]
            case "authorization":
                return 200, {}, self._authorization(path)
            case "challenge":
                of = f"/authorization/{rest[0]}"
                self._try(of, account)
                return 200, {"Link": f'<{self.url}{of}>;rel="up"'}, self._authorization(of)["challenges"][0]
            case "finalize":
                return 200, {}, self._finalize(f"/order/{rest[0]}", payload)
            case "certificate":
                return 200, {}, self._certificates[path]
        raise Refused("malformed", f"there is no {path}", 404)

    def _opened(self, path: str, body: bytes) -> tuple[Any, str]:
        """What was signed, and the account's URL, or its key where it has none yet."""
        signed_body = JWS.json_loads(body.decode())
        header = signed_body.signature.combined
        nonce = header.nonce.decode()
        with self._lock:
            fresh = nonce in self._nonces and self.stale_nonces <= 0
            self._nonces.discard(nonce)
            self.stale_nonces -= 1
        if not fresh:
            raise Refused("badNonce", "this nonce is stale")
        if header.url != self.url + path:
            raise Refused("unauthorized", "signed for another URL")
        key = self._keys[header.kid] if header.kid else header.jwk
        if not signed_body.verify(key):
            raise Refused("malformed", "the signature is not of this key")
        text = signed_body.payload.decode()
        thumbprint = b64encode(key.thumbprint()).decode()
        if not header.kid:
            self._keys[f"{self.url}/account/{thumbprint}"] = key
        return json.loads(text) if text else None, thumbprint

    # --- resources -------------------------------------------------------------------------------------------

    def _account(self, thumbprint: str, payload: Any) -> tuple[int, dict[str, str], Any]:
        location = {"Location": f"{self.url}/account/{thumbprint}"}
        known = thumbprint in self.accounts
        if not known and not payload.get("termsOfServiceAgreed"):
            raise Refused("userActionRequired", "agree to the terms of service")
        self.accounts.setdefault(thumbprint, payload)
        return 200 if known else 201, location, {"status": "valid", "contact": payload.get("contact", [])}

    def _order(self, payload: Any) -> tuple[int, dict[str, str], Any]:
        number = next(self._numbers)
        names = [each["value"] for each in payload["identifiers"]]
        if any(name.endswith(".forbidden.org") for name in names):
            raise Refused("rejectedIdentifier", "no certificates for forbidden.org", 403)
        authorizations = [f"{self.url}/authorization/{number}-{name}" for name in names]
        order = {
            "status": "pending",
            "identifiers": payload["identifiers"],
            "authorizations": authorizations,
            "finalize": f"{self.url}/finalize/{number}",
        }
        self.orders[f"/order/{number}"] = order
        return 201, {"Location": f"{self.url}/order/{number}"}, order

    def _authorization(self, path: str) -> dict[str, Any]:
        number, _, name = path.rpartition("/")[2].partition("-")
        tried = self.orders[f"/order/{number}"].setdefault("tried", {}).get(name)
        challenge: dict[str, Any] = {
            "type": "http-01",
            "url": f"{self.url}/challenge/{number}-{name}",
            "token": b64encode(f"token-of-{number}-{name}".encode().ljust(32)).decode(),
            "status": "pending" if tried is None else "valid" if tried == "" else "invalid",
        }
        if tried:
            challenge["error"] = {"type": PROBLEM + "unauthorized", "detail": tried, "status": 403}
        return {
            "status": challenge["status"],
            "identifier": {"type": "dns", "value": name},
            "challenges": [challenge],
        }

    def _try(self, path: str, thumbprint: str) -> None:
        number, _, name = path.rpartition("/")[2].partition("-")
        token = self._authorization(path)["challenges"][0]["token"]
        wanted, found = f"{token}.{thumbprint}", self._asked(name, token)
        order = self.orders[f"/order/{number}"]
        order["tried"][name] = "" if found == wanted else f"the answer of {name} was {found!r}"
        if len(order["tried"]) == len(order["identifiers"]):
            order["status"] = "invalid" if any(order["tried"].values()) else "ready"

    def _asked(self, name: str, token: str) -> str:
        address, port = self.address_of(name)
        connection = http.client.HTTPConnection(address, port, timeout=5)
        try:
            connection.request("GET", f"/.well-known/acme-challenge/{token}", headers={"Host": name})
            answer = connection.getresponse()
            return answer.read(1000).decode() if answer.status == 200 else f"status {answer.status}"
        except OSError as error:
            return str(error)
        finally:
            connection.close()

    def _finalize(self, path: str, payload: Any) -> dict[str, Any]:
        order = self.orders[path]
        if order["status"] != "ready":
            raise Refused("orderNotReady", "not all hosts are yours", 403)
        request = x509.load_der_x509_csr(b64decode(payload["csr"]))
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if sorted(names.get_values_for_type(x509.DNSName)) != sorted(self._names(order)):
            raise Refused("badCSR", "not the hosts of the order")
        order["status"], order["certificate"] = "valid", f"{self.url}{path.replace('order', 'certificate')}"
        self._certificates[path.replace("order", "certificate")] = self._signed(request, self._names(order))
        return order

    @staticmethod
    def _names(order: dict[str, Any]) -> list[str]:
        return [each["value"] for each in order["identifiers"]]

    def _signed(self, request: x509.CertificateSigningRequest, names: list[str]) -> str:
        start, end = (datetime.datetime.fromtimestamp(time.time() + at, datetime.UTC) for at in self.lifetime)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")]))
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), True)
            .sign(self._signer, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode()


@contextmanager
def acme_server(address_of: Callable[[str], tuple[str, int]], listen: str = "127.0.0.1") -> Iterator[AcmeServer]:
    """Serves https on a free port of `listen`, with a certificate that `ca` alone vouches for."""
    server = AcmeServer(address_of)
    handler = type("Handler", (_Handler,), {"acme": server})
    httpd = ThreadingHTTPServer((listen, 0), handler)
    httpd.daemon_threads = True
    chain, key = signed(listen, start=time.time() - DAY, end=time.time() + DAY)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(chain + key)
        file.flush()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file.name)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    server.url, server.ca = f"https://{listen}:{httpd.server_address[1]}", chain
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    acme: AcmeServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._tell(200, {}, None)

    def do_GET(self) -> None:
        if self.path != "/directory":
            self._tell(404, {}, {"type": PROBLEM + "malformed", "detail": "not found", "status": 404})
            return
        paths = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order"}
        self._tell(200, {}, {name: f"{self.acme.url}/{path}" for name, path in paths.items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self._tell(*self.acme.answered(self.path, body))
        except Refused as refused:
            self._tell(refused.status, {}, refused.document, problem=True)

    def _tell(self, status: int, headers: dict[str, str], content: Any, problem: bool = False) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        kind = "application/problem+json" if problem else "application/json"
        if isinstance(content, str):
            kind = "application/pem-certificate-chain"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Replay-Nonce", b64encode(self.acme.nonce().encode()).decode())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""
