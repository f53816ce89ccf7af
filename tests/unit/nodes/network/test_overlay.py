"""Which way packets go to each peer, and the lines that make it so: only what differs from what the host has."""

import json
from typing import Any

import pytest

from reconciler.model.api.cluster import NetworkMode
from reconciler.model.setups import Route
from reconciler.nodes.network.overlay import (
    Hop,
    UnderlayRoute,
    device_batch,
    forwarding_batch,
    hops_to,
    in_words,
    neighbour_batch,
    read_ways,
    route_batch,
    tunnel_mtu,
)

NEAR, FAR = Route("10.244.2.0/24", "192.0.2.2"), Route("10.244.3.0/24", "198.51.100.3")
WAYS = {"192.0.2.2": UnderlayRoute("eth0", 1500, True), "198.51.100.3": UnderlayRoute("eth0", 1400, False)}
LINKS = [{"ifname": "lo", "mtu": 65536}, {"ifname": "eth0", "mtu": 1500}]
HOPS = [Hop("10.244.2.0/24", "192.0.2.2", False), Hop("10.244.3.0/24", "198.51.100.3", True)]
SOURCE = "10.244.1.1"
DEVICE: dict[str, Any] = {
    "ifname": "rcn-vx",
    "flags": ["UP"],
    "mtu": 1350,
    "address": "06:52:0a:f4:01:00",
    "linkinfo": {"info_kind": "vxlan", "info_data": {"id": 82, "port": 8482, "learning": False}},
}


def test_the_hosts_own_routes_tell_who_is_on_the_same_network() -> None:
    near = [{"dst": "192.0.2.2", "dev": "eth0", "prefsrc": "192.0.2.1"}]
    far = [{"dst": "198.51.100.3", "gateway": "192.0.2.254", "dev": "eth0", "metrics": [{"mtu": 1400}]}]
    assert read_ways(f"{json.dumps(near)}\n{json.dumps(far)}\n", LINKS) == WAYS
    assert read_ways("", LINKS) == {}


@pytest.mark.parametrize(
    ("mode", "tunnelled"),
    [("auto", [False, True]), ("routes", [False, False]), ("vxlan", [True, True])],
)
def test_the_mode_decides_or_else_each_peers_way(mode: NetworkMode, tunnelled: list[bool]) -> None:
    assert [hop.tunnelled for hop in hops_to((FAR, NEAR), mode, WAYS)] == tunnelled


def test_which_way_to_a_peer_that_the_host_has_no_route_to_is_not_decided() -> None:
    assert hops_to((FAR, NEAR), "auto", {NEAR.via: WAYS[NEAR.via]}) == HOPS[:1]
    assert [hop.tunnelled for hop in hops_to((FAR, NEAR), "vxlan", {})] == [True, True]
    assert [hop.tunnelled for hop in hops_to((FAR, NEAR), "routes", {})] == [False, False]


@pytest.mark.parametrize(("mtu", "inside"), [(0, 1350), (9000, 8950)])
def test_a_packet_and_its_headers_fit_the_smallest_way(mtu: int, inside: int) -> None:
    assert tunnel_mtu(mtu, WAYS) == inside


def test_the_device_is_made_once_and_put_right() -> None:
    made = device_batch("10.244.1.0/24", 1350, LINKS)
    assert made == [
        "link add rcn-vx address 06:52:0a:f4:01:00 mtu 1350 type vxlan id 82 dstport 8482 nolearning",
        "link set rcn-vx up",
    ]
    assert device_batch("10.244.1.0/24", 1350, [DEVICE]) == []
    assert device_batch("10.244.1.0/24", 1450, [DEVICE]) == ["link set rcn-vx mtu 1450"]
    assert device_batch("10.244.1.0/24", 1350, [DEVICE | {"flags": []}]) == ["link set rcn-vx up"]
    foreign = DEVICE | {"linkinfo": {"info_kind": "bridge"}}
    assert device_batch("10.244.1.0/24", 1350, [foreign]) == ["link del rcn-vx", *made]


