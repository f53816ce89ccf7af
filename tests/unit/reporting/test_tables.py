"""`get`: kubectl's columns, and kubectl's words in them."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.kinds import KIND_BY_NAME
from reconciler.kinds.core.pod_view import pod_state
from reconciler.model.api.core.container import Container, ResourceRequirements
from reconciler.model.api.core.container_status import ContainerStatus
from reconciler.model.api.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from reconciler.model.api.core.pod import Pod, PodSpec
from reconciler.model.api.core.service import ServicePort
from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.api.meta import ObjectMeta, ref_of
from reconciler.model.names import Ref
from reconciler.model.quantities import Quantity
from reconciler.model.records import Event
from reconciler.reporting import (
    Context,
    Table,
    event_json,
    event_line,
    events_table,
    manifest_json,
    object_json,
    object_list,
    table_lines,
    table_of,
)
from reconciler.store import read_back
from tests import published
from tests.published import by_ref, running, terminated, waiting

WEB = running("web", "lab/web:1.0", ready=True, restart_count=2)
PULLING = waiting("side", "lab/side:1", "ImagePullBackOff", "not found")
DONE = terminated("job", "lab/job:1", 0, "Completed")
KILLED = terminated("job", "lab/job:1", 137)

REF = Ref("Pod", "shop", "web-0")
POD = published.pod(REF, WEB, ip="10.244.0.2", ready=True, owner=Ref("Deployment", "shop", "web"))
DEPLOYMENT = published.deployment(Ref("Deployment", "shop", "web"), 4, 5, 3, 2, 1, "waiting for web-2")
NODE = published.node("node-1", True, "", 4000, 2**33, True, "10.244.0.0/24", "20.10.24")
SERVICE = published.service(
    Ref("Service", "shop", "web"), "NodePort", ports=(ServicePort(80, node_port=30080), ServicePort(9100))
)
ENDPOINTS = published.endpoints(ref_of(SERVICE), 8080, "10.244.0.2")


def pod(phase: Any, *containers: ContainerStatus, ready: bool = False, reason: str = "") -> Pod:
    return published.pod(REF, *containers, uid="u", node="", phase=phase, ready=ready, reason=reason)


def table(
    things: list[Any], wide: bool = False, namespaces: bool = False, now: float = 0.0, beside: Any = ()
) -> Table:
    """Of objects of one kind; `beside`: what else is published."""
    view = KIND_BY_NAME[type(things[0]).__name__].view if things else KIND_BY_NAME["Pod"].view
    assert view is not None
    context = Context(now, wide, by_ref(*things, *beside))
    return table_of(view, things, context, namespaces=namespaces)


def shown(thing: Any) -> dict[str, Any]:
    kind = KIND_BY_NAME[type(thing).__name__]
    return object_json(thing, kind.names, kind.encode)


def test_pods() -> None:
    assert [line.text for line in table_lines(table([POD, pod("Pending", PULLING)]))] == [
        "NAME    READY   STATUS             RESTARTS   AGE",
        "web-0   1/1     Running            2          <unknown>",
        "web-0   0/1     ImagePullBackOff   0          <unknown>",
    ]


def test_wide_pods_of_all_namespaces() -> None:
    seen = table([POD, pod("Pending")], wide=True, namespaces=True)
    assert seen.header[:6] == ("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE")
    assert seen.header[6:] == ("IP", "NODE", "READINESS GATES", "MESSAGE")
    assert seen.rows[0][:6] == ("shop", "web-0", "1/1", "Running", "2", "<unknown>")
    assert seen.rows[0][6:] == ("10.244.0.2", "node-1", "<none>", "<none>")
    assert seen.rows[1] == ("shop", "web-0", "0/0", "Pending", "0", "<unknown>", *["<none>"] * 4)


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
def test_a_pods_status_is_what_its_containers_have_to_say(status: Pod, words: str) -> None:
    assert pod_state(status) == words


def test_deployments_nodes_and_services() -> None:
    assert table([DEPLOYMENT], wide=True).rows == (("web", "2/4", "3", "1", "waiting for web-2"),)
    asks = ResourceRequirements({"cpu": Quantity.parse("1500m"), "memory": Quantity.parse("512Mi")})
    there = [
        published.pod(REF, spec=PodSpec((Container("web", "i", resources=asks),), node_name="node-1")),
        *(published.pod(Ref("Pod", "shop", f"job-{number}")) for number in range(6)),
    ]
    assert table([NODE], wide=True, namespaces=True, beside=there).rows == (
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
    lease = {"reconciler.dev/leader": "me@here", "reconciler.dev/lease-epoch": "3"}
    led = replace(NODE, metadata=replace(NODE.metadata, annotations=lease))
    assert table([led], wide=True).rows[0][-3:] == ("me@here", "3", "<none>")
    assert table([SERVICE], wide=True, beside=[ENDPOINTS]).rows == (
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
    assert table([published.node("node-1", False, "refused")]).rows == (
        ("node-1", "NotReady", "0", "0m/<unknown>", "0Mi/<unknown>", "<unknown>"),
    )


def test_nothing_found_is_said() -> None:
    assert [line.text for line in table_lines(table([]))] == ["No resources found."]


@pytest.mark.rule(11)
def test_a_hostile_name_cannot_break_a_table() -> None:
    evil = published.node("a\x1b[2J\nb")
    assert [line.text.startswith(("NAME", r"a\x1b[2J\nb ")) for line in table_lines(table([evil]))] == [True, True]


def test_a_leaving_pod_has_a_phase_that_kubernetes_knows() -> None:
    leaving = shown(pod("Terminating", PULLING, KILLED))
    assert (leaving["status"]["phase"], leaving["metadata"]["deletionGracePeriodSeconds"]) == ("Running", 30)
    assert [container["state"] for container in leaving["status"]["containerStatuses"]] == [
        {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
        {"terminated": {"exitCode": 137}},
    ]


def test_a_secret_is_shown_with_its_keys_and_none_of_its_values() -> None:
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "api", "namespace": "shop"},
        "data": {"token": "f1ng3r"},
    }
    assert manifest_json(manifest)["data"] == {"token": "***"}
    secret = read_back(manifest, KIND_BY_NAME["Secret"].type)
    assert table([secret], namespaces=True) == Table(
        ("NAMESPACE", "NAME", "DATA", "AGE"), (("shop", "api", "1", "<unknown>"),)
    )


def test_an_object_is_shown_with_what_its_manifest_asks_for() -> None:
    labelled = replace(DEPLOYMENT.metadata, labels={"app": "web"})
    paused = replace(DEPLOYMENT, metadata=labelled, spec=replace(DEPLOYMENT.spec, paused=True))
    seen = shown(paused)
    assert seen["metadata"]["labels"] == {"app": "web"}
    assert seen["spec"]["paused"] is True
    assert seen["status"]["updatedReplicas"] == 3


def test_a_list_of_everything_else() -> None:
    items = object_list([shown(thing) for thing in (DEPLOYMENT, NODE, SERVICE)])["items"]
    assert [item["kind"] for item in items] == ["Deployment", "Node", "Service"]
    assert items[0]["status"]["updatedReplicas"] == 3
    assert items[0]["status"]["conditions"] == [
        {"type": "Available", "status": "False", "message": "waiting for web-2"}
    ]
    assert items[1]["status"]["capacity"] == {"cpu": "4000m", "memory": str(2**33)}
    assert items[2]["spec"]["ports"] == [{"port": 80, "nodePort": 30080}, {"port": 9100}]


def test_what_annotations_say_is_shown_as_annotations_alone() -> None:
    assert set(shown(NODE)) == {"apiVersion", "kind", "metadata", "spec", "status"}


def test_events() -> None:
    started = Event(REF, "Normal", "Started", "container web", "node-1", at=1000.0, count=3)
    assert event_line(started) == "Started            Pod shop/web-0 on node-1: container web (x3)"
    lost = Event(ref_of(NODE), "Warning", "NodeNotReady", "connection\x1b refused", "node-1", at=940.0)
    assert event_line(lost) == r"NodeNotReady       Node node-1: connection\x1b refused"
    assert event_json(lost)["kind"] == "Node"
    assert event_json(lost)["at"] == 940.0
    assert "at" not in event_json(Event(ref_of(NODE), "Normal", "NodeReady", "it answers"))
    assert events_table([started, lost], now=1030.0).rows == (
        ("90s", "Warning", "NodeNotReady", "node/node-1", "connection\x1b refused"),
        ("30s (x3)", "Normal", "Started", "pod/web-0", "container web"),
    )


EDGES = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")


def test_how_services_are_reached_from_outside() -> None:
    web = Ref("Service", "shop", "web")
    balancer = published.service(web, "LoadBalancer", ports=SERVICE.spec.ports, edges=EDGES, created=100.0)
    alias = published.service(
        Ref("Service", "shop", "mail"), "ExternalName", "", (), external_name="mail.example.org"
    )
    seen = table([balancer, alias], now=160.0)
    assert seen.header == ("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE")
    assert seen.rows == (
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
    assert table([balancer], wide=True).rows[0][3] == ",".join(EDGES)
    seen = table([ENDPOINTS], now=160.0, beside=[balancer])
    assert (seen.header, seen.rows) == (("NAME", "ENDPOINTS", "AGE"), (("web", "10.244.0.2:8080", "60s"),))


def test_a_service_as_an_object_keeps_what_its_manifest_says_of_each_port() -> None:
    ports = (ServicePort(80, "http", target_port="http", node_port=30080), ServicePort(9100, "metrics"))
    edges = ("192.0.2.1", "edge.example.org")
    balancer = published.service(ref_of(SERVICE), "LoadBalancer", ports=ports, edges=edges, message="why")
    seen = shown(balancer)
    assert seen["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080},
        {"name": "metrics", "port": 9100},
    ]
    assert seen["status"] == {
        "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "edge.example.org"}]},
        "conditions": [{"type": "Allocated", "status": "False", "reason": "NotAvailable", "message": "why"}],
    }


def test_endpoints_as_an_object_have_a_subset_for_each_set_of_ports() -> None:
    both, one = (EndpointPort(80), EndpointPort(81)), (EndpointPort(80),)
    subsets = (
        EndpointSubset((EndpointAddress("10.244.0.2"),), both),
        EndpointSubset((EndpointAddress("10.244.0.3"),), one),
    )
    endpoints = Endpoints(ObjectMeta("web", "shop"), subsets)
    assert shown(endpoints)["subsets"] == [
        {"addresses": [{"ip": "10.244.0.2"}], "ports": [{"port": 80}, {"port": 81}]},
        {"addresses": [{"ip": "10.244.0.3"}], "ports": [{"port": 80}]},
    ]
    assert table([endpoints]).rows[0][1] == "10.244.0.2:80,10.244.0.2:81,10.244.0.3:80"


def test_endpoint_slices_show_their_addresses() -> None:
    manifest = {
        "metadata": {"name": "db", "namespace": "shop"},
        "ports": [{"port": 5432}],
        "endpoints": [{"addresses": ["192.0.2.7"]}, {"addresses": ["192.0.2.8"]}],
    }
    seen = table([read_back(manifest, EndpointSlice)])
    assert seen.rows == (("db", "IPv4", "5432", "192.0.2.7,192.0.2.8", "<unknown>"),)
