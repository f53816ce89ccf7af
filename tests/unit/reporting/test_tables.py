"""`get`: kubectl's columns, and kubectl's words in them."""

import pytest
from msgspec.structs import replace

from reconciler.model.names import Ref
from reconciler.model.plan import ContainerStatus, DeploymentStatus, NodeStatus, PodStatus, ServiceStatus
from reconciler.model.records import Event
from reconciler.reporting import (
    Table,
    endpoints_object,
    endpoints_table,
    event_json,
    event_line,
    events_table,
    manifest_object,
    manifests_table,
    object_list,
    status_object,
    table,
    table_lines,
)
from reconciler.reporting.pods_table import pod_state

WEB = ContainerStatus("web", "lab/web:1.0", "running", restarts=2, ready=True)
PULLING = ContainerStatus("side", "lab/side:1", "waiting", "ImagePullBackOff", "not found")
DONE = ContainerStatus("job", "lab/job:1", "terminated", "Completed", exit_code=0)
KILLED = ContainerStatus("job", "lab/job:1", "terminated", exit_code=137)

POD = PodStatus(
    Ref("Pod", "shop", "web-0"),
    "u1",
    "node-1",
    "10.244.0.2",
    "Running",
    ready=True,
    owner=Ref("Deployment", "shop", "web"),
    containers=(WEB,),
)
DEPLOYMENT = DeploymentStatus(Ref("Deployment", "shop", "web"), 4, 5, 3, 2, 1, "waiting for web-2")
NODE = NodeStatus(
    Ref("Node", "", "node-1"), True, "", 7, 4000, 2**33, 1500, 2**29, True, "10.244.0.0/24", "20.10.24"
)
SERVICE = ServiceStatus(
    Ref("Service", "shop", "web"), "NodePort", "10.96.0.1", ("80:30080/TCP", "9100/TCP"), ("10.244.0.2:8080",)
)


def pod(phase: str, *containers: ContainerStatus, ready: bool = False, reason: str = "") -> PodStatus:
    return PodStatus(POD.ref, "u", "", "", phase, ready, reason=reason, containers=containers)  # type: ignore[arg-type]


def test_pods() -> None:
    assert [line.text for line in table_lines(table([POD, pod("Pending", PULLING)]))] == [
        "NAME    READY   STATUS             RESTARTS   AGE",
        "web-0   1/1     Running            2          <unknown>",
        "web-0   0/1     ImagePullBackOff   0          <unknown>",
    ]


def test_wide_pods_of_all_namespaces() -> None:
    shown = table([POD, pod("Pending")], wide=True, namespaces=True)
    assert shown.header[:6] == ("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE")
    assert shown.header[6:] == ("IP", "NODE", "READINESS GATES", "MESSAGE")
    assert shown.rows[0][:6] == ("shop", "web-0", "1/1", "Running", "2", "<unknown>")
    assert shown.rows[0][6:] == ("10.244.0.2", "node-1", "<none>", "<none>")
    assert shown.rows[1] == ("shop", "web-0", "0/0", "Pending", "0", "<unknown>", *["<none>"] * 4)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (pod("Running", WEB, ready=True), "Running"),
        (pod("Running", WEB, PULLING), "ImagePullBackOff"),
        (pod("Running", PULLING, KILLED), "ImagePullBackOff"),
        (pod("Running", WEB, DONE, ready=True), "Running"),
        (pod("Running", WEB, DONE), "NotReady"),
        (pod("Succeeded", DONE), "Completed"),
        (pod("Failed", KILLED), "Signal:9"),
        (pod("Failed", reason="Evicted"), "Evicted"),
        (pod("Terminating", WEB), "Terminating"),
        (pod("Unknown", WEB, reason="NodeLost"), "Unknown"),
    ],
)
def test_a_pods_status_is_what_its_containers_have_to_say(status: PodStatus, words: str) -> None:
    assert pod_state(status) == words


def test_deployments_nodes_and_services() -> None:
    assert table([DEPLOYMENT], wide=True).rows == (("web", "2/4", "3", "1", "waiting for web-2"),)
    assert table([NODE], wide=True, namespaces=True).rows == (
        (
            "node-1",
            "Ready,SchedulingDisabled",
            "7",
            "1500m/4000m",
            "512Mi/8192Mi",
            "20.10.24",
            "10.244.0.0/24",
            "<none>",
            "<none>",
            "<none>",
        ),
    )
    led = replace(NODE, leader="me@here", lease_epoch=3)
    assert table([led], wide=True).rows[0][-3:] == ("me@here", "3", "<none>")
    assert table([SERVICE], wide=True).rows == (
        (
            "web",
            "NodePort",
            "10.96.0.1",
            "<none>",
            "80:30080/TCP,9100/TCP",
            "<unknown>",
            "10.244.0.2:8080",
            "<none>",
        ),
    )


def test_a_node_never_seen_has_an_unknown_capacity() -> None:
    assert table([NodeStatus(NODE.ref, False, "refused", 0)]).rows == (
        ("node-1", "NotReady", "0", "0m/<unknown>", "0Mi/<unknown>", "<unknown>"),
    )


def test_nothing_found_is_said() -> None:
    assert [line.text for line in table_lines(table([]))] == ["No resources found."]


@pytest.mark.rule(11)
def test_a_hostile_name_cannot_break_a_table() -> None:
    evil = NodeStatus(Ref("Node", "", "a\x1b[2J\nb"), True, "", 0)
    assert [line.text.startswith(("NAME", r"a\x1b[2J\nb ")) for line in table_lines(table([evil]))] == [True, True]


