"""Whether the Services and Secrets behind an Ingress are what it takes them for."""

from collections.abc import Iterator

from reconciler.manifests.across.acme import check_issuing
from reconciler.manifests.across.index import Index
from reconciler.manifests.checks.ingresses import AUTH_AT, AUTH_KEY, backends_of
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.manifest import Manifest
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import Ingress, IngressServiceBackend
from reconciler.model.htpasswd import read_users
from reconciler.model.names import Ref


def check_backends(manifest: Manifest[Ingress], index: Index) -> Iterator[Finding]:
    """Errors about the ports, the certificates and the passwords of an Ingress that is served here."""
    if not manifest.relations.references:
        return
    ingress, namespace = manifest.object, manifest.ref.namespace
    for backend, at in backends_of(ingress.spec):
        if (found := index.of(Service).get(Ref("Service", namespace, backend.name))) is not None:
            yield from _port(backend, found.object, (*at, "port"))
    yield from check_issuing(ingress, index)
    if name := ingress.options.auth_secret:
        secret = index.of(Secret).get(Ref("Secret", namespace, name))
        if secret is not None:
            yield from _users(secret)


def _port(backend: IngressServiceBackend, service: Service, at: Pointer) -> Iterator[Finding]:
    wanted = backend.port
    ports = service.spec.ports
    if any(port.name == wanted.name if wanted.name else port.port == wanted.number for port in ports):
        return
    known = ", ".join(f"{port.port} ({port.name})" if port.name else str(port.port) for port in ports)
    message = f"Service {service.metadata.name} has no port {wanted}"
    yield Finding(at, Code.UNKNOWN_PORT, message, f"use one of its ports: {known or 'it has none'}")


def _users(found: Manifest[Secret]) -> Iterator[Finding]:
    """Whether anybody could sign in; a missing key is an error of the reference."""
    secret = found.object
    fix = f"make a line with `htpasswd -nB USER` and put it in {found.place}, under the key {AUTH_KEY}"
    if (text := secret.data.get(AUTH_KEY)) is not None:
        try:
            read_users(text.reveal())
        except ValueError as error:
            message = f"nobody could sign in with Secret {secret.metadata.name}: {error}"
            yield Finding(AUTH_AT, Code.INVALID_USERS, message, fix)
    elif AUTH_KEY in secret.binary_data:
        message = f"the value of {AUTH_KEY} in Secret {secret.metadata.name} is not text"
        yield Finding(AUTH_AT, Code.INVALID_USERS, message, fix)
