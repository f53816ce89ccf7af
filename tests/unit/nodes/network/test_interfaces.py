"""Only the difference between the wanted network and the host's is applied, and nothing that is not ours."""

from typing import Any

import msgspec
import pytest

from reconciler.model.setups import NodeNetwork, Route
from reconciler.nodes.network.interfaces import network_fingerprint
from reconciler.nodes.network.links import bridge_batch, link_batch, loose_ports

NETWORK = NodeNetwork(
    "10.244.1.0/24",
    "10.244.0.0/16",
    (Route("10.244.2.0/24", "192.0.2.2"), Route("10.244.3.0/24", "192.0.2.3")),
    ("10.96.0.10", "10.96.0.11"),
)
UP: dict[str, Any] = {"ifname": "rcn-svc", "flags": ["BROADCAST", "UP"]}


RCN0: dict[str, Any] = {
    "ifname": "rcn0",
    "mtu": 1500,
    "flags": ["UP"],
    "addr_info": [{"family": "inet", "local": "10.244.1.1", "prefixlen": 24}],
}


def address(ip: str) -> dict[str, object]:
    return {"family": "inet", "local": ip, "prefixlen": 32}


def test_a_fresh_host_gets_the_interface_and_every_address() -> None:
    assert link_batch(NETWORK.addresses, [{"ifname": "lo"}]) == [
        "link add rcn-svc type bridge",
        "link set rcn-svc up",
        "addr add 10.96.0.10/32 dev rcn-svc",
        "addr add 10.96.0.11/32 dev rcn-svc",
    ]


def test_a_bridge_that_somebody_removed_comes_back_with_its_gateway() -> None:
    assert bridge_batch("10.244.1.0/24", [{"ifname": "lo"}]) == [
        "link add rcn0 type bridge",
        "addr add 10.244.1.1/24 dev rcn0",
        "link set rcn0 up",
    ]
    assert bridge_batch("10.244.1.0/24", [RCN0]) == []


def test_a_bridge_that_was_set_down_emptied_or_given_another_mtu_is_put_right() -> None:
    changed = RCN0 | {"flags": ["BROADCAST"], "addr_info": [], "mtu": 1280}
    port = {"ifname": "veth1", "master": "rcn0", "mtu": 1500, "flags": ["UP"]}
    assert bridge_batch("10.244.1.0/24", [changed, port]) == [
        "addr add 10.244.1.1/24 dev rcn0",
        "link set rcn0 mtu 1500",
        "link set rcn0 up",
    ]


def test_ends_of_links_that_are_in_no_bridge_or_down_are_seen() -> None:
    whole = {"ifname": "veth1", "ifindex": 7, "master": "rcn0", "flags": ["UP"]}
    free = {"ifname": "veth2", "ifindex": 8, "flags": ["UP"]}
    down = whole | {"ifname": "veth3", "ifindex": 9, "flags": ["BROADCAST"]}
    assert loose_ports([whole, free, down, {"ifname": "eth0", "ifindex": 2}]) == {8: "veth2", 9: "veth3"}


def test_addresses_of_services_that_are_gone_are_removed() -> None:
    shown = [UP | {"addr_info": [address("10.96.0.10"), address("10.96.0.99")]}]
    assert link_batch(NETWORK.addresses, shown) == [
        "addr del 10.96.0.99/32 dev rcn-svc",
        "addr add 10.96.0.11/32 dev rcn-svc",
    ]


def test_addresses_of_other_interfaces_are_not_ours() -> None:
    shown = [
        {"ifname": "eth0", "addr_info": [address("192.0.2.9")]},
        UP
        | {"addr_info": [address("10.96.0.10"), address("10.96.0.11"), {"family": "inet6", "local": "fe80::1"}]},
    ]
    assert link_batch(NETWORK.addresses, shown) == []


@pytest.mark.parametrize("bad", ["10.96.0.1; reboot", "x", "10.96.0.0/16/2", "::1"])
def test_what_is_not_an_address_never_becomes_a_line(bad: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        link_batch((bad,), [UP])


def test_the_fingerprint_does_not_depend_on_the_order() -> None:
    shuffled = msgspec.structs.replace(
        NETWORK, cluster_routes=NETWORK.routes[::-1], addresses=NETWORK.addresses[::-1]
    )
    assert network_fingerprint(shuffled) == network_fingerprint(NETWORK)
    assert network_fingerprint(msgspec.structs.replace(NETWORK, addresses=())) != network_fingerprint(NETWORK)
