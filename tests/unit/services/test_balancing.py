"""Which services HAProxy serves, where, and with which pods."""

from collections.abc import Mapping
from typing import Literal

import pytest

from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.objects import ObjectMeta, Service, ServicePort, ServiceSpec
from reconciler.model.plan import Endpoint
from reconciler.services.balancing import Balanced, balance
from reconciler.services.haproxy import Address, Listen, Server

WEB = Ref("Service", "shop", "web")
API = Ref("Service", "shop", "api")
HTTP = ServicePort(80, "http", target_port=8080)


def service(
    ref: Ref, *ports: ServicePort, type: Literal["ClusterIP", "NodePort"] = "ClusterIP", cluster_ip: str = ""
) -> Service:
    spec = ServiceSpec(ports=ports or (HTTP,), type=type, cluster_ip=cluster_ip)
    return Service(ObjectMeta(ref.name, ref.namespace), spec)


def endpoint(pod: str, ip: str, *ports: int, ready: bool = True) -> Endpoint:
    return Endpoint(f"uid-{pod}", pod, "node-1", ip, ports or (8080,), ready)


def balanced(
    services: Mapping[Ref, Service],
    records: Mapping[Ref, ServiceRecord],
    endpoints: Mapping[Ref, tuple[Endpoint, ...]] | None = None,
) -> Balanced:
    return balance(services, records, endpoints or {}, "10.96.0.0/16")


def test_a_service_listens_on_its_cluster_ip_and_sends_to_its_ready_pods_sorted_by_name() -> None:
    pods = (endpoint("web-b", "10.244.1.2"), endpoint("web-a", "10.244.0.2"))
    result = balanced({WEB: service(WEB)}, {WEB: ServiceRecord("10.96.0.1", (0,))}, {WEB: pods})
    servers = (Server("web-a", Address("10.244.0.2", 8080)), Server("web-b", Address("10.244.1.2", 8080)))
    assert result.listens == (Listen("shop_web_http", (Address("10.96.0.1", 80),), servers),)
    assert result.addresses == ("10.96.0.1",)
    assert result.problems == ()


def test_a_pod_that_is_not_ready_gets_no_connection_and_the_port_still_listens() -> None:
    pods = (endpoint("web-a", "10.244.0.2", ready=False),)
    result = balanced({WEB: service(WEB)}, {WEB: ServiceRecord("10.96.0.1")}, {WEB: pods})
    assert result.listens == (Listen("shop_web_http", (Address("10.96.0.1", 80),)),)


def test_a_pod_without_a_port_of_that_name_takes_part_in_the_other_ports_only() -> None:
    ports = (HTTP, ServicePort(9100, "metrics"))
    result = balanced(
        {WEB: service(WEB, *ports)},
        {WEB: ServiceRecord("10.96.0.1")},
        {WEB: (endpoint("web-a", "10.244.0.2", 8080, 0),)},
    )
    assert [(listen.name, len(listen.servers)) for listen in result.listens] == [
        ("shop_web_http", 1),
        ("shop_web_metrics", 0),
    ]


def test_a_node_port_listens_on_every_address_of_the_host() -> None:
    result = balanced({WEB: service(WEB, type="NodePort")}, {WEB: ServiceRecord("10.96.0.1", (30080,))})
    assert result.listens[0].binds == (Address("10.96.0.1", 80), Address("0.0.0.0", 30080))


def test_a_remembered_node_port_is_closed_once_the_type_is_cluster_ip() -> None:
    result = balanced({WEB: service(WEB)}, {WEB: ServiceRecord("10.96.0.1", (30080,))})
    assert result.listens[0].binds == (Address("10.96.0.1", 80),)


def test_a_headless_service_is_not_balanced_and_no_problem() -> None:
    result = balanced({WEB: service(WEB, cluster_ip="None")}, {WEB: ServiceRecord()})
    assert result == Balanced((), (), ())


def test_an_unnamed_port_is_known_by_its_number() -> None:
    result = balanced({WEB: service(WEB, ServicePort(8000))}, {WEB: ServiceRecord("10.96.0.1")})
    assert result.listens[0].name == "shop_web_8000"


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (ServiceRecord(), "no cluster IP"),
        (ServiceRecord("192.0.2.1"), "outside 10.96.0.0/16"),
        (ServiceRecord("10.96.0.1\nuser root"), "no IPv4 address"),
        (ServiceRecord("0.0.0.0"), "outside"),
    ],
)
def test_a_service_with_a_bad_address_is_left_out_with_the_reason_and_the_others_are_served(
    record: ServiceRecord, what: str
) -> None:
    services = {API: service(API), WEB: service(WEB)}
    result = balanced(services, {API: record, WEB: ServiceRecord("10.96.0.2")})
    assert [listen.name for listen in result.listens] == ["shop_web_http"]
    assert result.addresses == ("10.96.0.2",)
    (problem,) = result.problems
    assert problem.startswith("Service shop/api is not served: ")
    assert what in problem


def test_of_two_services_that_want_one_address_the_first_has_it() -> None:
    services = {WEB: service(WEB), API: service(API)}
    result = balanced(services, {WEB: ServiceRecord("10.96.0.1"), API: ServiceRecord("10.96.0.1")})
    assert [listen.name for listen in result.listens] == ["shop_api_http"]
    assert result.problems == (
        "Service shop/web is not served: 10.96.0.1:80 belongs to Service shop/api; choose another address or port",
    )


def test_two_services_may_share_a_cluster_ip_on_different_ports() -> None:
    services = {WEB: service(WEB), API: service(API, ServicePort(8000))}
    result = balanced(services, {WEB: ServiceRecord("10.96.0.1"), API: ServiceRecord("10.96.0.1")})
    assert len(result.listens) == 2
    assert result.addresses == ("10.96.0.1",)


def test_two_ports_that_would_share_a_name_leave_the_service_out() -> None:
    ports = (ServicePort(80), ServicePort(81, "80"))
    result = balanced({WEB: service(WEB, *ports)}, {WEB: ServiceRecord("10.96.0.1")})
    assert result.listens == ()
    assert "the same name" in result.problems[0]


def test_one_endpoint_that_cannot_be_connected_to_takes_no_other_with_it() -> None:
    pods = (endpoint("web-a", "10.244.0.2"), endpoint("web-b", ""), endpoint("web-a", "10.244.1.9"))
    result = balanced({WEB: service(WEB)}, {WEB: ServiceRecord("10.96.0.1")}, {WEB: pods})
    assert [str(server.address) for server in result.listens[0].servers] == ["10.244.0.2:8080"]
    assert [problem.partition(":")[0] for problem in result.problems] == [
        "Service shop/web sends nothing to pod 'web-b'",
        "Service shop/web sends nothing to 10.244.1.9",
    ]