def test_a_far_peer_is_known_by_the_address_that_follows_from_its_pod_cidr() -> None:
    assert neighbour_batch(HOPS, [{"dst": "10.244.9.0", "lladdr": "06:52:0a:f4:09:00"}]) == [
        "neigh del 10.244.9.0 dev rcn-vx",
        "neigh replace 10.244.3.0 lladdr 06:52:0a:f4:03:00 dev rcn-vx nud permanent",
    ]
    moved = [{"mac": "06:52:0a:f4:03:00", "dst": "198.51.100.99"}, {"mac": "33:33:00:00:00:01"}]
    assert forwarding_batch(HOPS, moved) == [
        "fdb del 06:52:0a:f4:03:00 dev rcn-vx dst 198.51.100.99 self",
        "fdb append 06:52:0a:f4:03:00 dev rcn-vx dst 198.51.100.3 self permanent",
    ]


def test_what_is_there_for_a_peer_that_nothing_is_known_of_now_stays() -> None:
    kept = {FAR.cidr}
    neighbours = [{"dst": f"10.244.{net}.0", "lladdr": f"06:52:0a:f4:{net:02}:00"} for net in (3, 9)]
    entries = [{"mac": f"06:52:0a:f4:{net:02}:00", "dst": f"198.51.100.{net}"} for net in (3, 9)]
    through = [{"dst": f"10.244.{net}.0/24", "gateway": f"10.244.{net}.0", "dev": "rcn-vx"} for net in (3, 9)]
    assert neighbour_batch([], neighbours, kept) == ["neigh del 10.244.9.0 dev rcn-vx"]
    assert forwarding_batch([], entries, kept) == ["fdb del 06:52:0a:f4:09:00 dev rcn-vx dst 198.51.100.9 self"]
    assert route_batch([], SOURCE, 0, through, kept) == ["route del 10.244.9.0/24 proto 82"]


def test_packets_do_not_grow_while_a_way_is_not_known() -> None:
    assert device_batch("10.244.1.0/24", 1450, [DEVICE], may_grow=False) == []
    assert device_batch("10.244.1.0/24", 1300, [DEVICE], may_grow=False) == ["link set rcn-vx mtu 1300"]


def test_routes_are_replaced_removed_and_left_alone() -> None:
    direct = {"dst": "10.244.2.0/24", "gateway": "192.0.2.2", "dev": "eth0", "prefsrc": SOURCE}
    through = {"dst": "10.244.3.0/24", "gateway": "10.244.3.0", "dev": "rcn-vx", "prefsrc": SOURCE}
    stale = {"dst": "10.244.4.0/24", "gateway": "192.0.2.4", "dev": "eth0"}
    assert route_batch(HOPS, SOURCE, 0, [direct, through]) == []
    assert route_batch(HOPS, SOURCE, 0, [direct | {"gateway": "192.0.2.99"}, stale]) == [
        "route del 10.244.4.0/24 proto 82",
        "route replace 10.244.2.0/24 via 192.0.2.2 src 10.244.1.1 proto 82",
        "route replace 10.244.3.0/24 via 10.244.3.0 dev rcn-vx onlink src 10.244.1.1 proto 82",
    ]


def test_the_clusters_own_mtu_is_that_of_direct_routes() -> None:
    direct = {"dst": "10.244.2.0/24", "gateway": "192.0.2.2", "dev": "eth0", "prefsrc": SOURCE}
    lines = route_batch(HOPS[:1], SOURCE, 1400, [direct])
    assert lines == ["route replace 10.244.2.0/24 via 192.0.2.2 src 10.244.1.1 mtu 1400 proto 82"]
    assert route_batch(HOPS[:1], SOURCE, 1400, [direct | {"metrics": [{"mtu": 1400}]}]) == []


def test_what_was_put_right_is_said_in_words() -> None:
    lines = ["link add rcn-vx type vxlan", "link set rcn-vx up", "route replace 10.244.2.0/24 via 192.0.2.2"]
    assert in_words(lines) == ("interface rcn-vx", "route to 10.244.2.0/24")
