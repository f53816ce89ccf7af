"""How Deployments, nodes and Services stand, in Kubernetes' own words; pods have a module of their own."""

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import ref_of
from reconciler.model.memory import NodeRecord, PodIntent, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import (
    DeploymentStatus,
    Endpoint,
    NodeStatus,
    PodStatus,
    ServiceStatus,
    Status,
    Unplaced,
)
from reconciler.model.services import is_headless
from reconciler.planning.controllers.availability import Availability
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pod_info import shape_of
from reconciler.planning.state.pods import PodView

EXPECTED_REASONS: Final = frozenset({"", "PodInitializing", "ContainerCreating", "Completed"})
"""Reasons of a pod or a container that tell of no trouble."""


def deployment_status(
    ref: Ref,
    replicas: int,
    template_hash: str,
    staying: Sequence[PodView],
    availability: Availability,
    unplaced: Sequence[Unplaced],
    pods: Mapping[Ref, Status],
) -> DeploymentStatus:
    """`pods` has the status of each pod: the message names what keeps one from being available."""
    available = [availability.of(pod) for pod in staying]
    waiting = [pod for pod, is_available in zip(staying, available, strict=True) if not is_available]
    return DeploymentStatus(
        ref=ref,
        replicas=replicas,
        total=len(staying),
        updated=sum([pod.intent.hash == template_hash for pod in staying]),
        ready=sum([pod.ready for pod in staying]),
        available=sum(available),
        message="; ".join([*(in_words(one) for one in unplaced), *_troubles(waiting, pods)]),
    )


def _troubles(waiting: Iterable[PodView], pods: Mapping[Ref, Status]) -> Iterable[str]:
    """Each different reason once, with the first pod that has it and how many others do."""
    by_reason: dict[str, list[PodStatus]] = {}
    for pod in waiting:
        status = pods.get(pod.intent.ref)
        if isinstance(status, PodStatus) and status.reason not in EXPECTED_REASONS:
            by_reason.setdefault(status.reason, []).append(status)
    for reason, troubled in sorted(by_reason.items()):
        first = min(troubled, key=lambda status: status.ref)
        others = f" and {len(troubled) - 1} more" if len(troubled) > 1 else ""
        words = f"{reason}: {first.message}" if first.message else reason
        yield f"pod {first.ref.name}{others}: {words}"


def in_words(unplaced: Unplaced, most: int | None = None) -> str:
    """Why pods fit nowhere, node by node; of `most` nodes, where that is given, and how many more there are."""
    pods = "1 pod fits" if unplaced.count == 1 else f"{unplaced.count} pods fit"
    told = [f"{node}: {why}" for node, why in islice(unplaced.reasons.items(), most)]
    more = len(unplaced.reasons) - len(told)
    return f"{pods} nowhere: " + ", ".join([*told, *([f"and {more} more nodes"] if more else [])])


def node_statuses(nodes: Mapping[str, NodeView], pods: Iterable[PodIntent]) -> dict[Ref, NodeStatus]:
    counts = dict.fromkeys(nodes, 0)
    cpu = dict.fromkeys(nodes, 0)
    memory = dict.fromkeys(nodes, 0)
    for intent in pods:
        name = intent.node
        requests = shape_of(intent.spec).requests
        counts[name] += 1
        cpu[name] += requests.cpu_milli
        memory[name] += requests.memory_bytes
    statuses = {}
    for name, node in nodes.items():
        facts = node.last.facts if node.last else None
        ref = ref_of(node.manifest)
        statuses[ref] = NodeStatus(
            ref=ref,
            ready=node.answers is not None,
            message=_node_message(node),
            pods=counts[name],
            cpu_milli=facts.cpus * 1000 if facts else 0,
            memory_bytes=facts.memory_bytes if facts else 0,
            cpu_milli_requested=cpu[name],
            memory_bytes_requested=memory[name],
            unschedulable=node.manifest.spec.unschedulable,
            pod_cidr=node.record.pod_cidr,
            engine_version=facts.engine_version if facts else "",
        )
    return statuses


def departed_statuses(records: Mapping[str, NodeRecord], nodes: Container[str]) -> dict[Ref, NodeStatus]:
    """Nodes that the revision does not have any more, until a reset takes off them what still runs there."""
    return {
        (ref := Ref("Node", "", name)): NodeStatus(
            ref=ref,
            ready=False,
            message="it is not in the manifests: what runs there is left as it is, and counts for nothing; "
            f"`reconciler node reset {name} SOURCE` takes it away, with --forget where the host is gone",
            pods=0,
            pod_cidr=record.pod_cidr,
        )
        for name, record in records.items()
        if name not in nodes and record.engine_id
    }


def _node_message(node: NodeView) -> str:
    if node.silent is not None:
        return node.silent.why
    asked = node.manifest.spec.pod_cidr
    if asked and asked != node.record.pod_cidr:
        return f"keeps {node.record.pod_cidr}; `reconciler node reset {node.name} SOURCE` lets it take up {asked}"
    if node.answers is None:
        return ""
    network, proxy, dns = node.answers.network, node.answers.proxy, node.answers.dns
    return "; ".join(dict.fromkeys(filter(None, (network.error, network.unresolved, proxy.error, dns.error))))


def service_status(
    service: Service, record: ServiceRecord, endpoints: Sequence[Endpoint], edges: tuple[str, ...]
) -> ServiceStatus:
    """`edges`: the addresses where a load balancer is reached."""
    spec = service.spec
    ports = [
        f"{port.port}:{given}/{port.protocol}" if given else f"{port.port}/{port.protocol}"
        for port, given in zip(spec.ports, record.node_ports, strict=True)
    ]
    ready = [one for one in endpoints if one.ready]
    rotation = [f"{one.ip}:{port}" for one in ready for port in one.ports if port]
    return ServiceStatus(
        ref=ref_of(service),
        type=spec.type,
        cluster_ip=spec.cluster_ip if is_headless(service) else record.cluster_ip,
        ports=tuple(ports),
        endpoints=tuple(rotation if spec.ports else [one.ip for one in ready]),
        external=_external(service, edges),
        message=record.message,
    )


def _external(service: Service, edges: tuple[str, ...]) -> tuple[str, ...]:
    spec = service.spec
    if spec.type == "ExternalName":
        return (spec.external_name,)
    return (*(edges if spec.type == "LoadBalancer" else ()), *spec.external_ips)
