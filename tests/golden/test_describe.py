"""The pages and tables that people read when something is wrong, for a pod that has everything."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from reconciler.kinds import KIND_BY_NAME
from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.apps import (
    DeploymentSpec,
    DeploymentStrategy,
    MatchLabelsSelector,
    RollingUpdateDeployment,
)
from reconciler.model.api.certificates import Certificate, CertificateStatus
from reconciler.model.api.core.container import (
    Container,
    ContainerPort,
    ExecAction,
    HTTPGetAction,
    Probe,
    ResourceRequirements,
)
from reconciler.model.api.core.container_status import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from reconciler.model.api.core.env import (
    EnvFromRef,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    KeySelector,
    ObjectFieldSelector,
)
from reconciler.model.api.core.node import Taint
from reconciler.model.api.core.persistent_volume_claim import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
)
from reconciler.model.api.core.pod import Pod, PodSpec, PodStatus, PodTemplateSpec, TemplateMeta, Toleration
from reconciler.model.api.core.service import LoadBalancerIngress, LoadBalancerStatus, ServicePort
from reconciler.model.api.core.volume import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    PersistentVolumeClaimVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)
from reconciler.model.api.meta import ObjectMeta, ref_of
from reconciler.model.api.networking import (
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressStatus,
    IngressTLS,
    ServiceBackendPort,
)
from reconciler.model.moments import rfc3339, unix_seconds
from reconciler.model.names import Ref
from reconciler.model.quantities import Quantity
from reconciler.model.records import Event
from reconciler.model.secrets import SecretText
from reconciler.model.sections import IngressSection, ServiceSection
from reconciler.model.traffic import (
    ProxyTraffic,
    SectionTraffic,
    ServerTraffic,
    Silent,
    TrafficCounts,
    TrafficReport,
)
from reconciler.reporting import Context, Line, Table, table_lines, table_of, traffic_objects
from reconciler.reporting.usage import NodeUsage, PodUsage, nodes_usage_table, pods_usage_table
from tests import published
from tests.published import condition, running, terminated

Golden = Callable[[str, str], None]

NOON = unix_seconds("2026-11-23T12:00:00Z")
WEB = Ref("Deployment", "shop", "web")
REF = Ref("Pod", "shop", "web-7c4f1-0")

SPEC = PodSpec(
    containers=(
        Container(
            "web",
            "shop/web:1.2",
            command=("/bin/web", "--config", "/etc/web/web.yaml"),
            ports=(ContainerPort(8080, "http"), ContainerPort(9090, "metrics")),
            env=(
                EnvVar("MODE", "production"),
                EnvVar("PASSWORD", value_from=EnvVarSource(secret_key_ref=KeySelector("database", "password"))),
                EnvVar("MOTD", value_from=EnvVarSource(config_map_key_ref=KeySelector("texts", "motd", True))),
                EnvVar("IP", value_from=EnvVarSource(field_ref=ObjectFieldSelector("status.podIP"))),
            ),
            env_from=(
                EnvFromSource(config_map_ref=EnvFromRef("settings")),
                EnvFromSource("DB_", secret_ref=EnvFromRef("database", True)),
            ),
            resources=ResourceRequirements(
                {"cpu": Quantity.parse("100m"), "memory": Quantity.parse("64Mi")},
                {"memory": Quantity.parse("128Mi")},
            ),
            volume_mounts=(
                VolumeMount("config", "/etc/web", read_only=True),
                VolumeMount("data", "/var/lib/web", sub_path="web"),
            ),
            liveness_probe=Probe(http_get=HTTPGetAction("http", "/healthz"), period_seconds=5),
            readiness_probe=Probe(exec=ExecAction(("test", "-f", "/tmp/ready")), initial_delay_seconds=2),
        ),
    ),
    init_containers=(
        Container("migrate", "shop/migrate:1.2"),
        Container("mesh", "shop/mesh:3", restart_policy="Always"),
    ),
    volumes=(
        Volume("config", config_map=ConfigMapVolumeSource("settings")),
        Volume("tls", secret=SecretVolumeSource("tls")),
        Volume("scratch", empty_dir=EmptyDirVolumeSource("Memory", Quantity.parse("16Mi"))),
        Volume("data", persistent_volume_claim=PersistentVolumeClaimVolumeSource("data")),
    ),
    node_selector={"zone": "a"},
    tolerations=(Toleration("dedicated", "Equal", "shop", "NoSchedule"), Toleration("spot", "Exists")),
)
ENDED = ContainerStateTerminated(
    1, "Error", "connecting to db:5432\nfatal: no route to host\n", finished_at="2026-11-23T11:59:30Z"
)
CRASHES = ContainerStateWaiting("CrashLoopBackOff", "back-off 40s restarting failed container")
POD = published.pod(
    REF,
    ContainerStatus(
        "web",
        "shop/web:1.2",
        restart_count=3,
        state=ContainerState(waiting=CRASHES),
        last_state=ContainerState(terminated=ENDED),
    ),
    ip="10.244.0.7",
    owner=Ref("ReplicaSet", "shop", "web-7c4f1"),
    init=(
        terminated(
            "migrate", "shop/migrate:1.2", 0, "Completed", "", "2026-11-23T11:30:01.5Z", "2026-11-23T11:30:02.5Z"
        ),
        running("mesh", "shop/mesh:3", ready=True, at="2026-11-23T11:30:03Z"),
    ),
    conditions=(
        condition("PodScheduled", True, since=NOON - 1800),
        condition("Initialized", True, since=NOON - 1790),
        condition("ContainersReady", False, "ContainersNotReady", "containers with unready status: web"),
        condition("Ready", False, "ContainersNotReady", "containers with unready status: web"),
        condition("shop/warm", True),
    ),
    qos="Burstable",
    spec=replace(SPEC, node_name="node-1"),
    created=NOON - 1800,
    labels={"app": "web"},
    annotations={"team": "shop"},
)
UNSCHEDULABLE = PodStatus("Pending", "BestEffort", message="1 pod fits nowhere", reason="Unschedulable")
PENDING = Pod(ObjectMeta("job", "shop"), PodSpec(()), UNSCHEDULABLE)
EVENTS = (
    Event(REF, "Normal", "Scheduled", "replica 1 of 2", "node-1", NOON - 1800),
    Event(REF, "Normal", "Pulled", 'Successfully pulled image "shop/web:1.2" in 3.2s', "node-1", NOON - 1795),
    Event(
        REF,
        "Warning",
        "Exited",
        "container web exited with code 1: connecting to db:5432\nfatal: no route to host",
        "node-1",
        NOON - 30,
        3,
    ),
)
DEPLOYMENT = published.deployment(WEB, 2, 2, 2, 1, 1)
WEB_ROLLING = replace(
    DEPLOYMENT,
    spec=DeploymentSpec(
        MatchLabelsSelector({"app": "web"}),
        PodTemplateSpec(PodSpec((Container("web", "shop/web:1.2"),)), TemplateMeta({"app": "web"})),
        2,
        DeploymentStrategy(rolling_update=RollingUpdateDeployment(max_surge=1)),
    ),
)
REPLICA_SETS = (
    published.replica_set(
        "web-5d2aa",
        WEB_ROLLING,
        "5d2aa",
        1,
        created=NOON - 86400,
        spec=PodSpec((Container("web", "shop/web:1.1"),)),
    ),
    published.replica_set("web-7c4f1", WEB_ROLLING, "7c4f1", 2, replicas=2, ready=1, created=NOON - 1800),
)
ASKS = ResourceRequirements({"cpu": Quantity.parse("100m"), "memory": Quantity.parse("64Mi")})
NODE = published.node("node-1", True, "", 4000, 8 << 30, False, "10.244.0.0/24", "20.10.24")
HEARD = IngressStatus(LoadBalancerStatus((LoadBalancerIngress("192.0.2.7"),)))
INGRESS = Ingress(
    ObjectMeta("web", "shop", creation_timestamp=rfc3339(NOON - 60)),
    IngressSpec("haproxy", rules=(IngressRule("shop.example.org"),), tls=(IngressTLS(),)),
    status=HEARD,
)
SERVICE_REF = Ref("Service", "shop", "web")
SERVICE = published.service(
    SERVICE_REF,
    "NodePort",
    "10.96.0.7",
    (ServicePort(80, "http", target_port="http", node_port=30080),),
    selector={"app": "web"},
)
CLAIM = PersistentVolumeClaim(
    ObjectMeta("data", "shop", annotations={"volume.kubernetes.io/selected-node": "node-1"}),
    PersistentVolumeClaimSpec(
        ("ReadWriteOnce",), ResourceRequirements({"storage": Quantity.parse("1Gi")}), "prod_shop_data"
    ),
    PersistentVolumeClaimStatus("Bound"),
)


def text(lines: Sequence[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)


def page(thing: Any, *beside: Any, events: Sequence[Event] = (), **more: Any) -> str:
    """The page of an object; `beside`: what else is published."""
    view = KIND_BY_NAME[type(thing).__name__].view
    assert view is not None
    assert view.describe is not None
    objects = published.by_ref(thing, *beside)
    context = Context(NOON, True, objects, events, **more)
    return text(view.describe(thing, context))


def table(things: Sequence[Any], namespaces: bool = False) -> Table:
    view = KIND_BY_NAME[type(things[0]).__name__].view
    assert view is not None
    return table_of(view, things, Context(NOON, True), namespaces=namespaces)


def test_a_pod(golden: Golden) -> None:
    golden("describe/pod.txt", page(POD, events=EVENTS))


def test_a_pod_that_is_nowhere(golden: Golden) -> None:
    golden("describe/pending.txt", page(PENDING))


def test_a_deployment(golden: Golden) -> None:
    labelled = replace(WEB_ROLLING, metadata=replace(WEB_ROLLING.metadata, labels={"team": "shop"}))
    golden("describe/deployment.txt", page(labelled, *REPLICA_SETS, POD))


def test_a_deployment_whose_new_template_is_held_back() -> None:
    template = replace(WEB_ROLLING.spec.template, spec=PodSpec((Container("web", "shop/web:1.3"),)))
    paused = replace(WEB_ROLLING, spec=replace(WEB_ROLLING.spec, template=template, paused=True))
    lines = page(paused, *REPLICA_SETS).splitlines()
    old, new = (line.partition(":")[2].strip() for line in lines if "ReplicaSet" in line)
    assert old == "web-5d2aa (0/0 replicas created), web-7c4f1 (2/2 replicas created)"
    assert new == "<none>"


def test_a_replica_set(golden: Golden) -> None:
    golden("describe/replica-set.txt", page(REPLICA_SETS[1], REPLICA_SETS[0], WEB_ROLLING, POD))
    shown = (Context(NOON, wide) for wide in (False, True))
    view = KIND_BY_NAME["ReplicaSet"].view
    assert view is not None
    golden(
        "describe/replica-sets.txt",
        "\n".join(text(table_lines(table_of(view, REPLICA_SETS, one))) for one in shown),
    )


def test_a_node(golden: Golden) -> None:
    tainted = replace(NODE, spec=replace(NODE.spec, taints=(Taint("dedicated", "NoSchedule", "shop"),)))
    golden("describe/node.txt", page(tainted, POD))


def test_a_service(golden: Golden) -> None:
    golden("describe/service.txt", page(SERVICE))


def test_how_a_service_does_as_each_proxy_sees_it(golden: Golden) -> None:
    declared = (ServicePort(80, "http", app_protocol="http", node_port=30080), ServicePort(5432, "db"))
    ports = {"http": ServiceSection(SERVICE_REF, "http"), "db": ServiceSection(SERVICE_REF, "db")}
    pods = ("web-7c4f1-0", "10.244.0.7:8080"), ("web-7c4f1-1", "10.244.1.7:8080")
    busy = TrafficCounts(
        *(120, 2, 12, 80, 52100, 993000, 0, 1, 3, 2),
        responses=(0, 117, 0, 2, 1),
        connect_ms=1,
        response_ms=14,
        total_ms=15,
    )
    up = [ServerTraffic(*pod, "UP", busy, check="L4OK", changed_seconds=3600) for pod in pods]
    down = ServerTraffic(*pods[1], "DOWN", TrafficCounts(4, connect_errors=2), 1, "L4CON", "No route to host", 95)
    leaving = ServerTraffic(
        "web-5d2aa-0", "10.244.0.5:8080", "MAINT", TrafficCounts(9, connect_ms=1), changed_seconds=4
    )
    idle = SectionTraffic(ports["db"], TrafficCounts())
    from_outside = replace(ports["http"], way="external")
    told: dict[str, ProxyTraffic] = {
        "node-1": TrafficReport((SectionTraffic(ports["http"], busy, tuple(up), by_request=True, denied=7), idle)),
        "node-2": TrafficReport(
            (
                SectionTraffic(ports["http"], TrafficCounts(4), (up[0], down, leaving), by_request=True),
                SectionTraffic(from_outside, TrafficCounts(), (up[0],), by_request=True),
            )
        ),
        "node-3": Silent("root@192.0.2.3:22 does not answer: No route to host; is the host up?"),
    }
    balanced = replace(SERVICE, spec=replace(SERVICE.spec, ports=declared, selector={}))
    golden("describe/traffic.txt", page(balanced, traffic=told))
    golden("describe/traffic.json", json.dumps(traffic_objects(told), indent=2) + "\n")


def test_how_an_ingress_does(golden: Golden) -> None:
    section = IngressSection(ref_of(INGRESS), "web", "http", https_only=True)
    server = ServerTraffic(
        "web-0", "10.244.0.7:8080", "UP", TrafficCounts(3, responses=(0, 3, 0, 0, 0), response_ms=4), check="L4OK"
    )
    told: dict[str, ProxyTraffic] = {
        "node-1": TrafficReport((SectionTraffic(section, server.counts, (server,), by_request=True),))
    }
    golden("describe/ingress-traffic.txt", page(replace(INGRESS, spec=IngressSpec("haproxy")), traffic=told))


def test_where_no_proxy_tells_anything_it_is_said_why() -> None:
    told: dict[str, ProxyTraffic] = {"node-1": Silent("no connection")}
    assert "node-1  <unknown>           <unknown>" in page(INGRESS, traffic=told)


def test_a_load_balancer(golden: Golden) -> None:
    balancer = published.service(
        SERVICE_REF,
        "LoadBalancer",
        "10.96.0.7",
        (
            ServicePort(80, "http", target_port="http", app_protocol="http", node_port=30080),
            ServicePort(443, "tls"),
        ),
        ("192.0.2.11", "192.0.2.12"),
        "node port 30443 belongs to Service shop/api: choose another nodePort, or leave it out",
        selector={"app": "web"},
        external_ips=("198.51.100.9",),
        session_affinity="ClientIP",
        external_traffic_policy="Local",
        load_balancer_source_ranges=("192.0.2.0/24",),
        publish_not_ready_addresses=True,
    )
    answering = published.endpoints(SERVICE_REF, 8080, "10.244.0.7", "10.244.1.7")
    golden("describe/balancer.txt", page(balancer, answering))


def test_an_external_name(golden: Golden) -> None:
    alias = published.service(
        Ref("Service", "shop", "mail"), "ExternalName", "", (), external_name="mail.example.org"
    )
    golden("describe/alias.txt", page(alias))


def test_an_ingress(golden: Golden) -> None:
    backend = IngressBackend(IngressServiceBackend("web", ServiceBackendPort("http")))
    by_number = IngressBackend(IngressServiceBackend("web", ServiceBackendPort(number=80)))
    paths = HTTPIngressRuleValue((HTTPIngressPath("Prefix", backend, "/"),))
    spec = IngressSpec(
        "haproxy",
        by_number,
        (IngressRule("shop.example.org", paths), IngressRule("www.example.org")),
        (
            IngressTLS(("shop.example.org",), "site"),
            IngressTLS(secret_name="old"),
            IngressTLS(secret_name="own"),
            IngressTLS(secret_name="bad"),
            IngressTLS(),
        ),
    )
    server, nothing = "https://acme.example.org/directory", SecretText("")
    issued = {
        name: IssuedCertificate(("shop.example.org",), server, nothing, nothing, NOON - 86400, NOON + left)
        for name, left in (("site", 89 * 86400.0), ("old", -1.0))
    }
    certificates = [certificate(name, one.not_after) for name, one in issued.items()]
    certificates += [certificate("own", NOON + 3 * 86400), certificate("bad", message="tls.crt is no PEM")]
    golden("describe/ingress.txt", page(replace(INGRESS, spec=spec), *certificates, issued=issued))


def certificate(name: str, end: float = 0.0, message: str = "") -> Certificate:
    ready = condition("Ready", bool(end), message=message)
    return Certificate(ObjectMeta(name, "shop"), CertificateStatus(rfc3339(end), (ready,)))


def test_a_claim(golden: Golden) -> None:
    volume = Volume("data", persistent_volume_claim=PersistentVolumeClaimVolumeSource("data"))
    user = published.pod(REF, spec=PodSpec((), volumes=(volume,), node_name="node-1"))
    golden("describe/claim.txt", page(CLAIM, user))


def test_tables(golden: Golden) -> None:
    pods = table([POD, PENDING], namespaces=True)
    claims = table([CLAIM])
    ingresses = table([INGRESS])
    usages = [PodUsage(REF, "mesh", 3, 12 << 20), PodUsage(REF, "web", 120, 90 << 20)]
    top = pods_usage_table(usages, namespaces=True, containers=True)
    nodes = nodes_usage_table([NodeUsage("node-1", 250, 2 << 30, 4000, 8 << 30), NodeUsage("node-2", 1, 1, 0, 0)])
    shown = [text(table_lines(each)) for each in (pods, claims, ingresses, top, nodes)]
    golden("describe/tables.txt", "\n".join(shown))
