"""What containers and a host use now: two samples of Docker's counters, and of the kernel's, some time apart."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from msgspec import Struct

from reconciler.model.names import LABEL_CONTAINER, LABEL_UID, SANDBOX, Uid
from reconciler.nodes.access.host import HostAccess
from reconciler.nodes.docker.engine import engine_errors
from reconciler.nodes.errors import EngineError

_APART_SECONDS: Final = 1.0
_AT_ONCE: Final = 4
_KIBI: Final = 1024


class Usage(Struct, frozen=True):
    cpu_milli: int
    memory_bytes: int
    """What the kernel could not take back at once: the working set, as kubelet reports it."""


class ContainerUsage(Struct, frozen=True):
    uid: Uid
    container: str
    usage: Usage


class Sample(Struct, frozen=True):
    """Counters of one container at one moment."""

    cpu_nanoseconds: int
    memory_bytes: int
    at: float
    """Monotonic seconds, ours: the reply's own time has a whole second's resolution on some engines."""


def containers_usage(host: HostAccess) -> tuple[ContainerUsage, ...]:
    """Measure every running container of the cluster's pods; takes about a second. Raises NodeError."""
    running = [each for each in host.listed([LABEL_UID]) if each.get("State") == "running"]
    if not running:
        return ()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        before = list(pool.map(lambda each: _sample(host, each["Id"]), running))
        time.sleep(_APART_SECONDS)
        after = list(pool.map(lambda each: _sample(host, each["Id"]), running))
    return tuple(
        ContainerUsage(each["Labels"][LABEL_UID], name, usage_between(first, second))
        for each, first, second in zip(running, before, after, strict=True)
        if first is not None and second is not None
        if (name := each["Labels"].get(LABEL_CONTAINER, "")) != SANDBOX
    )


def host_usage(host: HostAccess, node: str) -> Usage:
    """Measure the whole machine; takes about a second. Raises NodeError."""
    shell = host.shell(node)
    try:
        before = read_busy(shell.check(["cat", "/proc/stat"]))
        time.sleep(_APART_SECONDS)
        after = read_busy(shell.check(["cat", "/proc/stat"]))
        memory = read_used_memory(shell.check(["cat", "/proc/meminfo"]))
    finally:
        shell.close()
    whole = after.total - before.total
    busy = (after.busy - before.busy) / whole if whole > 0 else 0.0
    return Usage(round(busy * after.cpus * 1000), memory)


def read_sample(stats: Mapping[str, Any], at: float) -> Sample | None:
    """Read a sample from the answer to `GET /containers/{id}/stats`; None for a container that has just ended,
    whose counters are gone.
    """
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details: Mapping[str, int] = memory.get("stats") or {}
    # cgroup v1 and v2 name it differently
    spare = details.get("total_inactive_file", details.get("inactive_file", 0))
    return Sample(
        int(stats["cpu_stats"]["cpu_usage"]["total_usage"]), max(0, int(memory["usage"]) - int(spare)), at
    )


def usage_between(before: Sample, after: Sample) -> Usage:
    """CPU rounded up, as kubectl does: a container that works at all is never shown with 0m."""
    spent, passed = after.cpu_nanoseconds - before.cpu_nanoseconds, after.at - before.at
    milli = -int(-spent / (passed * 1e6) // 1) if passed > 0 and spent > 0 else 0
    return Usage(milli, after.memory_bytes)


class Busy(Struct, frozen=True):
    """Clock ticks of all CPUs together since the start of the host."""

    busy: int
    total: int
    cpus: int


def read_busy(proc_stat: str) -> Busy:
    """Read how busy a machine has been from /proc/stat: `cpu user nice system idle iowait irq softirq steal guest
    guest_nice`.
    """
    lines = proc_stat.splitlines()
    ticks = [int(field) for field in lines[0].split()[1:9]]
    idle = sum(ticks[3:5])
    cpus = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)
    return Busy(sum(ticks) - idle, sum(ticks), cpus)


def read_used_memory(meminfo: str) -> int:
    """Bytes, from /proc/meminfo."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    return (_kib(fields, "MemTotal") - _kib(fields, "MemAvailable")) * _KIBI


def _kib(fields: Mapping[str, str], name: str) -> int:
    words: Sequence[str] = fields.get(name, "0").split()
    return int(words[0])


def _sample(host: HostAccess, container: str) -> Sample | None:
    engine: Any = host.engine
    try:
        with engine_errors("stats"):
            stats: dict[str, Any] = engine._result(
                engine._get(
                    engine._url("/containers/{0}/stats", container),
                    params={"stream": "false", "one-shot": "true"},
                ),
                json=True,
            )
    except EngineError as error:
        if error.status in (404, 409):  # gone meanwhile
            return None
        raise
    return read_sample(stats, time.monotonic())
