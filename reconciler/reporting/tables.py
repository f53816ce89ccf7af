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
from reconciler.reporting.services_table import endpoints_columns, service_columns


class Table(Struct, frozen=True):
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table(statuses: Sequence[Status], wide: bool = False, namespaces: bool = False, now: float = 0.0) -> Table:
    """Statuses of one kind, sorted by namespace and name; `namespaces` puts theirs in the first column.

    `now` is Unix seconds; without it no age is told."""
    return _rows([(status.ref, _columns(status, wide, now)) for status in statuses], namespaces)


def endpoints_table(
    services: Sequence[ServiceStatus], wide: bool = False, namespaces: bool = False, now: float = 0.0
) -> Table:
    """Who answers for each; an ExternalName has nobody to."""
    balanced = [service for service in services if service.type != "ExternalName"]
    return _rows([(service.ref, endpoints_columns(service, wide, now)) for service in balanced], namespaces)


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
    """Objects of one kind that have no status: their names, and what they hold."""
    return _rows([(ref, _manifest(ref, manifest)) for ref, manifest in manifests.items()], namespaces)


def _rows(named: Sequence[tuple[Ref, dict[str, str]]], namespaces: bool) -> Table:
    """All have the same columns."""
    ordered = sorted(named, key=lambda pair: pair[0])
    if namespaces and any(ref.namespace for ref, _ in ordered):
        ordered = [(ref, {"NAMESPACE": ref.namespace, **columns}) for ref, columns in ordered]
    if not ordered:
        return Table((), ())
    return Table(tuple(ordered[0][1]), tuple(tuple(columns.values()) for _, columns in ordered))


def _manifest(ref: Ref, manifest: Mapping[str, Any]) -> dict[str, str]:
    if ref.kind == "EndpointSlice":
        return _endpoint_slice(ref, manifest)
    if ref.kind not in ("ConfigMap", "Secret"):
        return {"NAME": ref.name}
    values = {**manifest.get("data", {}), **manifest.get("stringData", {})}
    return {"NAME": ref.name, "DATA": str(len(values))}


def _endpoint_slice(ref: Ref, manifest: Mapping[str, Any]) -> dict[str, str]:
    return {
        "NAME": ref.name,
        "ADDRESSTYPE": manifest.get("addressType", "IPv4"),
        "PORTS": ",".join(str(port["port"]) for port in manifest.get("ports", ())) or "<unset>",
        "ENDPOINTS": ",".join(one["addresses"][0] for one in manifest.get("endpoints", ())) or "<unset>",
    }


def _columns(status: Status, wide: bool, now: float) -> dict[str, str]:
    match status:
        case PodStatus():
            return pod_columns(status, wide, now)
        case DeploymentStatus():
            return _deployment(status, wide)
        case NodeStatus():
            return _node(status, wide)
        case ServiceStatus():
            return service_columns(status, wide, now)
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
        columns |= {
            "POD-CIDR": node.pod_cidr or "<none>",
            "LEADER": node.leader or "<none>",
            "EPOCH": str(node.lease_epoch or "<none>"),
            "MESSAGE": node.message or "<none>",
        }
    return columns


def _used(requested: str, capacity: str, known: bool) -> str:
    return f"{requested}/{capacity}" if known else f"{requested}/<unknown>"


def _mebi(number: int) -> str:
    return f"{number // 2**20}Mi"


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
