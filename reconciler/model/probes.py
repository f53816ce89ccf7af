"""Hooks and probes as they are carried out on a host: what is asked of a container, and how often."""

from typing import Literal, TypeAlias

from msgspec import Struct


class RunCommand(Struct, frozen=True):
    command: tuple[str, ...]


class GetUrl(Struct, frozen=True):
    """Asked from the host; a certificate is not checked, as upstream."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()


class OpenConnection(Struct, frozen=True):
    host: str
    port: int


class CheckHealth(Struct, frozen=True):
    """grpc.health.v1.Health/Check over HTTP/2 without TLS."""

    host: str
    port: int
    service: str = ""


class Wait(Struct, frozen=True):
    seconds: int


Hook: TypeAlias = RunCommand | GetUrl | Wait
"""What is done after a container's start, or before its stop."""
ProbeAction: TypeAlias = RunCommand | GetUrl | OpenConnection | CheckHealth


class ProbeSpec(Struct, frozen=True):
    """One probe of a container; seconds and counts as in the manifest."""

    kind: Literal["startup", "liveness", "readiness"]
    action: ProbeAction
    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    successes: int = 1
    failures: int = 3
    grace: int = 30
    """Seconds between SIGTERM and SIGKILL when it restarts the container."""


class ProbedContainer(Struct, frozen=True):
    """The probes of one container of a pod, and how it is restarted by them."""

    container: str
    """Its name on the host."""
    probes: tuple[ProbeSpec, ...]
    pre_stop: Hook | None = None
    restarts: bool = True
    """False: it is only killed (the pod's restartPolicy is Never)."""
