"""What pods and nodes use, in the columns of `kubectl top`."""

from collections.abc import Sequence

from msgspec import Struct

from reconciler.model.names import Ref
from reconciler.reporting.tables import Table


class PodUsage(Struct, frozen=True):
    pod: Ref
    container: str
    """Empty: all of them together."""
    cpu_milli: int
    memory_bytes: int


class NodeUsage(Struct, frozen=True):
    name: str
    cpu_milli: int
    memory_bytes: int
    cpu_milli_capacity: int
    """0: not known, as with the memory's."""
    memory_bytes_capacity: int


def pods_usage_table(usages: Sequence[PodUsage], *, namespaces: bool, containers: bool) -> Table:
    """Return the table of what pods use, in the order given. Rule: kubectl/pkg/metricsutil/metrics_printer.go"""
    header = (
        *(("NAMESPACE",) if namespaces else ()),
        *(("POD", "NAME") if containers else ("NAME",)),
        "CPU(cores)",
        "MEMORY(bytes)",
    )
    rows = tuple(
        (
            *((one.pod.namespace,) if namespaces else ()),
            one.pod.name,
            *((one.container,) if containers else ()),
            _milli(one.cpu_milli),
            _mebi(one.memory_bytes),
        )
        for one in usages
    )
    return Table(header, rows) if rows else Table((), ())


def nodes_usage_table(usages: Sequence[NodeUsage]) -> Table:
    rows = tuple(
        (
            one.name,
            _milli(one.cpu_milli),
            _percent(one.cpu_milli, one.cpu_milli_capacity),
            _mebi(one.memory_bytes),
            _percent(one.memory_bytes, one.memory_bytes_capacity),
        )
        for one in usages
    )
    header = ("NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)")
    return Table(header, rows) if rows else Table((), ())


def usage_json(one: PodUsage | NodeUsage) -> dict[str, object]:
    """Whole numbers: thousandths of a core, and bytes."""
    named: dict[str, object] = (
        {
            "namespace": one.pod.namespace,
            "pod": one.pod.name,
            **({"container": one.container} if one.container else {}),
        }
        if isinstance(one, PodUsage)
        else {"node": one.name}
    )
    return {**named, "cpuMilli": one.cpu_milli, "memoryBytes": one.memory_bytes}


def _milli(number: int) -> str:
    return f"{number}m"


def _mebi(number: int) -> str:
    return f"{number // 2**20}Mi"


def _percent(part: int, whole: int) -> str:
    return f"{part * 100 // whole}%" if whole else "<unknown>"
