"""The pages of everything that is neither a pod nor a Service."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.model.acme import IssuedCertificate
from reconciler.model.plan import (
    CertificateStatus,
    ClaimStatus,
    DeploymentStatus,
    IngressStatus,
    NodeStatus,
    PodStatus,
)
from reconciler.model.records import Event
from reconciler.reporting.ages import age
from reconciler.reporting.describing.page import (
    NONE,
    Entry,
    entry,
    events_entry,
    heading,
    joined,
    known,
    named,
    page,
    pairs,
    rows,
)
from reconciler.reporting.describing.traffic import NOT_ASKED, Traffic, traffic_entries
from reconciler.reporting.lines import Line
from reconciler.reporting.moments import rfc3339
from reconciler.reporting.pods_table import pod_state

_Manifest = Mapping[str, Any]
NONE_ISSUED: Mapping[str, IssuedCertificate] = {}


def describe_deployment(
    deployment: DeploymentStatus,
    manifest: _Manifest,
    pods: Sequence[PodStatus],
    events: Sequence[Event],
    now: float,
) -> list[Line]:
    spec: _Manifest = manifest.get("spec", {})
    strategy: _Manifest = spec.get("strategy", {})
    kind = strategy.get("type", "RollingUpdate")
    rolling: _Manifest = strategy.get("rollingUpdate", {})
    template: _Manifest = spec.get("template", {})
    missing = max(0, deployment.total - deployment.available)
    return page(
        [
            *named(deployment.ref.name, deployment.ref.namespace, manifest),
            entry("Selector", joined(spec.get("selector", {}).get("matchLabels", {}))),
            entry(
                "Replicas",
                f"{deployment.replicas} desired | {deployment.updated} updated | {deployment.total} total | "
                f"{deployment.available} available | {missing} unavailable",
            ),
            entry("StrategyType", kind),
            entry("MinReadySeconds", str(spec.get("minReadySeconds", 0))),
            *(_rolling(rolling) if kind == "RollingUpdate" else ()),
            *known("Message", deployment.message),
            heading("Pod Template", _template(template)),
            _pods(pods),
            events_entry(events, now),
        ]
    )


def describe_node(
    node: NodeStatus, manifest: _Manifest, pods: Sequence[PodStatus], events: Sequence[Event], now: float
) -> list[Line]:
    spec: _Manifest = manifest.get("spec", {})
    taints = tuple(
        f"{taint['key']}{'=' + taint['value'] if taint.get('value') else ''}:{taint['effect']}"
        for taint in spec.get("taints", ())
    )
    return page(
        [
            *named(node.ref.name, "", manifest),
            Entry("Taints", taints or (NONE,)),
            entry("Unschedulable", str(node.unschedulable).lower()),
            heading(
                "Conditions", [rows([("Type", "Status", "Message"), ("Ready", str(node.ready), node.message)])]
            ),
            heading(
                "Capacity",
                [
                    entry("cpu", f"{node.cpu_milli}m" if node.cpu_milli else "<unknown>"),
                    entry("memory", _mebi(node.memory_bytes) if node.memory_bytes else "<unknown>"),
                ],
            ),
            heading(
                "Allocated resources (requests)",
                [
                    entry("cpu", _part(f"{node.cpu_milli_requested}m", node.cpu_milli_requested, node.cpu_milli)),
                    entry(
                        "memory",
                        _part(_mebi(node.memory_bytes_requested), node.memory_bytes_requested, node.memory_bytes),
                    ),
                ],
            ),
            entry("Container Runtime Version", f"docker://{node.engine_version}" if node.engine_version else ""),
            entry("PodCIDR", node.pod_cidr),
            _pods(pods, namespaces=True),
            events_entry(events, now),
        ]
    )


def describe_ingress(
    ingress: IngressStatus,
    manifest: _Manifest,
    events: Sequence[Event],
    now: float,
    traffic: Traffic = NOT_ASKED,
    issued: Mapping[str, IssuedCertificate] = NONE_ISSUED,
) -> list[Line]:
    """`issued`: certificates that an ACME server gave, by the name of the Secret that each stands for."""
    spec: _Manifest = manifest.get("spec", {})
    header = (("Host", "Path", "Backends"), ("----", "----", "--------"))
    ruled = [
        (rule.get("host") or "*", path.get("path") or "/", _backend(path["backend"]))
        for rule in spec.get("rules", ())
        for path in rule.get("http", {}).get("paths", ())
    ]
    default = spec.get("defaultBackend")
    tls = tuple(_tls(one, ingress, issued, now) for one in spec.get("tls", ()))
    return page(
        [
            *named(ingress.ref.name, ingress.ref.namespace, manifest),
            entry("Address", ", ".join(ingress.addresses)),
            entry("Ingress Class", ingress.class_name or NONE),
            *known("Message", ingress.message),
            entry("Default backend", _backend(default) if default else NONE),
            *((Entry("TLS", tls),) if tls else ()),
            heading("Rules", [rows([*header, *ruled])]) if ruled else entry("Rules", NONE),
            *traffic_entries((), traffic),
            events_entry(events, now),
        ]
    )


def _tls(entry: _Manifest, ingress: IngressStatus, issued: Mapping[str, IssuedCertificate], now: float) -> str:
    name, hosts = entry.get("secretName", ""), ",".join(entry.get("hosts", ())) or "*"
    status = ingress.certificates.get(name, _UNTOLD)
    if status.message:
        return f"{name} cannot terminate {hosts}: {status.message}"
    said = f"{name or 'the default certificate'} terminates {hosts}"
    if name in issued:
        said += f", from {issued[name].server}"
    if not status.not_after:
        return said
    left = status.not_after - now
    end = rfc3339(status.not_after)
    return f"{said}, ends {end} (in {age(left)})" if left > 0 else f"{said}, ended {end}"


_UNTOLD: Final = CertificateStatus()


def _backend(backend: _Manifest) -> str:
    service: _Manifest = backend["service"]
    port: _Manifest = service.get("port", {})
    return f"{service['name']}:{port.get('name') or port.get('number')}"


def describe_claim(
    claim: ClaimStatus, manifest: _Manifest, users: Sequence[str], events: Sequence[Event], now: float
) -> list[Line]:
    """`users`: the names of the pods that mount it."""
    spec: _Manifest = manifest.get("spec", {})
    return page(
        [
            *named(claim.ref.name, claim.ref.namespace, manifest),
            entry("Status", claim.phase),
            *known("Message", claim.message),
            entry("Volume", claim.volume or NONE),
            entry("Node", claim.node or NONE),
            entry("Capacity", str(spec.get("resources", {}).get("requests", {}).get("storage", "")) or NONE),
            entry("Access Modes", ",".join(spec.get("accessModes", ())) or NONE),
            Entry("Used By", tuple(users) or (NONE,)),
            events_entry(events, now),
        ]
    )


def _rolling(rolling: _Manifest) -> tuple[Entry, ...]:
    unavailable, surge = rolling.get("maxUnavailable", "25%"), rolling.get("maxSurge", "25%")
    return (entry("RollingUpdateStrategy", f"{unavailable} max unavailable, {surge} max surge"),)


def _template(template: _Manifest) -> list[Entry]:
    spec: _Manifest = template.get("spec", {})
    shown = [pairs("Labels", template.get("metadata", {}).get("labels", {}))]
    for label, field in (("Init Containers", "initContainers"), ("Containers", "containers")):
        images = [entry(one["name"], str(one["image"])) for one in spec.get(field, ())]
        if images:
            shown.append(heading(label, images))
    return shown


def _pods(pods: Sequence[PodStatus], *, namespaces: bool = False) -> Entry:
    if not pods:
        return entry("Pods", NONE)
    header = (*(("Namespace",) if namespaces else ()), "Name", "Status", "Node")
    told = [
        (*((pod.ref.namespace,) if namespaces else ()), pod.ref.name, pod_state(pod), pod.node or NONE)
        for pod in sorted(pods, key=lambda pod: pod.ref)
    ]
    return heading("Pods", [rows([header, *told])])


def _mebi(number: int) -> str:
    return f"{number // 2**20}Mi"


def _part(words: str, part: int, whole: int) -> str:
    return f"{words} ({part * 100 // whole}%)" if whole else words
