"""HAProxy itself on loopback, in front of services that answer with their own names: what a test asks is real."""

import http.client
import itertools
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reconciler.model.addresses import SocketAddress
from reconciler.model.proxy import NodeProxy, ProxyServer, config_text, source_text
from reconciler.model.secrets import SecretText
from reconciler.services.ingress_backends import BackendSection, backend_text
from reconciler.services.ingress_files import INSIDE, USERS
from reconciler.services.ingress_haproxy import IngressSections

HAPROXY = "/usr/sbin/haproxy"
_GLOBAL = """\
global
    log stdout format raw daemon notice
    stats socket ADMIN mode 600 level admin

"""
_ANSWER = (
    '    http-request return status 200 content-type text/plain lf-string "NAME %[req.fhdr(x-forwarded-for)] '
    '%[req.fhdr(x-forwarded-proto)] %[req.fhdr(x-forwarded-host)] %[req.ver] %[path]"\n'
)


_PORTS = range(10_000, 30_000)
"""The kernel gives these to nobody of its own accord: they stay free until they are taken."""
_turns = (_PORTS[(at + 7919 * os.getpid()) % len(_PORTS)] for at in itertools.count())
"""Another process begins elsewhere."""


def free_ports(count: int) -> list[int]:
    return list(itertools.islice(filter(_is_free, _turns), count))


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("", port))
        except OSError:
            return False
    return True


def write(
    sections: IngressSections, folder: Path, servers: Mapping[str, Sequence[ProxyServer]], more: str = ""
) -> list[str]:
    """The arguments for HAProxy; `servers` by the name of the service."""
    for path, content in sections.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = content.reveal() if isinstance(content, SecretText) else content
        target.write_text(text.replace(INSIDE, str(folder)))
    behind = [_section(one, servers.get(one.service.name, ())) for one in sections.backends]
    whole = _GLOBAL.replace("ADMIN", str(folder / "admin.sock")) + more + sections.text + "".join(behind)
    (folder / "haproxy.cfg").write_text(whole.replace(INSIDE, str(folder)))
    files = ["haproxy.cfg", *((USERS,) if USERS in sections.files else ())]
    return [word for name in files for word in ("-f", str(folder / name))]


def _section(backend: BackendSection, servers: Sequence[ProxyServer]) -> str:
    words = " proto h2" if backend.protocol == "h2c" else ""
    lines = "".join(f"    server {server.name} {server.address}{words}\n" for server in servers)
    return f"\n{backend_text(backend)}{lines}"


def complaint(sections: IngressSections, folder: Path) -> str:
    """What HAProxy has to say against it; nothing, if it is good."""
    server = {one.service.name: (ProxyServer("one", SocketAddress("127.0.0.1", 9)),) for one in sections.backends}
    arguments = write(sections, folder, server)
    checked = subprocess.run([HAPROXY, "-c", *arguments], capture_output=True, text=True, timeout=30, check=False)
    return "" if checked.returncode == 0 and "WARNING" not in checked.stderr else checked.stderr


def accepted(proxy: NodeProxy, folder: Path) -> str:
    """What HAProxy has to say against a node's whole configuration; nothing, if it is good."""
    (folder / "servers.state").write_text("1\n")
    (folder / "files").mkdir(exist_ok=True)
    for name, content in proxy.files.items():
        text = content.reveal() if isinstance(content, SecretText) else content
        (folder / "files" / name).write_text(text.replace(INSIDE, str(folder)))
    write_sources(proxy, folder)
    path = folder / "haproxy.cfg"
    path.write_text(config_text(proxy).replace(INSIDE, str(folder)))
    checked = subprocess.run(
        [HAPROXY, "-c", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    return "" if checked.returncode == 0 and "WARNING" not in checked.stderr else checked.stderr


def write_sources(proxy: NodeProxy, folder: Path) -> None:
    """The lists of networks that clients may come from."""
    (folder / "sources").mkdir(exist_ok=True)
    for name, networks in proxy.sources.items():
        (folder / "sources" / name).write_text(source_text(networks))


def answering(ports: Mapping[str, int], words: str = "") -> str:
    """Services of their own names, in the same HAProxy; `words` are for their binds."""
    head = "defaults\n    mode http\n    timeout client 10s\n    timeout server 10s\n    timeout connect 1s\n"
    listens = (
        f"frontend answer_{name}\n    bind 127.0.0.1:{port} {words}\n" + _ANSWER.replace("NAME", name)
        for name, port in ports.items()
    )
    return head + "".join(listens)


@contextmanager
def running(arguments: Sequence[str], port: int) -> Iterator[None]:
    """Once it answers on the port, and on the admin socket beside its files; and until the end of the test."""
    admin = Path(arguments[1]).with_name("admin.sock")
    process = subprocess.Popen([HAPROXY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                with socket.socket(socket.AF_UNIX) as asked:
                    asked.connect(str(admin))
                break
            except OSError:
                assert process.poll() is None, process.stdout.read() if process.stdout else ""
                assert time.monotonic() < until
                time.sleep(0.005)
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


class Client:
    """One connection; `tls` names the host that is asked for."""

    def __init__(self, port: int, tls: str = "", alpn: Sequence[str] = ()) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if alpn:
                context.set_alpn_protocols(list(alpn))
            plain = socket.create_connection(("127.0.0.1", port), 10)
            self.tls = context.wrap_socket(plain, server_hostname=tls)
            self._connection.sock = self.tls

    def get(
        self,
        host: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
    ) -> tuple[int, str, Mapping[str, str]]:
        self._connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if host:
            self._connection.putheader("Host", host)
        for name, value in (headers or {}).items():
            self._connection.putheader(name, value)
        self._connection.endheaders(body or None)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
