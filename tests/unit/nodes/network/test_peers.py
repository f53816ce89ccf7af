"""A peer that nothing is known of for a moment is none that is gone: the host keeps what it has for it."""

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec.structs import replace

from reconciler.model.names import LABEL_CLUSTER
from reconciler.model.setups import NodeNetwork, Route
from reconciler.nodes.network.interfaces import NetworkResult, apply_network, apply_policy
from reconciler.nodes.network.iptables import filter_table, nat_table
from reconciler.nodes.ssh.host_addresses import Resolver
from reconciler.nodes.ssh.shell import CommandResult, Shell
from tests.unit.nodes.network.test_iptables import in_force

NEAR, FAR = "192.0.2.2", "198.51.100.3"
ROUTES = (Route("10.244.2.0/24", "near.example"), Route("10.244.3.0/24", "far.example"))
NETWORK = NodeNetwork("10.244.1.0/24", "10.244.0.0/16", ROUTES, ())
KNOWN = {"near.example": NEAR, "far.example": FAR}


RCN0: dict[str, Any] = {
    "ifname": "rcn0",
    "mtu": 1500,
    "flags": ["UP"],
    "addr_info": [{"family": "inet", "local": "10.244.1.1"}],
}


class Host(Shell):
    """One that has all of NETWORK in force: its own routes tell the way to each peer. Keeps what is written."""

    def __init__(self, **ways: str) -> None:
        self._where = "node-1"
        self.ways = ways or {NEAR: "", FAR: "192.0.2.254"}
        self.written: list[str] = []
        """Lines."""

    def run(self, argv: Sequence[str], stdin: str | bytes | None = None, timeout: float = 5.0) -> CommandResult:
        if stdin is not None and "-json" in argv:
            return self._route_get(str(stdin))
        if stdin is not None:
            self.written += str(stdin).splitlines()
            return CommandResult(0, "", "")
        return CommandResult(0, self._shown(*argv), "")

    def _route_get(self, asked: str) -> CommandResult:
        peers = [line.split()[-1] for line in asked.splitlines()]
        found: list[dict[str, Any]] = [
            {"dst": peer, "dev": "eth0"}
            | ({"gateway": self.ways[peer], "metrics": [{"mtu": 1400}]} if self.ways[peer] else {})
            for peer in peers
            if peer in self.ways
        ]
        return CommandResult(
            0 if len(found) == len(peers) else 2, "".join(f"{json.dumps([one])}\n" for one in found), ""
        )

    def _shown(self, *argv: str) -> str:
        far, own = "06:52:0a:f4:03:00", "10.244.1.1"
        tunnel = {"info_kind": "vxlan", "info_data": {"id": 82, "port": 8482, "learning": False}}
        match argv:
            case ("ip", *_, "addr", "show"):
                links: list[dict[str, Any]] = [{"ifname": "eth0", "mtu": 1500}, RCN0]
                links.append({"ifname": "rcn-svc", "flags": ["UP"], "mtu": 1500})
                links.append({"ifname": "rcn-vx", "flags": ["UP"], "mtu": 1350, "address": "06:52:0a:f4:01:00"})
                links[-1]["linkinfo"] = tunnel
                return json.dumps(links)
            case ("ip", _, "neigh", *_):
                return json.dumps([{"dst": "10.244.3.0", "lladdr": far}])
            case ("bridge", *_):
                return json.dumps([{"mac": far, "dst": FAR}])
            case ("ip", _, "route", *_):
                near_route = {"dst": "10.244.2.0/24", "gateway": NEAR, "dev": "eth0", "prefsrc": own}
                far_route = {"dst": "10.244.3.0/24", "gateway": "10.244.3.0", "dev": "rcn-vx", "prefsrc": own}
                return json.dumps([near_route, far_route])
            case ("iptables", *_, name, "-S"):
                table = nat_table(NETWORK) if name == "nat" else filter_table(NETWORK, (NEAR, FAR))
                chains = in_force(table)
                return "".join(
                    f"-N {chain}\n" + "".join(f"{r}\n" for r in rules) for chain, rules in chains.items()
                )
            case ("cat", "/proc/sys/net/ipv4/ip_forward"):
                return "1\n"
            case ("cat", *files):
                return "0\n" * len(files)
        raise AssertionError(argv)


class Engine:
    def inspect_network(self, name: str) -> dict[str, Any]:
        return {"Labels": {LABEL_CLUSTER: "shop"}, "IPAM": {"Config": [{"Subnet": NETWORK.pod_cidr}]}}


def names(*known: str) -> Resolver:
    """Those that resolve; no others do."""
    return Resolver(
        lambda name: ([KNOWN[name]], "") if name in known else ([], f"cannot resolve {name}"), fresh_seconds=0
    )


def applied(host: Host, network: NodeNetwork, hosts: Resolver) -> NetworkResult:
    """Without what is only for the host's next boot."""
    done = apply_network(network, "shop", cast(Any, Engine()), host, hosts)
    return replace(done, peers=frozenset(), laid=None)


def test_a_host_that_has_it_all_is_left_alone() -> None:
    host = Host()
    assert applied(host, NETWORK, names(*KNOWN)) == NetworkResult(())
    assert host.written == []


@pytest.mark.parametrize("known", [(), ("near.example",), ("far.example",)])
def test_peers_that_cannot_be_resolved_keep_what_the_host_has_for_them(known: tuple[str, ...]) -> None:
    host = Host()
    done = applied(host, NETWORK, names(*known))
    assert done.complaint == "", "nothing is wrong with this host"
    assert host.written == []
    for name in KNOWN.keys() - set(known):
        assert f"cannot resolve {name}; what is there stays" in done.unresolved
    assert apply_policy(NETWORK, host, names(*known)).unresolved
    assert host.written == []


def test_a_name_that_was_resolved_before_leads_where_it_led() -> None:
    resolves = dict(KNOWN)
    hosts = Resolver(lambda name: ([resolves[name]], "") if name in resolves else ([], "no"), fresh_seconds=0)
    hosts.resolve(KNOWN)
    resolves.clear()
    host = Host()
    assert (
        f"the way to 10.244.3.0/24: no; it is taken to be {FAR} still." in applied(host, NETWORK, hosts).unresolved
    )
    assert host.written == []


@pytest.mark.parametrize("ways", [{NEAR: ""}, {FAR: "192.0.2.254"}, {"203.0.113.1": ""}])
def test_a_peer_that_the_host_has_no_way_to_for_a_moment_keeps_its_own(ways: dict[str, str]) -> None:
    host = Host(**ways)
    complaint = applied(host, NETWORK, names(*KNOWN)).complaint
    assert host.written == []
    for peer in {NEAR, FAR} - ways.keys():
        assert f"this host has no route to {peer}" in complaint


def test_what_was_for_a_node_that_is_gone_goes_all_the_same() -> None:
    host = Host()
    applied(host, replace(NETWORK, cluster_routes=ROUTES[:1]), names("near.example"))
    assert "route del 10.244.3.0/24 proto 82" in host.written
    assert "neigh del 10.244.3.0 dev rcn-vx" in host.written
    assert not any(FAR in line for line in host.written if line.startswith("-A"))
