"""How packets for the other hosts' pods leave this one: straight to a host on the same network, or through VXLAN.

Nothing is learnt or exchanged: a peer's hardware address follows from its pod CIDR, and each host decides for
itself. Packets may come in either way, whatever it has decided. Called by network/interfaces.py.
"""

import ipaddress
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from reconciler.model.api.cluster import NetworkMode
from reconciler.model.setups import NodeNetwork, Route
from reconciler.nodes.ssh.shell import CommandResult, Shell

BRIDGE = "rcn0"
VXLAN = "rcn-vx"
PROTOCOL = "82"
VNI, PORT = 82, 8482
"""The port is neither flannel's (8472) nor Docker Swarm's (4789): whoever else sends to it may be turned away."""
_HEADERS = 50
"""Bytes that VXLAN puts around a packet, with IPv4 outside."""


class UnderlayRoute(Struct, frozen=True):
    """The way to a peer's address, by the host's own routes."""

    device: str
    mtu: int
    direct: bool
    """The peer is on the same network: no router is between."""


class Hop(Struct, frozen=True, order=True):
    """How packets for one peer's pods leave."""

    cidr: str
    peer: str
    tunnelled: bool


# --- pure ---------------------------------------------------------------------------------------------------


def read_ways(shown: str, links: Sequence[Mapping[str, Any]]) -> dict[str, UnderlayRoute]:
    """Read the way to each peer from the output of `ip -json -batch` with a `route get` for each,
    and `ip -json addr show`.

    A peer that the host has no route to is not among them.
    """
    mtus = {entry.get("ifname"): int(entry.get("mtu", 0)) for entry in links}
    ways = {}
    for line in shown.splitlines():
        for entry in json.loads(line) if line.startswith("[") else ():
            metrics = (entry.get("metrics") or [{}])[0]
            device = str(entry.get("dev", ""))
            mtu = int(metrics.get("mtu") or mtus.get(device, 0))
            ways[str(entry["dst"])] = UnderlayRoute(device, mtu, "gateway" not in entry)
    return ways


def hops_to(routes: Iterable[Route], mode: NetworkMode, ways: Mapping[str, UnderlayRoute]) -> list[Hop]:
    """Return the hop to each peer, without the peers that cannot be decided on: in `auto`, one that the host has
    no way to at this moment.
    """
    found = []
    for route in routes:
        way = ways.get(route.via)
        if mode == "auto" and way is None:
            continue
        tunnelled = mode == "vxlan" or (mode == "auto" and way is not None and not way.direct)
        found.append(Hop(network_of(route), route.via, tunnelled))
    return sorted(found)


def network_of(route: Route) -> str:
    """The peer's pod CIDR, written as `ip` writes it."""
    return str(ipaddress.IPv4Network(route.cidr))


def tunnel_mtu(mtu: int, ways: Mapping[str, UnderlayRoute]) -> int:
    """Size the packets that fit through a tunnel to any peer; `mtu` is the Cluster's own, 0: found out."""
    outside = mtu or min((way.mtu for way in ways.values() if way.mtu), default=1500)
    return outside - _HEADERS


def gateway_of(pod_cidr: str) -> str:
    """The host's own address on its pod network."""
    return str(ipaddress.IPv4Network(pod_cidr).network_address + 1)


def hardware_address(pod_cidr: str) -> str:
    return "06:52:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Network(pod_cidr).network_address.packed)


def device_batch(pod_cidr: str, mtu: int, shown: Sequence[Mapping[str, Any]], may_grow: bool = True) -> list[str]:
    """Lines for `ip -batch` that make the VXLAN device or put it right, given `ip -json -details addr show`.

    `may_grow`: all ways are known, so no packet needs a smaller MTU than this one."""
    link = next((entry for entry in shown if entry.get("ifname") == VXLAN), None)
    address = hardware_address(pod_cidr)
    make = f"link add {VXLAN} address {address} mtu {mtu} type vxlan id {VNI} dstport {PORT} nolearning"
    up = f"link set {VXLAN} up"
    if link is None:
        return [make, up]
    info = link.get("linkinfo") or {}
    data = info.get("info_data") or {}
    fixed = (info.get("info_kind"), data.get("id"), data.get("port"), data.get("learning"))
    if fixed != ("vxlan", VNI, PORT, False):
        return [f"link del {VXLAN}", make, up]
    lines = [] if link.get("address") == address else [f"link set {VXLAN} address {address}"]
    has = int(link.get("mtu", 0))
    lines += [] if has == mtu or (has < mtu and not may_grow) else [f"link set {VXLAN} mtu {mtu}"]
    return lines + ([] if "UP" in link.get("flags", ()) else [up])


