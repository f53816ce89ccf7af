"""What Docker and the host's commands print, read into our own types. Pure; one function per reply."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.limits import CPU_PERIOD, ContainerLimits
from reconciler.model.names import LABEL_IP, POD_NETWORK
from reconciler.model.observed import DockerState, Facts, ObservedContainer, labelled
from reconciler.nodes.docker.create_request import RESTART_POLICIES
from reconciler.nodes.docker.moments import nanoseconds

DockerJson = Mapping[str, Any]

_STATES: frozenset[str] = frozenset(get_args(DockerState))
_POLICIES = {theirs: ours for ours, theirs in RESTART_POLICIES.items()}
_NEVER_OURS = (
    *("NanoCpus", "CpusetCpus", "CpusetMems", "CpuRealtimePeriod", "CpuRealtimeRuntime"),
    *("BlkioWeight", "KernelMemory"),
)
"""What Docker can change, by its names, and no manifest asks for."""
_NEVER = "0001-01-01T00:00:00Z"


class DiskUse(Struct, frozen=True):
    total_bytes: int
    free_bytes: int


def read_container(inspected: DockerJson) -> ObservedContainer:
    """Read a container from the answer to `GET /containers/{id}/json`."""
    state, config = inspected["State"], inspected["Config"]
    return msgspec.structs.replace(
        labelled(config.get("Labels") or {}),
        id=inspected["Id"],
        name=inspected["Name"].removeprefix("/"),
        image=config.get("Image", ""),
        state=_state(state.get("Status", "")),
        ip=_pod_ip(inspected, config.get("Labels") or {}),
        mac=_attached(inspected).get("MacAddress") or "",
        namespace_key=((inspected.get("NetworkSettings") or {}).get("SandboxKey") or "").rpartition("/")[2],
        exit_code=state.get("ExitCode", 0),
        oom_killed=state.get("OOMKilled", False),
        restart_count=inspected.get("RestartCount", 0),
        restart_policy=_restart_policy(inspected),
        limits=_limits(inspected.get("HostConfig")),
        pids_limit=max(0, (inspected.get("HostConfig") or {}).get("PidsLimit") or 0),
        started_at=_moment(state.get("StartedAt", "")),
        finished_at=_moment(state.get("FinishedAt", "")),
        started=_unix(state.get("StartedAt", "")),
        created=_unix(inspected.get("Created", "")),
        error=state.get("Error", ""),
        image_id=inspected.get("Image", ""),
    )


def _restart_policy(inspected: DockerJson) -> RestartPolicy | Literal["Other"] | None:
    policy: DockerJson = (inspected.get("HostConfig") or {}).get("RestartPolicy") or {}
    if not policy.get("Name"):
        return None
    return "Other" if policy.get("MaximumRetryCount") else _POLICIES.get(policy["Name"], "Other")


def _limits(host: DockerJson | None) -> ContainerLimits | None:
    """Docker says -1 of a limit that was taken away, and of swap where the kernel does not count it."""
    if host is None:
        return None

    def of(name: str) -> int:
        return max(0, host.get(name) or 0)

    quota, memory = of("CpuQuota"), of("Memory")
    others = [f"{name}={host[name]}" for name in _NEVER_OURS if host.get(name)]
    if quota and host.get("CpuPeriod") != CPU_PERIOD:
        others.append(f"CpuPeriod={host.get('CpuPeriod')}")
    together = (of("MemorySwap") or memory) if memory else 0
    return ContainerLimits(of("CpuShares"), quota, memory, together, of("MemoryReservation"), tuple(others))


def read_listed(listed: DockerJson) -> ObservedContainer:
    """Read a container from its entry in `GET /containers/json`, which knows no exit code and no moments."""
    return msgspec.structs.replace(
        labelled(listed.get("Labels") or {}),
        id=listed["Id"],
        name=(listed.get("Names") or [listed["Id"]])[0].removeprefix("/"),
        image=listed.get("Image", ""),
        state=_state(listed.get("State", "")),
        ip=_pod_ip(listed, listed.get("Labels") or {}),
        image_id=listed.get("ImageID", ""),
        inspected=False,
    )


def read_ports(inspected: DockerJson) -> tuple[int, ...]:
    """The host ports it holds now, from `GET /containers/{id}/json`."""
    ports = (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    return tuple(
        sorted({int(b["HostPort"]) for bound in ports.values() for b in bound or () if b.get("HostPort")})
    )


def read_listed_ports(listed: DockerJson) -> tuple[int, ...]:
    """The same, from its entry in `GET /containers/json`."""
    return tuple(sorted({port["PublicPort"] for port in listed.get("Ports") or () if port.get("PublicPort")}))


def read_image_tags(images: Sequence[DockerJson]) -> frozenset[str]:
    """Every `name:tag` and `name@sha256:…`, from `GET /images/json`."""
    names = (name for image in images for kind in ("RepoTags", "RepoDigests") for name in image.get(kind) or ())
    return frozenset(name for name in names if "<none>" not in name)


def read_facts(info: DockerJson, disk: DiskUse, load1: float, address: str) -> Facts:
    """Read the facts of a host from `GET /info`, `df`, /proc/loadavg, and the connection."""
    return Facts(
        engine_id=info["ID"],
        engine_version=info.get("ServerVersion", ""),
        os=info.get("OperatingSystem", ""),
        kernel=info.get("KernelVersion", ""),
        architecture=info.get("Architecture", ""),
        cpus=info.get("NCPU", 0),
        memory_bytes=info.get("MemTotal", 0),
        disk_total_bytes=disk.total_bytes,
        disk_free_bytes=disk.free_bytes,
        load1=load1,
        address=address,
    )


def read_disk(output: str) -> DiskUse:
    """Read the use of a disk from `df -kP DIR`: the second line is `device 1024-blocks used available …`."""
    fields = output.splitlines()[1].split()
    return DiskUse(int(fields[1]) * 1024, int(fields[3]) * 1024)


def read_load(output: str) -> float:
    """Read the load of the last minute from /proc/loadavg."""
    return float(output.split()[0])


def _state(status: str) -> DockerState:
    # A state of a newer Docker that we don't know is certainly not "running".
    return status if status in _STATES else "dead"  # type: ignore[return-value]


def _attached(inspected: DockerJson) -> DockerJson:
    """Its place on the pod network."""
    networks: DockerJson = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    return networks.get(POD_NETWORK) or {}


def _pod_ip(inspected: DockerJson, labels: Mapping[str, str]) -> str:
    """What it has, or while it does not run, what it was made with; on its host's network, the host's."""
    attached = _attached(inspected)
    made_with = (attached.get("IPAMConfig") or {}).get("IPv4Address")
    return attached.get("IPAddress") or made_with or labels.get(LABEL_IP, "")


def _unix(text: str) -> float:
    """0 where it is no moment."""
    try:
        return nanoseconds(_moment(text)) / 1e9
    except ValueError:
        return 0.0


def _moment(text: str) -> str:
    return "" if text == _NEVER else text
