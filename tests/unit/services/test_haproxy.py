"""What the types behind haproxy.cfg refuse, and what the file says of itself."""

import pytest
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress, socket_address
from reconciler.model.proxy import NodeProxy, ProxySection, ProxyServer, config_text
from reconciler.services.haproxy import (
    BalanceSettings,
    Bind,
    check_options,
    check_server,
    guarded,
    listen_text,
    node_proxy,
)

POD = ProxyServer("web-0", socket_address("10.244.0.2:8080"))
BINDS = (Bind(SocketAddress("10.96.0.1", 80)),)
WEB = ProxySection("shop_web_http", listen_text("shop_web_http", BINDS, BalanceSettings()), "check", (POD,))


@pytest.mark.parametrize("ip", ["", "localhost", "10.0.0.1 ", "10.0.0.256", "::1", "010.0.0.1", "10.0.0.1\n"])
def test_an_address_is_ipv4_as_everybody_writes_it(ip: str) -> None:
    with pytest.raises(ValueError):
        Bind(SocketAddress(ip, 80))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_one_of_tcp(port: int) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        Bind(SocketAddress("10.0.0.1", port))


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a\n", "$HOME", '"', "a#b", "web_0", "é", "-x", "A"])
def test_a_server_is_named_as_a_pod_can_be(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        check_server(ProxyServer(name, SocketAddress("10.244.0.2", 8080)))


@pytest.mark.parametrize(
    "name",
    ["web", "shop_web", "shop_web_http_x", "shop_web_http_edge_edge", "shop_we b_http", "__", "shop_web_http\n"],
)
def test_a_section_is_named_by_namespace_service_and_port(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        listen_text(name, BINDS, BalanceSettings())


def proxy(*sections: ProxySection) -> NodeProxy:
    return node_proxy("lab/proxy:1", sections)


def test_the_first_lines_say_what_the_file_is_and_the_pods_it_routes_to() -> None:
    wanted = proxy(WEB)
    lines = config_text(wanted).splitlines()
    assert lines[0] == f"# fingerprint: {wanted.fingerprint}"
    assert lines[1] == f"# structure: {wanted.structure}"
    assert lines[2] == "# routed: 10.244.0.2"
    assert len(wanted.fingerprint) == len(wanted.structure) == 16


def test_another_pod_is_another_fingerprint_and_the_same_structure() -> None:
    other = proxy(replace(WEB, servers=(ProxyServer("web-0", socket_address("10.244.0.3:8080")),)))
    assert other.fingerprint != proxy(WEB).fingerprint
    assert other.structure == proxy(WEB).structure
    assert proxy(WEB) == proxy(WEB)


def test_another_address_to_listen_on_is_another_structure() -> None:
    assert proxy(replace(WEB, text=listen_text(WEB.name, (), BalanceSettings()))).structure != proxy(WEB).structure


def test_a_pod_behind_two_services_is_routed_to_once() -> None:
    assert proxy(WEB, replace(WEB, name="shop_web_metrics")).routed == {"10.244.0.2"}


def test_a_file_without_services_routes_to_nobody() -> None:
    assert config_text(proxy()).splitlines()[2] == "# routed:"


def test_a_guard_denies_before_it_allows_by_lists_beside_the_text() -> None:
    section = guarded(WEB, ("192.0.2.0/24",), ("10.244.0.9/32", "10.244.0.10"))
    assert section.text.splitlines() == [
        "listen shop_web_http from tcp",
        "    acl policy_denied src -f /etc/reconciler/sources/shop_web_http.denied",
        "    tcp-request connection reject if policy_denied",
        "    acl policy_allowed src -f /etc/reconciler/sources/shop_web_http.allowed",
        "    tcp-request connection reject unless policy_allowed",
        "    bind 10.96.0.1:80",
    ]
    assert section.sources == {
        "shop_web_http.allowed": ("192.0.2.0/24",),
        "shop_web_http.denied": ("10.244.0.10/32", "10.244.0.9/32"),
    }
    assert section.servers == WEB.servers
    assert guarded(WEB, None, None) == WEB


def test_nothing_but_a_network_is_on_a_list() -> None:
    with pytest.raises(ValueError):
        guarded(WEB, ("10.0.0.1\n10.0.0.0/8",), None)


def test_other_networks_are_another_fingerprint_and_the_same_structure_and_text() -> None:
    one, other = proxy(guarded(WEB, (), ())), proxy(guarded(WEB, ("192.0.2.0/24",), ()))
    assert (one.structure, one.fingerprint == other.fingerprint) == (other.structure, False)
    assert config_text(one).splitlines()[1:] == config_text(other).splitlines()[1:]
    assert proxy(guarded(WEB, (), None)).structure != one.structure


def test_a_long_list_of_a_manifest_is_several_lines() -> None:
    many = tuple(f"10.244.{number}.0/24" for number in range(120))
    text = listen_text("shop_web_http", BINDS, BalanceSettings(sources=many))
    lines = [line for line in text.splitlines() if " acl " in line]
    assert [len(line.split()) - 3 for line in lines] == [50, 50, 20]


def test_of_a_large_file_servers_are_checked_seldom() -> None:
    assert "inter 1s " in check_options(250)
    assert "inter 4s " in check_options(251)
    assert "inter 10s " in check_options(1001)
