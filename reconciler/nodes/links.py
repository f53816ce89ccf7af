"""The bridge of the pods, and the one that holds the service addresses: there, up, and with their addresses.

Called by network.py.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.model.setups import NodeNetwork
from reconciler.nodes.errors import CommandFailed
from reconciler.nodes.overlay import BRIDGE, batch, gateway_of, in_words, show
from reconciler.nodes.shell import Shell

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
    """Lines for `ip -batch` that bring back the pod network's bridge, if somebody removed it under Docker's feet.

    Docker makes it only when the network is made or dockerd starts; without it no container of the network starts.
    """
    if any(entry.get("ifname") == BRIDGE for entry in shown):
        return []
    gateway = f"{gateway_of(pod_cidr)}/{ipaddress.IPv4Network(pod_cidr).prefixlen}"
    return [f"link add {BRIDGE} type bridge", f"addr add {gateway} dev {BRIDGE}", f"link set {BRIDGE} up"]


def ensure_links(shell: Shell, network: NodeNetwork) -> tuple[str, ...]:
    shown = show(shell, "ip", "-json", "addr", "show")
    lines = [*bridge_batch(network.pod_cidr, shown), *link_batch(network.addresses, shown)]
    reply = batch(shell, ("ip",), lines)
    if reply.status != 0:
        raise CommandFailed(f"cannot set up {BRIDGE}, and {SERVICES} with its addresses: {reply.err.strip()}")
    return in_words(lines)
