"""The pages and tables that people read when something is wrong, for a pod that has everything."""

import json
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.core.container import (
    Container,
    ContainerPort,
    ExecAction,
    HTTPGetAction,
    Probe,
    ResourceRequirements,
)
from reconciler.model.api.core.env import (
    EnvFromRef,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    KeySelector,
    ObjectFieldSelector,
)
from reconciler.model.api.core.pod import PodSpec, Toleration
from reconciler.model.api.core.volume import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    PersistentVolumeClaimVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.observed import Ended
from reconciler.model.plan import (
    CertificateStatus,
    ClaimStatus,
    Condition,
    ContainerStatus,
    DeploymentStatus,
    IngressStatus,
    NodeStatus,
    PodStatus,
    ServiceStatus,
)
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
from reconciler.reporting import Line, table, table_lines, traffic_objects
from reconciler.reporting.describing import (
    describe_claim,
    describe_deployment,
    describe_ingress,
    describe_node,
    describe_pod,
    describe_service,
)
from reconciler.reporting.moments import unix_seconds
from reconciler.reporting.usage import NodeUsage, PodUsage, nodes_usage_table, pods_usage_table

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
INTENT = PodIntent("u1", "shop", REF.name, "node-1", "7c4f1", "r", "10.244.0.7", WEB, {"app": "web"}, SPEC)
POD = PodStatus(
    REF,
    "u1",
    "node-1",
    "10.244.0.7",
    "Running",
    False,
    owner=WEB,
    containers=(
        ContainerStatus(
            "migrate",
            "shop/migrate:1.2",
            "terminated",
            "Completed",
            exit_code=0,
            kind="init",
            started_at="2026-11-23T11:30:01.5Z",
            finished_at="2026-11-23T11:30:02.5Z",
        ),
        ContainerStatus(
            "mesh",
            "shop/mesh:3",
            "running",
            kind="sidecar",
            ready=True,
            started=True,
            started_at="2026-11-23T11:30:03Z",
        ),
        ContainerStatus(
            "web",
            "shop/web:1.2",
            "waiting",
            "CrashLoopBackOff",
            "back-off 40s restarting failed container",
            restarts=3,
            last_end=Ended(1, at="2026-11-23T11:59:30Z", log="connecting to db:5432\nfatal: no route to host\n"),
        ),
    ),
    conditions=(
        Condition("PodScheduled", True, since=NOON - 1800),
        Condition("Initialized", True, since=NOON - 1790),
        Condition("ContainersReady", False, "ContainersNotReady", "containers with unready status: web"),
        Condition("Ready", False, "ContainersNotReady", "containers with unready status: web"),
        Condition("shop/warm", True),
    ),
    qos="Burstable",
    created=NOON - 1800,
)
PENDING = PodStatus(
    Ref("Pod", "shop", "job"), "", "", "", "Pending", False, reason="Unschedulable", message="1 pod fits nowhere"
)
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
DEPLOYMENT = DeploymentStatus(WEB, 2, 2, 2, 1, 1)
NODE = NodeStatus(
    Ref("Node", "", "node-1"), True, "", 1, 4000, 8 << 30, 100, 64 << 20, False, "10.244.0.0/24", "20.10.24"
)
INGRESS = IngressStatus(
    Ref("Ingress", "shop", "web"), "haproxy", ("shop.example.org",), ("192.0.2.7",), (80, 443), created=NOON - 60
)
SERVICE = ServiceStatus(Ref("Service", "shop", "web"), "NodePort", "10.96.0.7", ("80:30080/TCP",), ())
CLAIM = ClaimStatus(Ref("PersistentVolumeClaim", "shop", "data"), "Bound", "node-1", "prod_shop_data")


def text(lines: Sequence[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)


def test_a_pod(golden: Golden) -> None:
    golden("describe/pod.txt", text(describe_pod(POD, INTENT, {"team": "shop"}, EVENTS, NOON)))


def test_a_pod_that_is_nowhere(golden: Golden) -> None:
    golden("describe/pending.txt", text(describe_pod(PENDING, None, {}, (), NOON)))


def test_a_deployment(golden: Golden) -> None:
    manifest = {
        "metadata": {"labels": {"team": "shop"}},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"rollingUpdate": {"maxSurge": 1}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "shop/web:1.2"}]},
            },
        },
    }
    golden("describe/deployment.txt", text(describe_deployment(DEPLOYMENT, manifest, [POD], (), NOON)))


def test_a_node(golden: Golden) -> None:
    manifest = {"spec": {"taints": [{"key": "dedicated", "value": "shop", "effect": "NoSchedule"}]}}
    golden("describe/node.txt", text(describe_node(NODE, manifest, [POD], (), NOON)))


def test_a_service(golden: Golden) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    manifest = {"spec": {"selector": {"app": "web"}, "ports": ports}}
    golden("describe/service.txt", text(describe_service(SERVICE, manifest, (), NOON)))


