"""What the types behind haproxy.cfg refuse, and what the file says of itself."""

import pytest

from reconciler.services.haproxy import Address, Listen, Server, fingerprint_of, render, routed_ips

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


def test_the_first_line_is_a_fingerprint_of_the_rest_and_the_second_the_pods_it_routes_to() -> None:
    config = render([WEB])
    assert config.splitlines()[0] == f"# fingerprint: {fingerprint_of(config)}"
    assert config.splitlines()[1] == "# routed: 10.244.0.2"
    assert len(fingerprint_of(config)) == 16


def test_another_pod_is_another_fingerprint() -> None:
    other = Listen(WEB.name, WEB.binds, (Server("web-0", Address("10.244.0.3", 8080)),))
    assert fingerprint_of(render([other])) != fingerprint_of(render([WEB]))
    assert fingerprint_of(render([WEB])) == fingerprint_of(render([WEB]))


def test_a_pod_behind_two_services_is_routed_to_once() -> None:
    assert routed_ips([WEB, Listen("shop_web_metrics", (), (POD,))]) == ["10.244.0.2"]


def test_a_file_without_services_routes_to_nobody() -> None:
    assert render([]).splitlines()[1] == "# routed:"
