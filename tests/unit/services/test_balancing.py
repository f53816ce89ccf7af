"""Which services HAProxy serves, where, and with which pods."""

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.model.addresses import SocketAddress, socket_address
from reconciler.model.api.core.service import (
    ClientIPConfig,
    Service,
    ServicePort,
    ServiceSpec,
    SessionAffinityConfig,
)
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import ProxySection, ProxyServer
from reconciler.model.service_options import ServiceOptions
from reconciler.services.balancing import Layout, lay_out
from reconciler.services.parts import left_out, section

WEB = Ref("Service", "shop", "web")
API = Ref("Service", "shop", "api")
HTTP = ServicePort(80, "http", target_port=8080)
AS_USUAL = ServiceOptions()
RECORD = {WEB: ServiceRecord("10.96.0.1")}
PODS = (
    Endpoint("u1", "web-a", "node-1", "10.244.0.2", (8080,), True),
    Endpoint("u2", "web-b", "node-2", "10.244.1.2", (8080,), True),
)


def service(ref: Ref, *ports: ServicePort, options: ServiceOptions = AS_USUAL, **spec: Any) -> Service:
    return Service(ObjectMeta(ref.name, ref.namespace), ServiceSpec(ports=ports or (HTTP,), **spec), options)


def endpoint(pod: str, ip: str, *ports: int, ready: bool = True) -> Endpoint:
    return Endpoint(f"uid-{pod}", pod, "node-1", ip, ports or (8080,), ready)


def laid_out(services: Mapping[Ref, Service], records: Mapping[Ref, ServiceRecord]) -> Layout:
    return lay_out(services, records, "10.96.0.0/16")


def sections(
    layout: Layout, endpoints: tuple[Endpoint, ...] = (), node: str = "node-1", edge: bool = False
) -> dict[str, ProxySection]:
    """As one node has them."""
    made = [section(part, node, edge, endpoints) for part in layout.parts]
    return {each.name: each for each in made if each is not None}


def binds(section: ProxySection) -> list[str]:
    return [line.strip().removeprefix("bind ") for line in section.text.splitlines() if "bind " in line]


def one(options: ServiceOptions = AS_USUAL, **spec: Any) -> Layout:
    """Of one service."""
    return laid_out({WEB: service(WEB, options=options, **spec)}, {WEB: ServiceRecord("10.96.0.1", (30080,))})


def test_a_service_listens_on_its_cluster_ip_and_sends_to_its_ready_pods_sorted_by_name() -> None:
    layout = laid_out({WEB: service(WEB)}, RECORD)
    assert layout.addresses == ("10.96.0.1",)
    assert layout.problems == ()
    web = sections(layout, PODS[::-1])["shop_web_http"]
    assert web.text == "listen shop_web_http from tcp\n    bind 10.96.0.1:80\n"
    assert web.servers == (
        ProxyServer("web-a", socket_address("10.244.0.2:8080")),
        ProxyServer("web-b", socket_address("10.244.1.2:8080")),
    )


def test_a_pod_that_is_not_ready_gets_no_connection_and_the_port_still_listens() -> None:
    layout = laid_out({WEB: service(WEB)}, RECORD)
    web = sections(layout, (endpoint("web-a", "10.244.0.2", ready=False),))["shop_web_http"]
    assert (binds(web), web.servers) == (["10.96.0.1:80"], ())


def test_a_pod_without_a_port_of_that_name_takes_part_in_the_other_ports_only() -> None:
    layout = laid_out({WEB: service(WEB, HTTP, ServicePort(9100, "metrics"))}, RECORD)
    found = sections(layout, (endpoint("web-a", "10.244.0.2", 8080, 0),))
    assert {name: len(each.servers) for name, each in found.items()} == {"shop_web_http": 1, "shop_web_metrics": 0}


def test_a_node_port_listens_on_every_address_of_the_host() -> None:
    assert binds(sections(one(type="NodePort"))["shop_web_http"]) == ["10.96.0.1:80", "0.0.0.0:30080"]


def test_a_remembered_node_port_is_closed_once_the_type_is_cluster_ip() -> None:
    assert binds(sections(one())["shop_web_http"]) == ["10.96.0.1:80"]


def test_a_load_balancer_is_open_at_the_edges_and_at_its_node_port_everywhere() -> None:
    layout = one(type="LoadBalancer")
    assert binds(sections(layout)["shop_web_http"]) == ["10.96.0.1:80", "0.0.0.0:30080"]
    assert binds(sections(layout, edge=True)["shop_web_http"]) == ["10.96.0.1:80", "0.0.0.0:30080", "0.0.0.0:80"]


def test_source_ranges_are_asked_at_the_edge_and_nowhere_else() -> None:
    layout = one(type="LoadBalancer", load_balancer_source_ranges=("192.0.2.0/24", "198.51.100.7/32"))
    assert list(sections(layout)) == ["shop_web_http"]
    edge = sections(layout, edge=True)["shop_web_http_edge"]
    assert binds(edge) == ["0.0.0.0:80"]
    assert (
        "    acl allowed src 192.0.2.0/24 198.51.100.7/32\n    tcp-request connection reject unless allowed\n"
        in edge.text
    )
    assert "allowed" not in sections(layout, edge=True)["shop_web_http"].text


def test_an_external_address_need_not_be_the_hosts_and_is_not_made_so() -> None:
    layout = one(external_ips=("203.0.113.9",))
    assert binds(sections(layout)["shop_web_http"]) == ["10.96.0.1:80", "203.0.113.9:80 transparent"]
    assert layout.addresses == ("10.96.0.1",)


