"""Statuses in columns, as `kubectl get` prints them; what we don't know has no column."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from reconciler.model.names import Ref
from reconciler.model.plan import (
    ClaimStatus,
    DeploymentStatus,
    IngressStatus,
    NodeStatus,
    PodStatus,
    ServiceStatus,
    Status,
)
from reconciler.reporting.ages import age
from reconciler.reporting.lines import Line, Style, inert
from reconciler.reporting.pods_table import pod_columns


class Table(Struct, frozen=True):
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table(statuses: Sequence[Status], wide: bool = False, namespaces: bool = False, now: float = 0.0) -> Table:
    """Statuses of one kind, sorted by namespace and name; `namespaces` puts theirs in the first column.

    `now` is Unix seconds; without it no age is told."""
    ordered = sorted(statuses, key=lambda status: status.ref)
    named = [_columns(status, wide, now) for status in ordered]
    if not named:
        return Table((), ())
    if namespaces and any(status.ref.namespace for status in ordered):
        named = [
            {"NAMESPACE": status.ref.namespace, **columns} for status, columns in zip(ordered, named, strict=True)
        ]
    return Table(tuple(named[0]), tuple(tuple(columns.values()) for columns in named))


def table_lines(shown: Table) -> list[Line]:
    """Aligned, with kubectl's three blanks between columns."""
    if not shown.header:
        return [Line(Style.PLAIN, "No resources found.")]
    cells = [tuple(inert(cell) for cell in row) for row in (shown.header, *shown.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    texts = [
        "   ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return [Line(Style.HEAD, texts[0]), *(Line(Style.PLAIN, text) for text in texts[1:])]


def manifests_table(manifests: Mapping[Ref, Mapping[str, Any]], namespaces: bool = False) -> Table:
    """Objects of one kind that have no status: their names, and how many values they hold."""
    named = [_manifest(ref, manifests[ref]) for ref in sorted(manifests)]
    if namespaces and any(ref.namespace for ref in manifests):
        named = [
            {"NAMESPACE": ref.namespace, **columns} for ref, columns in zip(sorted(manifests), named, strict=True)
        ]
    return Table(tuple(named[0]), tuple(tuple(columns.values()) for columns in named)) if named else Table((), ())


def _manifest(ref: Ref, manifest: Mapping[str, Any]) -> dict[str, str]:
    if ref.kind not in ("ConfigMap", "Secret"):
        return {"NAME": ref.name}
    values = {**manifest.get("data", {}), **manifest.get("stringData", {})}
    return {"NAME": ref.name, "DATA": str(len(values))}


def _columns(status: Status, wide: bool, now: float) -> dict[str, str]:
    match status:
        case PodStatus():
            return pod_columns(status, wide, now)
        case DeploymentStatus():
            return _deployment(status, wide)
        case NodeStatus():
            return _node(status, wide)
        case ServiceStatus():
            return _service(status, wide)
        case IngressStatus():
            return _ingress(status, wide, now)
        case ClaimStatus():
            return _claim(status, wide)


def _deployment(deployment: DeploymentStatus, wide: bool) -> dict[str, str]:
    columns = {
        "NAME": deployment.ref.name,
        "READY": f"{deployment.ready}/{deployment.replicas}",
        "UP-TO-DATE": str(deployment.updated),
        "AVAILABLE": str(deployment.available),
    }
    return columns | {"MESSAGE": deployment.message or "<none>"} if wide else columns


def _node(node: NodeStatus, wide: bool) -> dict[str, str]:
    columns = {
        "NAME": node.ref.name,
        "STATUS": ("Ready" if node.ready else "NotReady") + (",SchedulingDisabled" if node.unschedulable else ""),
        "PODS": str(node.pods),
        "CPU": _used(f"{node.cpu_milli_requested}m", f"{node.cpu_milli}m", known=node.cpu_milli > 0),
        "MEMORY": _used(_mebi(node.memory_bytes_requested), _mebi(node.memory_bytes), known=node.memory_bytes > 0),
        "VERSION": node.engine_version or "<unknown>",
    }
    if wide:
        columns |= {"POD-CIDR": node.pod_cidr or "<none>", "MESSAGE": node.message or "<none>"}
    return columns


def _used(requested: str, capacity: str, known: bool) -> str:
    return f"{requested}/{capacity}" if known else f"{requested}/<unknown>"


def _mebi(number: int) -> str:
    return f"{number // 2**20}Mi"


def _service(service: ServiceStatus, wide: bool) -> dict[str, str]:
    columns = {
        "NAME": service.ref.name,
        "TYPE": service.type,
        "CLUSTER-IP": service.cluster_ip or "<none>",
        "EXTERNAL-IP": "<none>",
        "PORT(S)": ",".join(service.ports) or "<none>",
    }
    return columns | {"ENDPOINTS": ",".join(service.endpoints) or "<none>"} if wide else columns


def _ingress(ingress: IngressStatus, wide: bool, now: float) -> dict[str, str]:
    columns = {
        "NAME": ingress.ref.name,
        "CLASS": ingress.class_name or "<none>",
        "HOSTS": ",".join(ingress.hosts) or "*",
        "ADDRESS": ",".join(ingress.addresses),
        "PORTS": ", ".join(map(str, ingress.ports)),
        "AGE": age(now - ingress.created) if ingress.created and now else "<unknown>",
    }
    return columns | {"MESSAGE": ingress.message or "<none>"} if wide else columns


def _claim(claim: ClaimStatus, wide: bool) -> dict[str, str]:
    columns = {
        "NAME": claim.ref.name,
        "STATUS": claim.phase,
        "VOLUME": claim.volume or "<none>",
        "NODE": claim.node or "<none>",
    }
    return columns | {"MESSAGE": claim.message or "<none>"} if wide else columns
