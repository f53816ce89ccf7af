"""A ContainerConfig as the body of Docker's create request. Pure, and the one place where secrets are revealed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from reconciler.model.addresses import mac_of
from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.container_config import (
    ClaimMount,
    ContainerConfig,
    HostMount,
    HostNetwork,
    Mount,
    NfsMount,
    PodAddress,
    PublishedPort,
    SharedNetwork,
)
from reconciler.model.limits import CPU_PERIOD, ContainerLimits, limits
from reconciler.model.names import LABEL_HASH, LABEL_IP, LABEL_OWNER, POD_NETWORK
from reconciler.model.secrets import SecretText

# Not "always": a pod that was stopped in order to leave must not come back with the host's next boot.
RESTART_POLICIES: Mapping[RestartPolicy, str] = {
    "Always": "unless-stopped",
    "OnFailure": "on-failure",
    "Never": "no",
}
"""Docker's names for them."""
_NO_LABELS = {LABEL_OWNER: "", LABEL_IP: ""}
"""Of what not every pod has: a label that is not given is the image's."""
_NO_HEALTH_CHECK = {"Test": ["NONE"]}
"""Whatever the image says: Kubernetes knows probes alone."""


def hashed(request: Mapping[str, Any]) -> dict[str, Any]:
    """Add a hash of the request to its labels: it tells a container that was made from another request."""
    own = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:10]
    return {**request, "Labels": {**request["Labels"], LABEL_HASH: own}}


def log_config(max_bytes: int, max_files: int) -> dict[str, Any]:
    """Rotated, whatever the daemon's default is: a stock one keeps everything, and fills its disk."""
    return {"Type": "json-file", "Config": {"max-size": str(max_bytes), "max-file": str(max_files)}}


def create_request(config: ContainerConfig) -> dict[str, Any]:
    """The body of `POST /containers/create`; the name goes into the URL.

    Mounts are as they are on the host: a `sub_path` that is still to be looked up there is a ValueError.
    """
    request: dict[str, Any] = {
        "Image": config.image,
        "Labels": {**_NO_LABELS, **config.labels},
        "Env": [f"{name}={_text(value)}" for name, value in config.env.items()],
        "StopTimeout": config.stop_grace_seconds,
        "Healthcheck": _NO_HEALTH_CHECK,
        "HostConfig": _host_config(config),
    }
    request |= _given(
        Entrypoint=list(config.entrypoint),
        Cmd=list(config.command),
        WorkingDir=config.working_dir,
        StopSignal=config.stop_signal,
        User=config.user,
        OpenStdin=config.stdin,
        StdinOnce=config.stdin_once,
        Tty=config.tty,
    )
    if not isinstance(config.network, SharedNetwork):
        request |= _given(Hostname=config.hostname, Domainname=config.domain)
    if isinstance(config.network, PodAddress):
        endpoint = {"IPAMConfig": {"IPv4Address": config.network.ip}, "MacAddress": mac_of(config.network.ip)}
        request |= _given(ExposedPorts={_key(port): {} for port in config.ports})
        request["NetworkingConfig"] = {"EndpointsConfig": {POD_NETWORK: endpoint}}
    return request


def _host_config(config: ContainerConfig) -> dict[str, Any]:
    host: dict[str, Any] = {
        "RestartPolicy": {"Name": RESTART_POLICIES[config.restart_policy]},
        "LogConfig": log_config(config.log_max_bytes, config.log_max_files),
    }
    host |= _network(config)
    host |= _resources(config)
    host |= _security(config)
    return host | _given(
        Mounts=[_mount(mount) for mount in config.mounts],
        IpcMode=config.ipc,
        PidMode=config.pid,
        Sysctls=dict(config.sysctls),
    )


