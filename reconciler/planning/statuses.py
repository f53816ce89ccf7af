"""How every object stands, in Kubernetes' own words."""

from collections.abc import Iterable, Mapping, Sequence

from reconciler.model.memory import Backoff, ServiceRecord
from reconciler.model.names import SANDBOX, Ref, Uid
from reconciler.model.objects import Service, ref_of
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import (
    ContainerStatus,
    DeploymentStatus,
    Endpoint,
    NodeStatus,
    Phase,
    PodStatus,
    ServiceStatus,
    Unplaced,
)
from reconciler.model.pods import Container
from reconciler.planning.controllers.availability import Availability
from reconciler.planning.controllers.node import NodeView
from reconciler.planning.controllers.service import HEADLESS
from reconciler.planning.demands import Demands
from reconciler.planning.pods import PodView
from reconciler.planning.steps import missing_image

_BACKED_OFF = {"ErrImagePull": "ImagePullBackOff"}
_NETWORK_MISSING = "the node's pod network is not set up yet"


def pod_status(pod: PodView, backoff: Backoff | None, now: float) -> PodStatus:
    intent = pod.intent
    reason, message = ("", "") if pod.running else _waiting(pod, backoff, now)
    silent = pod.node.silent
    if silent is not None:
        reason, message = "NodeLost" if pod.node.lost else "NodeUnreachable", silent.why
    elif intent.wanted == "leave":
        reason, message = "Leaving", f"{intent.reason}; {backoff.message}" if backoff else intent.reason
    spec = intent.spec
    found = pod.containers
    if spec is not None:
        containers = tuple(
            [
                _container_status(found[one.name]) if one.name in found else _absent(one, reason, message)
                for one in spec.containers
            ]
        )
    else:
        containers = tuple(_container_status(one) for name, one in sorted(found.items()) if name != SANDBOX)
    if not reason and not pod.running:
        reason = next((one.reason for one in containers if one.state != "running" and one.reason), "")
    return PodStatus(
        ref=intent.ref,
        uid=intent.uid,
        node=intent.node,
        ip=intent.ip,
        phase=_phase(pod),
        ready=pod.ready,
        hash=intent.hash,
        owner=intent.owner,
        reason=reason,
        message=message,
        containers=containers,
    )


def _phase(pod: PodView) -> Phase:
    if pod.node.silent is not None:
        return "Unknown"
    if pod.intent.wanted == "leave":
        return "Terminating"
    if pod.running:
        return "Running"
    if pod.finished:
        return pod.finished
    begun = any(one.state in ("running", "restarting", "exited", "paused") for one in pod.containers.values())
    return "Running" if begun else "Pending"


def _waiting(pod: PodView, backoff: Backoff | None, now: float) -> tuple[str, str]:
    """Why it does not run, where that is not a container's own doing. First match wins."""
    answers = pod.node.answers
    if backoff is not None:
        waits = now < backoff.not_before and backoff.failures > 1
        reason = backoff.reason or "CreateContainerError"
        return (_BACKED_OFF.get(reason, reason) if waits else reason), backoff.message
    if pod.containers or answers is None:
        return "", ""
    if image := missing_image(pod, answers.images):
        return "ErrImageNeverPull", f"image {image} is not on {pod.node.name}, and imagePullPolicy is Never"
    network = answers.network
    return "ContainerCreating", "" if network.fingerprint else f"{_NETWORK_MISSING}: {network.error}".rstrip(": ")


def _absent(container: Container, reason: str, message: str) -> ContainerStatus:
    return ContainerStatus(container.name, container.image, "waiting", reason or "ContainerCreating", message)


