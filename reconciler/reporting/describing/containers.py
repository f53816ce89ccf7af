"""A container of a pod on its page: what it is, how it stands, and what it was given."""

from collections.abc import Iterator

from reconciler.model.api.core.container import Container, Probe
from reconciler.model.api.core.container_status import ContainerStateTerminated, ContainerStatus
from reconciler.model.api.core.env import EnvFromSource, EnvVar
from reconciler.model.api.core.volume import VolumeMount
from reconciler.model.quantities import Quantity
from reconciler.reporting.describing.page import NONE, Entry, entry, heading, known, moment_of


def container_entry(status: ContainerStatus, spec: Container | None) -> Entry:
    """`spec` is None if the pod was adopted from a host, and nobody knows what it was made from."""
    return heading(
        status.name,
        (
            entry("Image", status.image),
            *(_declared_before(spec) if spec else ()),
            *_status(status),
            *(_declared_after(spec) if spec else ()),
        ),
    )


def _status(status: ContainerStatus) -> Iterator[Entry]:
    state = status.state
    if state.running is not None:
        yield heading("State", known("Started", moment_of(state.running.started_at)), "Running")
    elif state.waiting is not None:
        inside = (*known("Reason", state.waiting.reason), *known("Message", state.waiting.message))
        yield heading("State", inside, "Waiting")
    elif state.terminated is not None:
        yield heading("State", _terminated(state.terminated), "Terminated")
    if status.last_state is not None and status.last_state.terminated is not None:
        yield heading("Last State", _ended_before(status.last_state.terminated), "Terminated")
    yield entry("Ready", str(status.ready))
    yield entry("Restart Count", str(status.restart_count))


def _terminated(end: ContainerStateTerminated) -> Iterator[Entry]:
    yield from known("Reason", end.reason)
    yield from known("Message", end.message)
    if end.exit_code is not None:
        yield entry("Exit Code", str(end.exit_code))
    yield from known("Started", moment_of(end.started_at))
    yield from known("Finished", moment_of(end.finished_at))


def _ended_before(end: ContainerStateTerminated) -> Iterator[Entry]:
    """The message of an earlier run is the last that it wrote."""
    yield entry("Reason", end.reason)
    yield entry("Exit Code", str(end.exit_code))
    yield from known("Finished", moment_of(end.finished_at))
    if end.message.strip():
        yield Entry("Log", tuple(end.message.rstrip().splitlines()))


def _declared_before(spec: Container) -> Iterator[Entry]:
    several = "s" if len(spec.ports) > 1 else ""
    yield entry(
        f"Port{several}", ", ".join(f"{port.container_port}/{port.protocol}" for port in spec.ports) or NONE
    )
    if any(port.host_port for port in spec.ports):
        yield entry(f"Host Port{several}", ", ".join(f"{port.host_port}/{port.protocol}" for port in spec.ports))
    if spec.command:
        yield heading("Command", [Entry("", spec.command)])
    if spec.args:
        yield heading("Args", [Entry("", spec.args)])


def _declared_after(spec: Container) -> Iterator[Entry]:
    if spec.resources.limits:
        yield heading("Limits", _amounts(spec.resources.limits))
    if spec.resources.requests:
        yield heading("Requests", _amounts(spec.resources.requests))
    for label, probe in (
        ("Liveness", spec.liveness_probe),
        ("Readiness", spec.readiness_probe),
        ("Startup", spec.startup_probe),
    ):
        if probe is not None:
            yield entry(label, probe_words(probe))
    if spec.env_from:
        yield heading("Environment Variables from", [_from(one) for one in spec.env_from])
    yield heading("Environment", [_variable(one) for one in spec.env]) if spec.env else entry("Environment", NONE)
    if spec.volume_mounts:
        yield heading("Mounts", [Entry("", tuple(_mount(one) for one in spec.volume_mounts))])
    else:
        yield entry("Mounts", NONE)


def _amounts(amounts: dict[str, Quantity]) -> list[Entry]:
    return [entry(name, amounts[name].text) for name in sorted(amounts)]


def probe_words(probe: Probe) -> str:
    """`http-get http://:8080/ delay=0s timeout=1s period=10s #success=1 #failure=3`, as kubectl writes it."""
    what = "unknown"
    if probe.exec:
        what = f"exec [{' '.join(probe.exec.command)}]"
    elif get := probe.http_get:
        what = f"http-get {get.scheme.lower()}://{get.host}:{get.port}{get.path}"
    elif tcp := probe.tcp_socket:
        what = f"tcp-socket {tcp.host}:{tcp.port}"
    elif grpc := probe.grpc:
        what = f"grpc <pod>:{grpc.port} {grpc.service}".rstrip()
    return (
        f"{what} delay={probe.initial_delay_seconds}s timeout={probe.timeout_seconds}s "
        f"period={probe.period_seconds}s #success={probe.success_threshold} #failure={probe.failure_threshold}"
    )


def _from(source: EnvFromSource) -> Entry:
    kind, ref = ("ConfigMap", source.config_map_ref) if source.config_map_ref else ("Secret", source.secret_ref)
    name = ref.name if ref else ""
    prefix = f" with prefix '{source.prefix}'" if source.prefix else ""
    optional = str(bool(ref and ref.optional)).lower()
    return Entry("", (f"{name}  {kind}{prefix}  Optional: {optional}",))


def _variable(variable: EnvVar) -> Entry:
    """A value that comes from elsewhere is named, never shown."""
    source = variable.value_from
    if source is None:
        return Entry(variable.name, tuple(variable.value.splitlines()) or ("",))
    words = ""
    if key := source.config_map_key_ref:
        words = f"<set to the key '{key.key}' of config map '{key.name}'>  Optional: {str(key.optional).lower()}"
    elif key := source.secret_key_ref:
        words = f"<set to the key '{key.key}' in secret '{key.name}'>  Optional: {str(key.optional).lower()}"
    elif source.field_ref:
        words = f" (v1:{source.field_ref.field_path})"
    elif source.resource_field_ref:
        words = f" ({source.resource_field_ref.resource})"
    return entry(variable.name, words)


def _mount(mount: VolumeMount) -> str:
    flags = ["ro" if mount.read_only else "rw"]
    if path := mount.sub_path or mount.sub_path_expr:
        flags.append(f'path="{path}"')
    return f"{mount.mount_path} from {mount.name} ({','.join(flags)})"