def neighbour_batch(
    hops: Iterable[Hop], shown: Sequence[Mapping[str, Any]], kept: Iterable[str] = ()
) -> list[str]:
    """Lines for `ip -batch`, given `ip -json neigh show dev rcn-vx nud permanent`.

    `kept`, here and below: pod CIDRs of peers that nothing is known of now; what is there for them stays."""
    stay = {_next_hop(cidr) for cidr in kept}
    has = {entry["dst"]: entry.get("lladdr") for entry in shown if entry["dst"] not in stay}
    needs = {_next_hop(hop.cidr): hardware_address(hop.cidr) for hop in hops if hop.tunnelled}
    lines = [f"neigh del {address} dev {VXLAN}" for address in sorted(has.keys() - needs.keys())]
    return lines + [
        f"neigh replace {address} lladdr {hardware} dev {VXLAN} nud permanent"
        for address, hardware in sorted(needs.items())
        if has.get(address) != hardware
    ]


def forwarding_batch(
    hops: Iterable[Hop], shown: Sequence[Mapping[str, Any]], kept: Iterable[str] = ()
) -> list[str]:
    """Lines for `bridge -batch`, given `bridge -json fdb show dev rcn-vx`: the host behind each address."""
    stay = {hardware_address(cidr) for cidr in kept}
    has = {(entry["mac"], entry["dst"]) for entry in shown if "dst" in entry and entry["mac"] not in stay}
    needs = {(hardware_address(hop.cidr), hop.peer) for hop in hops if hop.tunnelled}
    lines = [f"fdb del {hardware} dev {VXLAN} dst {peer} self" for hardware, peer in sorted(has - needs)]
    return lines + [
        f"fdb append {hardware} dev {VXLAN} dst {peer} self permanent" for hardware, peer in sorted(needs - has)
    ]


def route_batch(
    hops: Iterable[Hop], source: str, mtu: int, shown: Sequence[Mapping[str, Any]], kept: Collection[str] = ()
) -> list[str]:
    """Lines for `ip -batch`, given `ip -json route show proto 82`.

    `source`: what this host's own connections to pods come from, its address on the pod network: however the
    packets travel, the peer knows it by that. `mtu`: of direct routes; 0: the device's.
    """
    has = {str(ipaddress.ip_network(entry["dst"])): _shown_route(entry) for entry in shown}
    needs = {hop.cidr: _wanted_route(hop, source, mtu) for hop in hops}
    lines = [f"route del {cidr} proto {PROTOCOL}" for cidr in sorted(has.keys() - needs.keys() - set(kept))]
    return lines + [
        f"route replace {cidr} {wanted} proto {PROTOCOL}"
        for cidr, wanted in sorted(needs.items())
        if has.get(cidr) != wanted
    ]


def _wanted_route(hop: Hop, source: str, mtu: int) -> str:
    if hop.tunnelled:
        return f"via {_next_hop(hop.cidr)} dev {VXLAN} onlink src {source}"
    return f"via {hop.peer} src {source}" + (f" mtu {mtu}" if mtu else "")


def _shown_route(entry: Mapping[str, Any]) -> str:
    """As `_wanted_route` writes it."""
    through = f" dev {VXLAN} onlink" if entry.get("dev") == VXLAN else ""
    mtu = (entry.get("metrics") or [{}])[0].get("mtu")
    source = f" src {entry['prefsrc']}" if "prefsrc" in entry else ""
    return f"via {entry.get('gateway', '')}{through}{source}" + (f" mtu {mtu}" if mtu else "")


def _next_hop(cidr: str) -> str:
    """An address that no pod has: the network's own."""
    return str(ipaddress.IPv4Network(cidr).network_address)


def loose_devices(hops: Iterable[Hop], ways: Mapping[str, UnderlayRoute]) -> tuple[str, ...]:
    """A peer may send directly what this host answers through VXLAN, and the other way round."""
    return tuple(sorted({VXLAN, *(ways[hop.peer].device for hop in hops if hop.tunnelled and hop.peer in ways)}))


def in_words(lines: Iterable[str]) -> tuple[str, ...]:
    """Describe to people what these lines for `ip -batch` and `bridge -batch` put right."""
    nouns = {
        "link": "interface",
        "addr": "address",
        "route": "route to",
        "neigh": "neighbour",
        "fdb": "VXLAN peer",
    }
    words = (line.split() for line in lines)
    return tuple(dict.fromkeys(f"{nouns[kind]} {about}" for kind, _, about, *_ in words))


# --- on the host --------------------------------------------------------------------------------------------


class OverlayResult(Struct, frozen=True):
    changes: tuple[str, ...]
    complaint: str
    ip: tuple[str, ...] = ()
    """Lines for `ip -batch` that would make all of it where there is nothing."""
    bridge: tuple[str, ...] = ()
    """The same, for `bridge -batch`."""
    loose: tuple[str, ...] = ()
    """Devices whose reverse-path filter is not to be strict."""
    whole: bool = True
    """False: what is there for some peer is not known, and not among these lines."""