def test_an_external_address_of_an_edge_takes_nothing_from_who_has_all_its_addresses() -> None:
    taken = [SocketAddress("0.0.0.0", 80)]
    mine = {WEB: service(WEB, ServicePort(80), external_ips=("192.0.2.1",))}
    for hosts, parts in ((["192.0.2.1"], 0), (["192.0.2.2"], 1)):
        layout = lay_out(mine, RECORD, "10.96.0.0/16", taken, hosts)
        assert len(layout.parts) == parts
    refused = lay_out(mine, RECORD, "10.96.0.0/16", taken, ["192.0.2.1"])
    assert "192.0.2.1:80 belongs to the Ingresses" in refused.problems[0]


def test_with_a_local_policy_a_node_sends_to_its_own_pods() -> None:
    layout = one(type="NodePort", external_traffic_policy="Local")
    found = sections(layout, PODS)
    assert [server.name for server in found["shop_web_http"].servers] == ["web-a", "web-b"]
    assert binds(found["shop_web_http_external"]) == ["0.0.0.0:30080"]
    assert [server.name for server in found["shop_web_http_external"].servers] == ["web-a"]
    inside = one(type="NodePort", internal_traffic_policy="Local")
    assert [server.name for server in sections(inside, PODS, "node-2")["shop_web_http"].servers] == ["web-b"]


def test_a_client_comes_to_the_same_pod_for_as_long_as_it_is_told() -> None:
    affinity = SessionAffinityConfig(ClientIPConfig(600))
    text = sections(one(session_affinity="ClientIP", session_affinity_config=affinity))["shop_web_http"].text
    assert "stick-table type ip size 200k expire 600s peers reloads" in text
    assert "stick on src" in text
    assert "balance source" in text


def test_the_annotations_say_how_it_is_balanced_and_what_pods_are_told() -> None:
    options = ServiceOptions(proxy_protocol=True, slow_start=30_000, balance="leastconn")
    web = sections(one(options))["shop_web_http"]
    assert "balance leastconn" in web.text
    assert web.server_options.endswith("slowstart 30000ms send-proxy-v2 check-send-proxy")


@pytest.mark.parametrize(
    ("protocol", "options"), [("http", ""), ("kubernetes.io/h2c", "proto h2"), ("grpc", "proto h2")]
)
def test_a_port_that_speaks_http_is_balanced_by_request(protocol: str, options: str) -> None:
    port = ServicePort(80, "http", app_protocol=protocol)
    web = sections(laid_out({WEB: service(WEB, port)}, RECORD))["shop_web_http"]
    assert web.text.startswith("listen shop_web_http from http\n")
    assert web.server_options.endswith(options)


def test_a_headless_service_and_a_name_are_not_balanced_and_no_problem() -> None:
    services = {WEB: service(WEB, cluster_ip="None"), API: service(API, type="ExternalName", external_name="a.b")}
    assert laid_out(services, {}) == Layout((), (), ())


def test_an_unnamed_port_is_known_by_its_number() -> None:
    assert list(sections(laid_out({WEB: service(WEB, ServicePort(8000))}, RECORD))) == ["shop_web_8000"]


@pytest.mark.fault(65)
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
    result = laid_out(services, {API: record, WEB: ServiceRecord("10.96.0.2")})
    assert list(sections(result)) == ["shop_web_http"]
    assert result.addresses == ("10.96.0.2",)
    (problem,) = result.problems
    assert problem.startswith("Service shop/api is not served: ")
    assert what in problem


def test_of_two_services_that_want_one_address_the_first_has_it() -> None:
    services = {WEB: service(WEB), API: service(API)}
    result = laid_out(services, {WEB: ServiceRecord("10.96.0.1"), API: ServiceRecord("10.96.0.1")})
    assert list(sections(result)) == ["shop_api_http"]
    assert result.problems == (
        "Service shop/web is not served: 10.96.0.1:80 belongs to Service shop/api; choose another address or port",
    )


def test_two_services_may_share_a_cluster_ip_on_different_ports() -> None:
    services = {WEB: service(WEB), API: service(API, ServicePort(8000))}
    result = laid_out(services, {WEB: ServiceRecord("10.96.0.1"), API: ServiceRecord("10.96.0.1")})
    assert len(result.parts) == 2
    assert result.addresses == ("10.96.0.1",)


def test_two_ports_that_would_share_a_name_leave_the_service_out() -> None:
    ports = (ServicePort(80), ServicePort(81, "80"))
    result = laid_out({WEB: service(WEB, *ports)}, {WEB: ServiceRecord("10.96.0.1")})
    assert result.parts == ()
    assert "the same name" in result.problems[0]


def test_one_endpoint_that_cannot_be_connected_to_takes_no_other_with_it() -> None:
    pods = (endpoint("web-a", "10.244.0.2"), endpoint("web-b", ""), endpoint("web-a", "10.244.1.9"))
    layout = laid_out({WEB: service(WEB)}, RECORD)
    assert [str(server.address) for server in sections(layout, pods)["shop_web_http"].servers] == [
        "10.244.0.2:8080"
    ]
    assert [problem.partition(":")[0] for problem in left_out(layout.parts[0], pods)] == [
        "Service shop/web sends nothing to pod 'web-b'",
        "Service shop/web sends nothing to 10.244.1.9",
    ]
