"""The bridge of the pods, and the one that holds the service addresses: there, up, and with their addresses.

Called by network/interfaces.py.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.model.setups import NodeNetwork
from reconciler.nodes.errors import CommandFailed
from reconciler.nodes.network.overlay import BRIDGE, batch, gateway_of, in_words, show
from reconciler.nodes.ssh.shell import Shell

SERVICES = "rcn-svc"


def link_batch(wanted: Iterable[str], shown: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines for `ip -batch`, given `ip -json addr show`: the interface of the service addresses, and these."""
    link = next((entry for entry in shown if entry.get("ifname") == SERVICES), None)
    lines = [] if link else [f"link add {SERVICES} type bridge"]
    if link is None or "UP" not in link.get("flags", ()):
        lines.append(f"link set {SERVICES} up")
    has = {a["local"] for a in (link or {}).get("addr_info", ()) if a.get("family") == "inet"}
    needs = {str(ipaddress.IPv4Interface(address).ip) for address in wanted}
    lines += [f"addr del {address}/32 dev {SERVICES}" for address in sorted(has - needs)]
    return lines + [f"addr add {address}/32 dev {SERVICES}" for address in sorted(needs - has)]


def bridge_batch(pod_cidr: str, shown: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines for `ip -batch` that put right the pod network's bridge, if somebody changed it under Docker's feet.

    Docker makes it only when the network is made or dockerd starts; without it no container of the network starts.
    """
    gateway = gateway_of(pod_cidr)
    address = f"addr add {gateway}/{ipaddress.IPv4Network(pod_cidr).prefixlen} dev {BRIDGE}"
    up = f"link set {BRIDGE} up"
    link = next((entry for entry in shown if entry.get("ifname") == BRIDGE), None)
    if link is None:
        return [f"link add {BRIDGE} type bridge", address, up]
    has = {a["local"] for a in link.get("addr_info", ()) if a.get("family") == "inet"}
    lines = [] if gateway in has else [address]
    # As the kernel itself has it, until somebody sets it.
    fits = min((int(port["mtu"]) for port in shown if port.get("master") == BRIDGE), default=link.get("mtu"))
    lines += [] if link.get("mtu") == fits else [f"link set {BRIDGE} mtu {fits}"]
    return lines + ([] if "UP" in link.get("flags", ()) else [up])


def loose_ports(shown: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Ends of containers' links that are in no bridge, or are down, by index: perhaps pods'."""
    return {
        int(entry["ifindex"]): str(entry["ifname"])
        for entry in shown
        if str(entry.get("ifname", "")).startswith("veth")
        and ("master" not in entry or "UP" not in entry.get("flags", ()))
    }


def ensure_links(shell: Shell, network: NodeNetwork, pods: Iterable[int] = ()) -> tuple[str, ...]:
    """`pods`: first processes of containers with an address on the pod network."""
    shown = show(shell, "ip", "-json", "addr", "show")
    lines = [*bridge_batch(network.pod_cidr, shown), *link_batch(network.addresses, shown)]
    if loose := loose_ports(shown):
        lines += [
            f"link set {loose[index]} master {BRIDGE} up" for index in _ends_of(shell, pods) if index in loose
        ]
    reply = batch(shell, ("ip",), lines)
    if reply.status != 0:
        raise CommandFailed(f"cannot set up {BRIDGE}, and {SERVICES} with its addresses: {reply.err.strip()}")
    return in_words(lines)


def _ends_of(shell: Shell, processes: Iterable[int]) -> list[int]:
    """On the host, of the links of these processes' networks; Docker names the other ends."""
    paths = [f"/proc/{process}/root/sys/class/net/eth0/iflink" for process in processes]
    said = shell.run(["cat", *paths]).out if paths else ""
    return [int(line) for line in said.split() if line.isdigit()]