def test_a_leaving_pod_has_a_phase_that_kubernetes_knows() -> None:
    status = status_object(pod("Terminating", PULLING, KILLED))["status"]
    assert (status["phase"], status["reason"]) == ("Running", "Terminating")
    assert [container["state"] for container in status["containerStatuses"]] == [
        {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
        {"terminated": {"exitCode": 137}},
    ]


def test_a_secret_is_shown_with_its_keys_and_none_of_its_values() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "api"},
        "stringData": {"token": "f1ng3r"},
    }
    assert manifest_object(manifest)["stringData"] == {"token": "***"}
    assert manifests_table({Ref("Secret", "shop", "api"): manifest}, namespaces=True) == Table(
        ("NAMESPACE", "NAME", "DATA"), (("shop", "api", "1"),)
    )


def test_an_object_is_shown_with_what_its_manifest_asks_for() -> None:
    manifest = {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": 3, "paused": True}}
    shown = status_object(DEPLOYMENT, manifest)
    assert shown["metadata"]["labels"] == {"app": "web"}
    assert shown["spec"]["paused"] is True
    assert shown["status"]["updatedReplicas"] == 3


def test_a_list_of_everything_else() -> None:
    items = object_list([status_object(status) for status in (DEPLOYMENT, NODE, SERVICE)])["items"]
    assert [item["kind"] for item in items] == ["Deployment", "Node", "Service"]
    assert items[0]["status"]["updatedReplicas"] == 3
    assert items[0]["status"]["conditions"] == [
        {"type": "Available", "status": "False", "message": "waiting for web-2"}
    ]
    assert items[1]["status"]["capacity"] == {"cpu": "4000m", "memory": str(2**33)}
    assert items[2]["spec"]["ports"] == [
        {"port": 80, "nodePort": 30080, "protocol": "TCP"},
        {"port": 9100, "protocol": "TCP"},
    ]


def test_events() -> None:
    started = Event(POD.ref, "Normal", "Started", "container web", "node-1", at=1000.0, count=3)
    assert event_line(started) == "Started            Pod shop/web-0 on node-1: container web (x3)"
    lost = Event(NODE.ref, "Warning", "NodeNotReady", "connection\x1b refused", "node-1", at=940.0)
    assert event_line(lost) == r"NodeNotReady       Node node-1: connection\x1b refused"
    assert event_json(lost)["kind"] == "Node"
    assert event_json(lost)["at"] == 940.0
    assert "at" not in event_json(Event(NODE.ref, "Normal", "NodeReady", "it answers"))
    assert events_table([started, lost], now=1030.0).rows == (
        ("90s", "Warning", "NodeNotReady", "node/node-1", "connection\x1b refused"),
        ("30s (x3)", "Normal", "Started", "pod/web-0", "container web"),
    )


def test_how_services_are_reached_from_outside() -> None:
    edges = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
    balancer = replace(SERVICE, type="LoadBalancer", external=edges, created=100.0)
    alias = ServiceStatus(Ref("Service", "shop", "mail"), "ExternalName", "", (), (), ("mail.example.org",))
    shown = table([balancer, alias], now=160.0)
    assert shown.header == ("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE")
    assert shown.rows == (
        ("mail", "ExternalName", "<none>", "mail.example.org", "<none>", "<unknown>"),
        (
            "web",
            "LoadBalancer",
            "10.96.0.1",
            "192.0.2.1,192.0.2.2,192.0.2.3 + 1 more...",
            "80:30080/TCP,9100/TCP",
            "60s",
        ),
    )
    assert table([balancer], wide=True).rows[0][3] == ",".join(edges)
    shown = endpoints_table([balancer, alias], now=160.0)
    assert (shown.header, shown.rows) == (("NAME", "ENDPOINTS", "AGE"), (("web", "10.244.0.2:8080", "60s"),))


def test_a_service_as_an_object_keeps_what_its_manifest_says_of_each_port() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "metrics", "port": 9100}]
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": ports}}
    balancer = replace(SERVICE, type="LoadBalancer", external=("192.0.2.1", "edge.example.org"), message="why")
    shown = status_object(balancer, manifest)
    assert shown["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080, "protocol": "TCP"},
        {"name": "metrics", "port": 9100, "protocol": "TCP"},
    ]
    assert shown["status"] == {
        "endpoints": ["10.244.0.2:8080"],
        "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "edge.example.org"}]},
        "message": "why",
    }


def test_endpoints_as_an_object_have_a_subset_for_each_port() -> None:
    service = replace(SERVICE, endpoints=("10.244.0.2:80", "10.244.0.2:81", "10.244.0.3:80"))
    shown = endpoints_object(service)
    assert shown["subsets"] == [
        {"addresses": [{"ip": "10.244.0.2"}, {"ip": "10.244.0.3"}], "ports": [{"port": 80}]},
        {"addresses": [{"ip": "10.244.0.2"}], "ports": [{"port": 81}]},
    ]


def test_endpoint_slices_show_their_addresses() -> None:
    manifest = {
        "ports": [{"port": 5432}],
        "endpoints": [{"addresses": ["192.0.2.7"]}, {"addresses": ["192.0.2.8"]}],
    }
    shown = manifests_table({Ref("EndpointSlice", "shop", "db"): manifest})
    assert shown.rows == (("db", "IPv4", "5432", "192.0.2.7,192.0.2.8"),)
