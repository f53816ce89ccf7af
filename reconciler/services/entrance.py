"""Ingresses as parts of HAProxy's file on the edges: the frontend, a backend for each target, and files."""

from collections.abc import Mapping

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import Ingress
from reconciler.model.digests import file_digest
from reconciler.model.edges import INGRESS_PORTS
from reconciler.model.memory import IngressRecord
from reconciler.model.names import Ref
from reconciler.model.secrets import SecretText
from reconciler.model.service_options import ServiceOptions
from reconciler.services.acme import AcmeAtTheEdge
from reconciler.services.certificates import certificates
from reconciler.services.haproxy import BalanceSettings, server_options
from reconciler.services.ingress import route
from reconciler.services.ingress_backends import BackendSection, backend_text
from reconciler.services.ingress_files import CERTIFICATES, INSIDE, USERS, Files
from reconciler.services.ingress_haproxy import render_ingress
from reconciler.services.parts import ProxyPart

PLAIN, SECURE = (SocketAddress("0.0.0.0", port) for port in INGRESS_PORTS)


class Entrance(Struct, frozen=True):
    parts: tuple[ProxyPart, ...] = ()
    files: Files = {}
    """The files by a name that carries a digest, as `NodeProxy.files` has them."""
    users: SecretText = SecretText("")
    """The user lists, as sections of haproxy.cfg."""
    problems: tuple[str, ...] = ()
    concerned: Mapping[str, Ref] = {}
    """The Ingress that a problem is about, where it is about one's certificate."""

    @property
    def addresses(self) -> tuple[SocketAddress, ...]:
        """Where the edges listen for it."""
        return (PLAIN, SECURE) if self.parts else ()


def entrance(
    ingresses: Mapping[Ref, Ingress],
    services: Mapping[Ref, Service],
    secrets: Mapping[Ref, Secret],
    records: Mapping[Ref, IngressRecord],
    acme: AcmeAtTheEdge,
    checks: str,
    at: float | None,
) -> Entrance:
    """`checks`: how servers are checked. `at`: Unix seconds that certificates are judged by; None: by no date."""
    if not ingresses:
        return Entrance()
    routing = route(ingresses, services, records)
    certified = certificates(ingresses, {**secrets, **acme.issued}, records, at, acme.awaited)
    rendered = render_ingress(
        routing, certified, secrets, challenges=acme.challenges, plain=(PLAIN,), secure=(SECURE,)
    )
    problems = (*routing.problems, *certified.problems, *rendered.problems)
    if not rendered.text:
        return Entrance(problems=problems, concerned=certified.problems)
    files = dict(rendered.files)
    users = files.pop(USERS, SecretText(""))
    named = _Named(files)
    return Entrance(
        (
            ProxyPart("ingress", "", named.in_text(rendered.text), listens=False),
            *(_backend(backend, services.get(backend.service), checks) for backend in rendered.backends),
        ),
        named.files(),
        users if isinstance(users, SecretText) else SecretText(users),
        problems,
        certified.problems,
    )


def _backend(backend: BackendSection, service: Service | None, checks: str) -> ProxyPart:
    """Its pods are reached as they are by way of their Service; what they speak, the Ingress says."""
    options = service.options if service is not None else ServiceOptions()
    manner = BalanceSettings(
        backend.protocol, proxy_protocol=options.proxy_protocol, slow_start_ms=options.slow_start
    )
    return ProxyPart(
        backend.name,
        "",
        backend_text(backend),
        backend.service,
        backend.port,
        server_options(manner, checks),
        listens=False,
        cookies=backend.affinity,
    )


class _Named:
    """Files under names that say what is in them; the list of certificates names others, so it is named last."""

    def __init__(self, files: Files) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, str | SecretText] = {}
        for path in sorted(files, key=lambda path: path == CERTIFICATES):
            content = files[path]
            text = content if isinstance(content, SecretText) else self.in_text(content)
            name = f"{file_digest(path, text)}-{path.rpartition('/')[2]}"
            self._names[path] = name
            self._files[name] = text

    def files(self) -> Files:
        return self._files

    def in_text(self, text: str) -> str:
        for path in sorted(self._names, key=len, reverse=True):
            text = text.replace(f"{INSIDE}/{path}", f"{INSIDE}/files/{self._names[path]}")
        return text
