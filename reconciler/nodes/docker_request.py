"""A ContainerConfig as the body of Docker's create request. Pure, and the one place where secrets are revealed."""

from typing import Any

from reconciler.model.names import POD_NETWORK
from reconciler.model.operations import ContainerConfig, HostNetwork, PodAddress, PublishedPort
from reconciler.model.pods import RestartPolicy
from reconciler.model.secrets import SecretText

# Not "always": a pod that was stopped in order to leave must not come back with the host's next boot.
_RESTART: dict[RestartPolicy, str] = {"Always": "unless-stopped", "OnFailure": "on-failure", "Never": "no"}


def create_request(config: ContainerConfig) -> dict[str, Any]:
    """The body of `POST /containers/create`; the name goes into the URL."""
    request: dict[str, Any] = {
        "Image": config.image,
        "Labels": dict(config.labels),
        "Env": [f"{name}={_text(value)}" for name, value in config.env.items()],
        "StopTimeout": config.stop_grace_seconds,
        "HostConfig": _host_config(config),
    }
    request |= _given(
        Entrypoint=list(config.entrypoint),
        Cmd=list(config.command),
        WorkingDir=config.working_dir,
        StopSignal=config.stop_signal,
    )
    match config.network:
        case PodAddress(ip=ip):
            endpoint = {"IPAMConfig": {"IPv4Address": ip}}
            request |= _given(Hostname=config.hostname, ExposedPorts={_key(port): {} for port in config.ports})
            request["NetworkingConfig"] = {"EndpointsConfig": {POD_NETWORK: endpoint}}
    return request


def _host_config(config: ContainerConfig) -> dict[str, Any]:
    host: dict[str, Any] = {"RestartPolicy": {"Name": _RESTART[config.restart_policy]}}
    match config.network:
        case PodAddress():
            host["NetworkMode"] = POD_NETWORK
            host |= _given(PortBindings=_bindings(config.ports))
        case HostNetwork():
            host["NetworkMode"] = "host"
        case shared:
            # Ports, addresses and the host name are the sandbox's: Docker refuses them here.
            host["NetworkMode"] = f"container:{shared.container}"
    return host | _given(
        CpuShares=config.cpu_shares,
        NanoCpus=config.cpu_milli_limit * 1_000_000,
        Memory=config.memory_limit_bytes,
        MemoryReservation=config.memory_request_bytes,
    )


def _bindings(ports: tuple[PublishedPort, ...]) -> dict[str, list[dict[str, str]]]:
    bound: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        if port.host_port:
            bound.setdefault(_key(port), []).append({"HostPort": str(port.host_port)})
    return bound


def _key(port: PublishedPort) -> str:
    return f"{port.container_port}/{port.protocol.lower()}"


def _text(value: str | SecretText) -> str:
    return value.reveal() if isinstance(value, SecretText) else value


def _given(**fields: Any) -> dict[str, Any]:
    """Without the empty ones: there, Docker's or the image's default holds."""
    return {name: value for name, value in fields.items() if value}