def test_how_a_service_does_as_each_proxy_sees_it(golden: Golden) -> None:
    spec = {"ports": [{"name": "http", "port": 80, "appProtocol": "http"}, {"name": "db", "port": 5432}]}
    ports = {"http": ServiceSection(SERVICE.ref, "http"), "db": ServiceSection(SERVICE.ref, "db")}
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
    shown = text(describe_service(SERVICE, {"spec": spec}, (), NOON, told))
    golden("describe/traffic.txt", shown)
    golden("describe/traffic.json", json.dumps(traffic_objects(told), indent=2) + "\n")


def test_how_an_ingress_does(golden: Golden) -> None:
    section = IngressSection(INGRESS.ref, "web", "http", https_only=True)
    server = ServerTraffic(
        "web-0", "10.244.0.7:8080", "UP", TrafficCounts(3, responses=(0, 3, 0, 0, 0), response_ms=4), check="L4OK"
    )
    told: dict[str, ProxyTraffic] = {
        "node-1": TrafficReport((SectionTraffic(section, server.counts, (server,), by_request=True),))
    }
    golden("describe/ingress-traffic.txt", text(describe_ingress(INGRESS, {}, (), NOON, told)))


def test_where_no_proxy_tells_anything_it_is_said_why() -> None:
    told: dict[str, ProxyTraffic] = {"node-1": Silent("no connection")}
    assert "node-1  <unknown>           <unknown>" in text(describe_ingress(INGRESS, {}, (), NOON, told))


def test_a_load_balancer(golden: Golden) -> None:
    spec = {
        "selector": {"app": "web"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"},
            {"name": "tls", "port": 443},
        ],
        "externalIPs": ["198.51.100.9"],
        "sessionAffinity": "ClientIP",
        "externalTrafficPolicy": "Local",
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
        "publishNotReadyAddresses": True,
    }
    balancer = ServiceStatus(
        SERVICE.ref,
        "LoadBalancer",
        "10.96.0.7",
        ("80:30080/TCP", "443/TCP"),
        ("10.244.0.7:8080", "10.244.1.7:8080"),
        ("192.0.2.11", "192.0.2.12", "198.51.100.9"),
        "node port 30443 belongs to Service shop/api: choose another nodePort, or leave it out",
    )
    golden("describe/balancer.txt", text(describe_service(balancer, {"spec": spec}, (), NOON)))


def test_an_external_name(golden: Golden) -> None:
    alias = ServiceStatus(Ref("Service", "shop", "mail"), "ExternalName", "", (), (), ("mail.example.org",))
    golden("describe/alias.txt", text(describe_service(alias, {}, (), NOON)))


def test_an_ingress(golden: Golden) -> None:
    service = {"service": {"name": "web", "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": service}]
    spec = {
        "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
        "rules": [{"host": "shop.example.org", "http": {"paths": paths}}, {"host": "www.example.org"}],
        "tls": [
            {"hosts": ["shop.example.org"], "secretName": "site"},
            {"secretName": "old"},
            {"secretName": "own"},
            {"secretName": "bad"},
            {},
        ],
    }
    server, nothing = "https://acme.example.org/directory", SecretText("")
    issued = {
        name: IssuedCertificate(("shop.example.org",), server, nothing, nothing, NOON - 86400, NOON + left)
        for name, left in (("site", 89 * 86400.0), ("old", -1.0))
    }
    ends = {name: CertificateStatus(one.not_after) for name, one in issued.items()}
    ends |= {"own": CertificateStatus(NOON + 3 * 86400), "bad": CertificateStatus(message="tls.crt is no PEM")}
    ingress = replace(INGRESS, certificates=ends)
    golden("describe/ingress.txt", text(describe_ingress(ingress, {"spec": spec}, (), NOON, issued=issued)))


def test_a_claim(golden: Golden) -> None:
    manifest = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    golden("describe/claim.txt", text(describe_claim(CLAIM, manifest, [REF.name], (), NOON)))


def test_tables(golden: Golden) -> None:
    pods = table([POD, PENDING], wide=True, namespaces=True, now=NOON)
    claims = table([CLAIM], wide=True)
    ingresses = table([INGRESS], wide=True, now=NOON)
    usages = [PodUsage(REF, "mesh", 3, 12 << 20), PodUsage(REF, "web", 120, 90 << 20)]
    top = pods_usage_table(usages, namespaces=True, containers=True)
    nodes = nodes_usage_table([NodeUsage("node-1", 250, 2 << 30, 4000, 8 << 30), NodeUsage("node-2", 1, 1, 0, 0)])
    shown = [text(table_lines(each)) for each in (pods, claims, ingresses, top, nodes)]
    golden("describe/tables.txt", "\n".join(shown))