def _container_status(found: ObservedContainer) -> ContainerStatus:
    name, image, restarts = found.container, found.image, found.restart_count
    match found.state:
        case "running":
            return ContainerStatus(name, image, "running", restarts=restarts)
        case "paused":
            return ContainerStatus(name, image, "running", "Paused", restarts=restarts)
        case "restarting":
            message = f"it exits with code {found.exit_code}; Docker starts it again, later each time"
            return ContainerStatus(
                name, image, "waiting", "CrashLoopBackOff", message, restarts, exit_code=found.exit_code
            )
        case "created":
            reason = "RunContainerError" if found.error else "ContainerCreating"
            return ContainerStatus(name, image, "waiting", reason, found.error, restarts)
        case "exited":
            return ContainerStatus(
                name, image, "terminated", _end(found), found.error, restarts, exit_code=found.exit_code
            )
        case "removing" | "dead":
            reason = "Removing" if found.state == "removing" else "Dead"
            return ContainerStatus(
                name, image, "terminated", reason, found.error, restarts, exit_code=found.exit_code
            )


def _end(found: ObservedContainer) -> str:
    if found.oom_killed:
        return "OOMKilled"
    return "Completed" if found.exit_code == 0 else "Error"


def pending_status(ref: Ref, unplaced: Unplaced) -> PodStatus:
    """A bare Pod that no node can have now."""
    return PodStatus(ref, "", "", "", "Pending", False, reason="Unschedulable", message=in_words(unplaced))


def deployment_status(
    ref: Ref,
    replicas: int,
    template_hash: str,
    staying: Sequence[PodView],
    availability: Availability,
    unplaced: Sequence[Unplaced],
) -> DeploymentStatus:
    return DeploymentStatus(
        ref=ref,
        replicas=replicas,
        total=len(staying),
        updated=sum([pod.intent.hash == template_hash for pod in staying]),
        ready=sum([pod.ready for pod in staying]),
        available=sum([availability.of(pod) for pod in staying]),
        message="; ".join(in_words(one) for one in unplaced),
    )


def in_words(unplaced: Unplaced) -> str:
    pods = "1 pod fits" if unplaced.count == 1 else f"{unplaced.count} pods fit"
    return f"{pods} nowhere: " + ", ".join(f"{node}: {why}" for node, why in unplaced.reasons.items())


def node_statuses(
    nodes: Mapping[str, NodeView], pods: Iterable[PodView], demands: Demands
) -> dict[Ref, NodeStatus]:
    counts = dict.fromkeys(nodes, 0)
    cpu = dict.fromkeys(nodes, 0)
    memory = dict.fromkeys(nodes, 0)
    for pod in pods:
        name = pod.intent.node
        demand = demands.of(pod.intent)
        counts[name] += 1
        cpu[name] += demand.cpu_milli
        memory[name] += demand.memory_bytes
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


def _node_message(node: NodeView) -> str:
    if node.silent is not None:
        return node.silent.why
    asked = node.manifest.spec.pod_cidr
    if asked and asked != node.record.pod_cidr:
        return f"keeps {node.record.pod_cidr}; `reconciler node reset {node.name}` lets it take up {asked}"
    return "; ".join(filter(None, (node.answers.network.error, node.answers.proxy.error))) if node.answers else ""


def service_status(service: Service, record: ServiceRecord, endpoints: Sequence[Endpoint]) -> ServiceStatus:
    spec = service.spec
    ports = [
        f"{port.port}:{given}/{port.protocol}" if given else f"{port.port}/{port.protocol}"
        for port, given in zip(spec.ports, record.node_ports, strict=True)
    ]
    rotation = [f"{one.ip}:{port}" for one in endpoints if one.ready for port in one.ports if port]
    return ServiceStatus(
        ref=ref_of(service),
        type=spec.type,
        cluster_ip=HEADLESS if spec.cluster_ip == HEADLESS else record.cluster_ip,
        ports=tuple(ports),
        endpoints=tuple(rotation),
    )


def pod_statuses(
    pods: Mapping[Uid, PodView], unplaced: Sequence[Unplaced], backoffs: Mapping[Uid, Backoff], now: float
) -> dict[Ref, PodStatus]:
    """Of two pods of one name the one that stays is shown."""
    statuses = {one.owner: pending_status(one.owner, one) for one in unplaced if one.owner.kind == "Pod"}
    for uid, pod in pods.items():
        status = pod_status(pod, backoffs.get(uid), now)
        if pod.intent.wanted == "run" or status.ref not in statuses:
            statuses[status.ref] = status
    return statuses
