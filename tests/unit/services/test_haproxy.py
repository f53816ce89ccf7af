"""What the types behind haproxy.cfg refuse, and what the file says of itself."""

import pytest

from reconciler.model.proxy import NodeProxy, config_text
from reconciler.services.haproxy import Address, Listen, Server, check_options, node_proxy

POD = Server("web-0", Address("10.244.0.2", 8080))
WEB = Listen("shop_web_http", (Address("10.96.0.1", 80),), (POD,))


@pytest.mark.parametrize("ip", ["", "localhost", "10.0.0.1 ", "10.0.0.256", "::1", "010.0.0.1", "10.0.0.1\n"])
def test_an_address_is_ipv4_as_everybody_writes_it(ip: str) -> None:
    with pytest.raises(ValueError):
        Address(ip, 80)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_one_of_tcp(port: int) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        Address("10.0.0.1", port)


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a\n", "$HOME", '"', "a#b", "web_0", "é", "-x", "A"])
def test_a_server_is_named_as_a_pod_can_be(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        Server(name, POD.address)


@pytest.mark.parametrize("name", ["web", "shop_web", "shop_web_http_x", "shop_we b_http", "__", "shop_web_http\n"])
def test_a_section_is_named_by_namespace_service_and_port(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        Listen(name, WEB.binds)


def proxy(*listens: Listen) -> NodeProxy:
    return node_proxy("lab/proxy:1", listens)


def test_the_first_lines_say_what_the_file_is_and_the_pods_it_routes_to() -> None:
    wanted = proxy(WEB)
    lines = config_text(wanted).splitlines()
    assert lines[0] == f"# fingerprint: {wanted.fingerprint}"
    assert lines[1] == f"# structure: {wanted.structure}"
    assert lines[2] == "# routed: 10.244.0.2"
    assert len(wanted.fingerprint) == len(wanted.structure) == 16


def test_another_pod_is_another_fingerprint_and_the_same_structure() -> None:
    other = proxy(Listen(WEB.name, WEB.binds, (Server("web-0", Address("10.244.0.3", 8080)),)))
    assert other.fingerprint != proxy(WEB).fingerprint
    assert other.structure == proxy(WEB).structure
    assert proxy(WEB) == proxy(WEB)


def test_another_address_to_listen_on_is_another_structure() -> None:
    assert proxy(Listen(WEB.name, (), (POD,))).structure != proxy(WEB).structure


def test_a_pod_behind_two_services_is_routed_to_once() -> None:
    assert proxy(WEB, Listen("shop_web_metrics", (), (POD,))).routed == {"10.244.0.2"}


def test_a_file_without_services_routes_to_nobody() -> None:
    assert config_text(proxy()).splitlines()[2] == "# routed:"


def test_of_a_large_file_servers_are_checked_seldom() -> None:
    assert "inter 1s " in check_options(250)
    assert "inter 4s " in check_options(251)
    assert "inter 10s " in check_options(1001)
