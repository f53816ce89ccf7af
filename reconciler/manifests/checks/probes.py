"""What JSON Schema cannot say about probes and hooks: exactly one action each, and ports that exist."""

from collections.abc import Iterator

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted
from reconciler.model.api.core.container import Container, IntOrName, LifecycleHandler, Probe


def check_probes(container: Container, at: Pointer) -> Iterator[Finding]:
    """Errors about the probes of a container; `at` is where the container stands in its document.

    Rules: https://kubernetes.io/docs/concepts/workloads/pods/probes/
    """
    probes = (
        ("startupProbe", container.startup_probe),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
    )
    for field, probe in probes:
        if probe is not None:
            yield from _probe(probe, field, container, (*at, field))


def check_hooks(container: Container, grace_seconds: int, at: Pointer) -> Iterator[Finding]:
    """Errors about what a container does after its start and before its stop."""
    for field, hook in (("postStart", container.lifecycle.post_start), ("preStop", container.lifecycle.pre_stop)):
        if hook is not None:
            yield from _hook(hook, container, grace_seconds, (*at, "lifecycle", field))


def _probe(probe: Probe, field: str, container: Container, at: Pointer) -> Iterator[Finding]:
    actions = (probe.exec, probe.http_get, probe.tcp_socket, probe.grpc)
    if sum(action is not None for action in actions) != 1:
        fix = "write one of exec, httpGet, tcpSocket and grpc"
        yield Finding(at, Code.CONFLICTING_FIELDS, "not exactly one action is given", fix)
    if probe.http_get is not None:
        yield from _port(probe.http_get.port, container, (*at, "httpGet", "port"))
    if probe.tcp_socket is not None:
        yield from _port(probe.tcp_socket.port, container, (*at, "tcpSocket", "port"))
    if field != "readinessProbe" and probe.success_threshold != 1:
        message = f"a {field} has passed with its first success"
        yield Finding((*at, "successThreshold"), Code.INVALID_VALUE, message, "write 1, or leave it out")
    if field == "readinessProbe" and probe.termination_grace_period_seconds is not None:
        message = "a readinessProbe restarts nothing"
        here = (*at, "terminationGracePeriodSeconds")
        yield Finding(here, Code.CONFLICTING_FIELDS, message, "remove it")


def _hook(hook: LifecycleHandler, container: Container, grace_seconds: int, at: Pointer) -> Iterator[Finding]:
    if hook.http_get is not None:
        yield from _port(hook.http_get.port, container, (*at, "httpGet", "port"))
    if hook.sleep is not None and hook.sleep.seconds > grace_seconds:
        message = f"{hook.sleep.seconds} s is longer than the pod's grace period of {grace_seconds} s"
        fix = "sleep less, or raise terminationGracePeriodSeconds"
        yield Finding((*at, "sleep", "seconds"), Code.INVALID_VALUE, message, fix)


def _port(port: IntOrName, container: Container, at: Pointer) -> Iterator[Finding]:
    known = [own.name for own in container.ports if own.name]
    if isinstance(port, str) and port not in known:
        message = f"no port of {container.name} is named {quoted(port)}"
        fix = f"use one of {', '.join(known)}, or a number" if known else "name a port of it, or use a number"
        yield Finding(at, Code.UNKNOWN_PORT, message, fix)
