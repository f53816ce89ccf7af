"""What a container's postStart and preStop handlers ask for, as the host is asked.

Rules: https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

from reconciler.model.api.core.container import Container, IntOrName, LifecycleHandler
from reconciler.model.memory import PodIntent
from reconciler.model.probes import GetUrl, Hook, RunCommand, Wait

_THE_HOST_ITSELF = "127.0.0.1"
"""Of a pod without an address of its own: hooks are asked from its host."""


def hook_of(handler: LifecycleHandler, container: Container, intent: PodIntent) -> Hook:
    """Return the hook that a handler describes. As upstream, `$(VAR)` means nothing in it."""
    if http := handler.http_get:
        return GetUrl(
            scheme="https" if http.scheme == "HTTPS" else "http",
            host=http.host or intent.ip or _THE_HOST_ITSELF,
            port=port_number(http.port, container),
            path=http.path if http.path.startswith("/") else f"/{http.path}",
            headers=tuple((header.name, header.value) for header in http.http_headers),
        )
    if handler.exec:
        return RunCommand(handler.exec.command)
    return Wait(handler.sleep.seconds if handler.sleep else 0)


def port_number(port: IntOrName, container: Container) -> int:
    """0 where the container has no port of that name: whoever asks it then fails, and says so."""
    if isinstance(port, int):
        return port
    named = (found.container_port for found in container.ports if found.name == port)
    return next(named, int(port) if port.isdecimal() else 0)
