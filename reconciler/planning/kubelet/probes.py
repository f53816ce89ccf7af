"""What each node's prober is to do: the probes of the pods placed there. Called by plan.py for `Plan.probed`.

Rules: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from reconciler.model.api.core.container import Container, Probe, is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.probes import (
    CheckHealth,
    GetUrl,
    OpenConnection,
    ProbeAction,
    ProbedContainer,
    ProbeSpec,
    RunCommand,
)
from reconciler.planning.kubelet.container_config import name_of
from reconciler.planning.kubelet.environment import expand
from reconciler.planning.kubelet.lifecycle_hooks import hook_of, port_number

_POD = ""
"""Stands for the pod's address, in what is the same for every pod of a template."""


def probed_containers(pods: Iterable[PodIntent], desired: Desired) -> Mapping[str, tuple[ProbedContainer, ...]]:
    """Return what the prober of each node is to do, sorted by the container's name on the host; only nodes with
    any of it.

    Of a pod that leaves, only readiness is still asked for, as upstream: nothing restarts it any more.
    """
    parts_of: dict[tuple[object, str], tuple[_ContainerProbes, ...]] = {}
    found: defaultdict[str, list[ProbedContainer]] = defaultdict(list)
    for intent in pods:
        spec = intent.spec
        if spec is None or intent.ended:
            continue
        key = (intent.workload, intent.hash)
        parts = parts_of.get(key)
        if parts is None:
            parts = parts_of[key] = tuple(_parts(spec))
        if parts:
            ip = _address(intent, spec, desired)
            found[intent.node] += (
                one for part in parts if (one := _probed(part, intent, ip, desired)) is not None
            )
    return {node: tuple(sorted(probed, key=_by_name)) for node, probed in found.items() if probed}


def awaits_probe(container: Container) -> bool:
    """It counts as ready only once the prober says so. Any other container is ready when it runs."""
    return container.startup_probe is not None or container.readiness_probe is not None


def startup_of(container: Container, intent: PodIntent, spec: PodSpec, desired: Desired) -> ProbeSpec | None:
    """Return the probe that says that a sidecar has started, for `kubelet/booting.py`."""
    specs = _specs("startup", container.startup_probe, container, spec.termination_grace_period_seconds)
    return next((_at(one, _address(intent, spec, desired)) for one in specs), None)


class _ContainerProbes(NamedTuple):
    """A container with probes, as it is in every pod of its template."""

    container: Container
    probes: tuple[ProbeSpec, ...]
    restarts: bool


def _parts(spec: PodSpec) -> Iterable[_ContainerProbes]:
    grace = spec.termination_grace_period_seconds
    for container in (*filter(is_sidecar, spec.init_containers), *spec.containers):
        probes = (
            *_specs("startup", container.startup_probe, container, grace),
            *_specs("liveness", container.liveness_probe, container, grace),
            *_specs("readiness", container.readiness_probe, container, grace),
        )
        if probes:
            # A postStart hook is the master's to run: a container with one is only stopped here.
            again = spec.restart_policy != "Never" or is_sidecar(container)
            again = again and container.lifecycle.post_start is None
            yield _ContainerProbes(container, probes, again)


def _specs(
    kind: Literal["startup", "liveness", "readiness"], probe: Probe | None, container: Container, grace: int
) -> Iterable[ProbeSpec]:
    if probe is not None:
        own = probe.termination_grace_period_seconds
        yield ProbeSpec(
            kind,
            _action(probe, container),
            initial_delay=probe.initial_delay_seconds,
            period=probe.period_seconds,
            timeout=probe.timeout_seconds,
            successes=probe.success_threshold,
            failures=probe.failure_threshold,
            grace=grace if own is None else own,
        )


def _action(probe: Probe, container: Container) -> ProbeAction:
    if http := probe.http_get:
        return GetUrl(
            scheme="https" if http.scheme == "HTTPS" else "http",
            host=http.host or _POD,
            port=port_number(http.port, container),
            path=http.path if http.path.startswith("/") else f"/{http.path}",
            headers=tuple((header.name, header.value) for header in http.http_headers),
        )
    if tcp := probe.tcp_socket:
        return OpenConnection(tcp.host or _POD, port_number(tcp.port, container))
    if grpc := probe.grpc:
        return CheckHealth(_POD, grpc.port, grpc.service)
    # As upstream, `$(VAR)` stands for what the manifest itself says, and for nothing read from elsewhere.
    written = {variable.name: variable.value for variable in container.env if variable.value_from is None}
    command = probe.exec.command if probe.exec else ()
    return RunCommand(tuple(expand(word, written) for word in command))


def _address(intent: PodIntent, spec: PodSpec, desired: Desired) -> str:
    if spec.host_network and (node := desired.nodes.get(intent.node)):
        return node.ssh.host
    return intent.ip


def _probed(part: _ContainerProbes, intent: PodIntent, ip: str, desired: Desired) -> ProbedContainer | None:
    probes = part.probes
    if intent.wanted == "leave":
        probes = tuple(probe for probe in probes if probe.kind == "readiness")
        if not probes:
            return None
    return ProbedContainer(
        name_of(intent, part.container.name, desired),
        tuple([_at(probe, ip) for probe in probes]),
        hook_of(hook, part.container, intent) if (hook := part.container.lifecycle.pre_stop) else None,
        part.restarts,
    )


def _at(probe: ProbeSpec, ip: str) -> ProbeSpec:
    """With the pod's address where `_POD` stands for it."""
    action: ProbeAction = probe.action
    if isinstance(action, RunCommand) or action.host != _POD:
        return probe
    if isinstance(action, GetUrl):
        action = GetUrl(action.scheme, ip, action.port, action.path, action.headers)
    elif isinstance(action, OpenConnection):
        action = OpenConnection(ip, action.port)
    else:
        action = CheckHealth(ip, action.port, action.service)
    # By position: this is done for every probe of every pod, in every plan.
    return ProbeSpec(
        probe.kind,
        action,
        probe.initial_delay,
        probe.period,
        probe.timeout,
        probe.successes,
        probe.failures,
        probe.grace,
    )


def _by_name(probed: ProbedContainer) -> str:
    return probed.container