def ensure_overlay(shell: Shell, network: NodeNetwork, routes: Sequence[Route]) -> OverlayResult:
    """The ways to all peers; the bridge of the pods must be up: routes have its address as their source.

    `routes`: those of the network whose peers' addresses are known. What is there for any other peer stays."""
    ways: dict[str, UnderlayRoute] = {}
    changes: tuple[str, ...] = ()
    complaint = ""
    links = show(shell, "ip", "-json", "-details", "addr", "show")
    if network.mode != "routes" and routes:
        gets = [f"route get {peer}" for peer in sorted({route.via for route in routes})]
        ways = read_ways(batch(shell, ("ip", "-json"), gets).out, links)
    hops = hops_to(routes, network.mode, ways)
    kept = {network_of(route) for route in network.routes} - {hop.cidr for hop in hops}
    tunnelled = any(hop.tunnelled for hop in hops)
    if ways or tunnelled:
        changes, complaint = _ensure_tunnel(shell, network, hops, ways, links, kept)
        complaint = complaint if tunnelled else ""
    elif not kept and any(link.get("ifname") == VXLAN for link in links):
        changes = _carry_out(shell, ("ip",), [f"link del {VXLAN}"])[0]
    shown = show(shell, "ip", "-json", "route", "show", "proto", PROTOCOL)
    lines = route_batch(hops, gateway_of(network.pod_cidr), network.mtu, shown, kept)
    routed, refused = _carry_out(shell, ("ip",), lines)
    if refused:
        refused += "; are these hosts in one network? If not, spec.network.mode of the Cluster is auto or vxlan"
    lost = [
        f"this host has no route to {route.via}, behind which {route.cidr} is; the way to there is left as it is."
        for route in routes
        if network_of(route) in kept
    ]
    own = gateway_of(network.pod_cidr)
    tunnel = ways or tunnelled
    made = device_batch(network.pod_cidr, tunnel_mtu(network.mtu, ways), ()) if tunnel else []
    return OverlayResult(
        (*changes, *routed),
        " ".join(filter(None, (complaint, refused, *lost))),
        ip=(*made, *(neighbour_batch(hops, ()) if tunnel else ()), *route_batch(hops, own, network.mtu, ())),
        bridge=tuple(forwarding_batch(hops, ())) if tunnel else (),
        loose=loose_devices(hops, ways) if tunnel else (),
        whole=not kept,
    )


def _ensure_tunnel(
    shell: Shell,
    network: NodeNetwork,
    hops: Sequence[Hop],
    ways: Mapping[str, UnderlayRoute],
    links: Sequence[Mapping[str, Any]],
    kept: Collection[str],
) -> tuple[tuple[str, ...], str]:
    """There also where this host needs it for nobody: a peer may see that otherwise."""
    all_known = bool(network.mtu) or (not kept and all(hop.peer in ways for hop in hops))
    device = device_batch(network.pod_cidr, tunnel_mtu(network.mtu, ways), links, may_grow=all_known)
    made, why = _carry_out(shell, ("ip",), device)
    if why:
        return (), f"cannot set up {VXLAN}: {why}"
    neighbours = show(shell, "ip", "-json", "neigh", "show", "dev", VXLAN, "nud", "permanent")
    known, no_neighbour = _carry_out(shell, ("ip",), neighbour_batch(hops, neighbours, kept))
    entries = show(shell, "bridge", "-json", "fdb", "show", "dev", VXLAN)
    behind, no_entry = _carry_out(shell, ("bridge",), forwarding_batch(hops, entries, kept))
    loosened = _loosen(shell, loose_devices(hops, ways))
    return (*made, *known, *behind, *loosened), " ".join(filter(None, (no_neighbour, no_entry)))


def _loosen(shell: Shell, devices: Iterable[str]) -> tuple[str, ...]:
    """Strict reverse-path filtering would drop what takes another way than its answer. Of a device's number and
    that of `all` the higher counts: 1 is strict, 2 loose."""
    paths = {device: f"/proc/sys/net/ipv4/conf/{device}/rp_filter" for device in devices}
    shown = shell.check(["cat", "/proc/sys/net/ipv4/conf/all/rp_filter", *paths.values()]).split()
    strict = [device for device, value in zip(paths, shown[1:], strict=True) if max(shown[0], value) == "1"]
    for device in strict:
        shell.check(["tee", paths[device]], stdin="2\n")
    return tuple(f"net.ipv4.conf.{device}.rp_filter" for device in strict)


def _carry_out(shell: Shell, program: Sequence[str], lines: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """What was put right, in words, and what could not be."""
    reply = batch(shell, program, lines)
    return (in_words(lines), "") if reply.status == 0 else ((), reply.err.strip())


def batch(shell: Shell, program: Sequence[str], lines: Sequence[str]) -> CommandResult:
    """All of the lines, whichever fails."""
    if not lines:
        return CommandResult(0, "", "")
    return shell.run([*program, "-force", "-batch", "-"], stdin="\n".join(lines) + "\n")


def show(shell: Shell, *argv: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(shell.check(argv) or "[]")
    return found