def _network(config: ContainerConfig) -> dict[str, Any]:
    names = _given(
        ExtraHosts=list(config.extra_hosts),
        Dns=list(config.dns_servers),
        DnsSearch=list(config.dns_searches),
        DnsOptions=list(config.dns_options),
    )
    match config.network:
        case PodAddress():
            return {"NetworkMode": POD_NETWORK, **names, **_given(PortBindings=_bindings(config.ports))}
        case HostNetwork():
            return {"NetworkMode": "host", **names}
        case SharedNetwork(container=container):
            # Ports, addresses and every name are the sandbox's: Docker refuses them here.
            return {"NetworkMode": f"container:{container}"}


def _resources(config: ContainerConfig) -> dict[str, Any]:
    return _given(
        **limit_fields(limits_of(config)),
        PidsLimit=config.pids_limit,
        OomScoreAdj=config.oom_score_adj,
    )


def limits_of(config: ContainerConfig) -> ContainerLimits:
    return limits(
        config.cpu_shares, config.cpu_milli_limit, config.memory_limit_bytes, config.memory_request_bytes
    )


def limit_fields(limits: ContainerLimits) -> dict[str, int]:
    """Write limits as Docker has them, in a create request and in an update alike."""
    return {
        "CpuShares": limits.cpu_shares,
        "CpuPeriod": CPU_PERIOD if limits.cpu_quota else 0,
        "CpuQuota": limits.cpu_quota,
        "Memory": limits.memory,
        "MemorySwap": limits.memory_and_swap,
        "MemoryReservation": limits.memory_reservation,
    }


def limit_update(limits: ContainerLimits, pids: int) -> dict[str, int]:
    """The body of `POST /containers/{id}/update`. There, 0 is what it was, and -1 none."""
    changed = {name: value for name, value in limit_fields(limits).items() if value}
    return {**changed, "CpuQuota": limits.cpu_quota or -1, "PidsLimit": pids or -1}


def _security(config: ContainerConfig) -> dict[str, Any]:
    options = []
    if config.no_new_privileges:
        options.append("no-new-privileges:true")
    if config.unconfined:
        options.append("seccomp=unconfined")
    return _given(
        Privileged=config.privileged,
        ReadonlyRootfs=config.read_only_root,
        GroupAdd=[str(group) for group in config.groups],
        CapAdd=list(config.cap_add),
        CapDrop=list(config.cap_drop),
        SecurityOpt=options,
    )


def _mount(mount: Mount) -> dict[str, Any]:
    """Of `Mounts`, not of `Binds`: those make what is not there, here a missing source is an error."""
    common = {"Target": mount.target, "ReadOnly": mount.read_only}
    match mount:
        case HostMount(source=source, sub_path=""):
            return {"Type": "bind", "Source": source, **common}
        case ClaimMount(volume=volume, labels=labels, sub_path=""):
            options = {"NoCopy": True, "Labels": dict(labels), "DriverConfig": {"Name": "local"}}
            return {"Type": "volume", "Source": volume, **common, "VolumeOptions": options}
        case NfsMount(server=server, path=path):
            # Version 4 needs no other service on the host; the kernel by itself would try 3, which does.
            access = "ro" if mount.read_only else "rw"
            driver = {"type": "nfs", "o": f"addr={server},nfsvers=4,{access}", "device": f":{path}"}
            options = {"NoCopy": True, "DriverConfig": {"Name": "local", "Options": driver}}
            return {"Type": "volume", **common, "VolumeOptions": options}
        case _:
            raise ValueError(f"the sub-path of the mount at {mount.target} has not been looked up on the host")


def _bindings(ports: tuple[PublishedPort, ...]) -> dict[str, list[dict[str, str]]]:
    bound: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        if port.host_port:
            address = {"HostIp": port.host_ip} if port.host_ip else {}
            bound.setdefault(_key(port), []).append({**address, "HostPort": str(port.host_port)})
    return bound


def _key(port: PublishedPort) -> str:
    return f"{port.container_port}/{port.protocol.lower()}"


def _text(value: str | SecretText) -> str:
    return value.reveal() if isinstance(value, SecretText) else value


def _given(**fields: Any) -> dict[str, Any]:
    """Without the empty ones: there, Docker's or the image's default holds."""
    return {name: value for name, value in fields.items() if value}
