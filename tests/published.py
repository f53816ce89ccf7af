"""Objects as they are published, in few words, for tests of what shows, stores or compares them."""

from typing import Any, Literal

from reconciler.model.api.apps import (
    ANNOTATION_REVISION,
    LABEL_TEMPLATE_HASH,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    MatchLabelsSelector,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
)
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.container_status import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from reconciler.model.api.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from reconciler.model.api.core.node import Node, NodeSpec, NodeStatus, NodeSystemInfo, SshAddress
from reconciler.model.api.core.pod import (
    Pod,
    PodIP,
    PodPhase,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    QOSClass,
    TemplateMeta,
)
from reconciler.model.api.core.service import (
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
    load_balancer_ingress,
)
from reconciler.model.api.meta import Condition, Object, ObjectMeta, OwnerReference, condition_of
from reconciler.model.moments import rfc3339
from reconciler.model.names import Ref
from reconciler.model.quantities import Quantity


def condition(type_name: str, holds: bool, reason: str = "", message: str = "", since: float = 0.0) -> Condition:
    return Condition(type_name, "True" if holds else "False", reason, message, rfc3339(since))


def message_of(thing: Any, type_name: str) -> str:
    """The message of the object's condition of this type, which there is."""
    found = condition_of(thing.status.conditions, type_name)
    assert found is not None
    return found.message


def running(name: str, image: str = "i", *, ready: bool = False, at: str = "", **more: Any) -> ContainerStatus:
    state = ContainerState(running=ContainerStateRunning(at))
    return ContainerStatus(name, image, ready=ready, started=ready, state=state, **more)


def waiting(name: str, image: str = "i", reason: str = "", message: str = "", **more: Any) -> ContainerStatus:
    return ContainerStatus(
        name, image, state=ContainerState(waiting=ContainerStateWaiting(reason, message)), **more
    )


def terminated(name: str, image: str = "i", *end: Any, **more: Any) -> ContainerStatus:
    """`end`: exit code, reason, message, when it started, when it finished."""
    return ContainerStatus(name, image, state=ContainerState(terminated=ContainerStateTerminated(*end)), **more)


def pod(
    ref: Ref,
    *containers: ContainerStatus,
    uid: str = "u1",
    node: str = "node-1",
    ip: str = "",
    phase: PodPhase | Literal["Terminating"] = "Running",
    ready: bool = False,
    reason: str = "",
    message: str = "",
    owner: Ref | None = None,
    init: tuple[ContainerStatus, ...] = (),
    conditions: tuple[Condition, ...] = (),
    spec: PodSpec | None = None,
    created: float = 0.0,
    qos: QOSClass = "BestEffort",
    **metadata: Any,
) -> Pod:
    owners = (OwnerReference("apps/v1", owner.kind, owner.name, controller=True),) if owner else ()
    leaves = phase == "Terminating"
    return Pod(
        ObjectMeta(
            ref.name,
            ref.namespace,
            uid=uid,
            creation_timestamp=rfc3339(created),
            owner_references=owners,
            deletion_grace_period_seconds=30 if leaves else None,
            **metadata,
        ),
        spec or PodSpec((), node_name=node),
        PodStatus(
            "Running" if phase == "Terminating" else phase,
            qos,
            conditions or (condition("Ready", ready),),
            message,
            reason,
            pod_ip=ip,
            pod_ips=(PodIP(ip),) if ip else (),
            init_container_statuses=init,
            container_statuses=containers,
        ),
    )


def deployment(
    ref: Ref,
    replicas: int,
    total: int,
    updated: int,
    ready: int,
    available: int,
    message: str = "",
    spec: DeploymentSpec | None = None,
) -> Deployment:
    """`replicas`: wanted."""
    counts = DeploymentStatus(
        replicas=total,
        updated_replicas=updated,
        ready_replicas=ready,
        available_replicas=available,
        unavailable_replicas=max(0, total - available),
        conditions=(condition("Available", available >= replicas, message=message),),
    )
    template = PodTemplateSpec(PodSpec((Container("web", "lab/web:1.0"),)))
    given = spec or DeploymentSpec(MatchLabelsSelector({"app": "web"}), template, replicas)
    return Deployment(ObjectMeta(ref.name, ref.namespace), given, counts)


def replica_set(
    name: str,
    of: Deployment,
    template_hash: str,
    revision: int,
    *,
    replicas: int = 0,
    ready: int = 0,
    created: float = 0.0,
    spec: PodSpec | None = None,
) -> ReplicaSet:
    """Of a Deployment's template of this hash; it has all the pods that it is to have."""
    labels = {**of.spec.template.metadata.labels, LABEL_TEMPLATE_HASH: template_hash}
    selector = {**of.spec.selector.match_labels, LABEL_TEMPLATE_HASH: template_hash}
    owner = OwnerReference("apps/v1", "Deployment", of.metadata.name, controller=True, block_owner_deletion=True)
    return ReplicaSet(
        ObjectMeta(
            name,
            of.metadata.namespace,
            labels,
            {ANNOTATION_REVISION: str(revision)},
            creation_timestamp=rfc3339(created),
            owner_references=(owner,),
        ),
        ReplicaSetSpec(
            MatchLabelsSelector(selector),
            PodTemplateSpec(spec or of.spec.template.spec, TemplateMeta(labels)),
            replicas,
        ),
        ReplicaSetStatus(replicas, replicas, ready, ready),
    )


def node(
    name: str,
    ready: bool = True,
    message: str = "",
    cpu_milli: int = 0,
    memory_bytes: int = 0,
    unschedulable: bool = False,
    pod_cidr: str = "",
    engine_version: str = "",
    **metadata: Any,
) -> Node:
    capacity = {"cpu": Quantity.parse(f"{cpu_milli}m"), "memory": Quantity.parse(memory_bytes)}
    return Node(
        ObjectMeta(name, **metadata),
        SshAddress("root", name),
        spec=NodeSpec(unschedulable=unschedulable, pod_cidr=pod_cidr),
        status=NodeStatus(
            capacity if cpu_milli else {},
            conditions=(condition("Ready", ready, message=message),),
            node_info=NodeSystemInfo(
                container_runtime_version=f"docker://{engine_version}" if engine_version else ""
            ),
        ),
    )


def service(
    ref: Ref,
    type_name: Any = "ClusterIP",
    cluster_ip: str = "10.96.0.1",
    ports: tuple[ServicePort, ...] = (ServicePort(80),),
    edges: tuple[str, ...] = (),
    message: str = "",
    created: float = 0.0,
    **spec: Any,
) -> Service:
    refused = (condition("Allocated", False, "NotAvailable", message),) if message else ()
    balancer = LoadBalancerStatus(tuple(load_balancer_ingress(one) for one in edges))
    return Service(
        ObjectMeta(ref.name, ref.namespace, creation_timestamp=rfc3339(created)),
        ServiceSpec(ports, type=type_name, cluster_ip=cluster_ip, **spec),
        status=ServiceStatus(balancer, refused),
    )


def endpoints(ref: Ref, port: int, *ips: str) -> Endpoints:
    """Of the Service `ref`."""
    subset = EndpointSubset(tuple(EndpointAddress(ip) for ip in ips), (EndpointPort(port),))
    return Endpoints(ObjectMeta(ref.name, ref.namespace), (subset,) if ips else ())


def by_ref(*things: Object) -> dict[Ref, Any]:
    """The objects under their references, as they are published."""
    return {Ref(type(one).__name__, one.metadata.namespace, one.metadata.name): one for one in things}
