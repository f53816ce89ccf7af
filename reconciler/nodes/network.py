"""The network state of a host: compared with what is there, and only the difference applied. Called by setup.py.

What we leave: Docker network `reconciler`, routes of protocol 82, two iptables chains with one jump each, and the
service addresses on the interface `rcn-svc`. Nothing else is read as ours, or changed.
"""

import hashlib
import ipaddress
import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from docker.types import IPAMConfig, IPAMPool
from docker.utils import version_gte
from msgspec import Struct

from reconciler.model.names import LABEL_CLUSTER, POD_NETWORK
from reconciler.model.operations import NodeNetwork, Route
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import CommandFailed, EngineError, NotOurs
from reconciler.nodes.shell import Reply, Shell

BRIDGE = "rcn0"
SERVICES = "rcn-svc"
PROTOCOL = "82"
FORWARD_CHAIN, FORWARD_HOOK = "RECONCILER-FWD", "DOCKER-USER"
NAT_CHAIN, NAT_HOOK = "RECONCILER-POST", "POSTROUTING"
_IPTABLES_SECONDS = 10.0
"""More than its own wait for the lock that others may hold (`-w 5`)."""
_DIRECT_ACCESS_BLOCKED = "1.48"
_IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"


def network_fingerprint(network: NodeNetwork) -> str:
    """What NetworkState.fingerprint says once this is in force."""
    sorted_ = msgspec.structs.replace(
        network, routes=tuple(sorted(network.routes)), addresses=tuple(sorted(network.addresses))
    )
    return hashlib.sha256(msgspec.json.encode(sorted_)).hexdigest()[:16]


class Applied(Struct, frozen=True):
    changed: bool
    complaint: str = ""
    """Peers that no route could be made to; all the rest is in force."""


def apply_network(network: NodeNetwork, cluster: str, engine: Engine, shell: Shell) -> Applied:
    """Make it so. Raises NodeError where more is missing than the way to some peers."""
    routes, complaint = _resolved(network.routes)
    changed = [
        _ensure_pod_network(network.pod_cidr, cluster, engine),
        _ensure_links(shell, network),
        _ensure_forwarding(shell),
        _ensure_chain(shell, "filter", FORWARD_CHAIN, FORWARD_HOOK, forward_rules(network, routes)),
        _ensure_chain(shell, "nat", NAT_CHAIN, NAT_HOOK, nat_rules(network)),
    ]
    lines = route_batch(routes, _json(shell, "ip", "-json", "route", "show", "proto", PROTOCOL))
    reply = _batch(shell, lines)
    if reply.status != 0:
        complaint = f"{complaint} {reply.err.strip()}; are these hosts in one network?".strip()
    return Applied(bool(lines) or any(changed), complaint)


# --- pure ---------------------------------------------------------------------------------------------------


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
    network = ipaddress.IPv4Network(pod_cidr)
    gateway = f"{network.network_address + 1}/{network.prefixlen}"
    return [f"link add {BRIDGE} type bridge", f"addr add {gateway} dev {BRIDGE}", f"link set {BRIDGE} up"]


def route_batch(wanted: Iterable[Route], shown: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines for `ip -batch`, given `ip -json route show proto 82`."""
    has = {str(ipaddress.ip_network(entry["dst"])): entry.get("gateway", "") for entry in shown}
    needs = {str(ipaddress.IPv4Network(route.cidr)): route.via for route in wanted}
    lines = [f"route del {cidr} proto {PROTOCOL}" for cidr in sorted(has.keys() - needs.keys())]
    return lines + [
        f"route replace {cidr} via {via} proto {PROTOCOL}"
        for cidr, via in sorted(needs.items())
        if has.get(cidr) != via
    ]


def forward_rules(network: NodeNetwork, routes: Iterable[Route]) -> list[str]:
    """Pods reach each other, and the proxies of the other hosts reach the pods, with their host's own address."""
    pods, cluster = network.pod_cidr, network.cluster_cidr
    peers = [f"-A {FORWARD_CHAIN} -s {via}/32 -d {pods} -j ACCEPT" for via in sorted({r.via for r in routes})]
    return [
        f"-A {FORWARD_CHAIN} -s {cluster} -d {pods} -j ACCEPT",
        f"-A {FORWARD_CHAIN} -s {pods} -d {cluster} -j ACCEPT",
        *peers,
    ]


def nat_rules(network: NodeNetwork) -> list[str]:
    """Pods keep their address inside the cluster, and take the host's outside."""
    return [f"-A {NAT_CHAIN} -s {network.pod_cidr} ! -d {network.cluster_cidr} -j MASQUERADE"]


def restore_input(table: str, chain: str, rules: list[str]) -> str:
    """For `iptables-restore --noflush`: declaring the chain empties it, so its rules are replaced at once."""
    return "\n".join((f"*{table}", f":{chain} - [0:0]", *rules, "COMMIT", ""))


# --- on the host --------------------------------------------------------------------------------------------


def _ensure_links(shell: Shell, network: NodeNetwork) -> bool:
    shown = _json(shell, "ip", "-json", "addr", "show")
    lines = [*bridge_batch(network.pod_cidr, shown), *link_batch(network.addresses, shown)]
    reply = _batch(shell, lines)
    if reply.status != 0:
        raise CommandFailed(f"cannot set up {BRIDGE}, and {SERVICES} with its addresses: {reply.err.strip()}")
    return bool(lines)


def _ensure_forwarding(shell: Shell) -> bool:
    if shell.check(["cat", _IP_FORWARD]).strip() == "1":
        return False
    shell.check(["tee", _IP_FORWARD], stdin="1\n")
    return True


def _batch(shell: Shell, lines: list[str]) -> Reply:
    """All of them, whichever fails."""
    if not lines:
        return Reply(0, "", "")
    return shell.run(["ip", "-force", "-batch", "-"], stdin="\n".join(lines) + "\n")


def _ensure_chain(shell: Shell, table: str, chain: str, hook: str, rules: list[str]) -> bool:
    iptables = ("iptables", "-w", "5", "-t", table)
    shown = shell.run([*iptables, "-S", chain], timeout=_IPTABLES_SECONDS)
    changed = shown.status != 0 or shown.out.split("\n") != [f"-N {chain}", *rules, ""]
    if changed:
        shell.check(
            ["iptables-restore", "-w", "5", "--noflush"],
            stdin=restore_input(table, chain, rules),
            timeout=_IPTABLES_SECONDS,
        )
    jump = [hook, "-j", chain]
    if shell.run([*iptables, "-C", *jump]).status != 0:
        shell.check([*iptables, "-I", *jump])
        return True
    return changed


def _ensure_pod_network(pod_cidr: str, cluster: str, engine: Engine) -> bool:
    existing = pod_network(engine)
    if existing is not None:
        owner = (existing.get("Labels") or {}).get(LABEL_CLUSTER)
        if owner != cluster:
            whose = f"of the cluster {owner}" if owner else "that is not ours"
            raise NotOurs(
                f"the host has a Docker network {POD_NETWORK!r} that is {whose}; remove it, if nobody needs it"
            )
        if _subnet(existing) == pod_cidr:
            return False
        _remove_pod_network(existing, pod_cidr, engine)
    with engine_errors("create the pod network"):
        engine.create_network(
            POD_NETWORK,
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=pod_cidr)]),
            options=_bridge_options(engine),
            labels={LABEL_CLUSTER: cluster},
        )
    return True


def _bridge_options(engine: Engine) -> dict[str, str]:
    options = {
        "com.docker.network.bridge.name": BRIDGE,
        "com.docker.network.bridge.enable_ip_masquerade": "false",
    }
    if version_gte(engine.api_version, _DIRECT_ACCESS_BLOCKED):
        # Since Docker 28 a rule in the raw table, before ours, drops what other hosts send to a container.
        options["com.docker.network.bridge.gateway_mode_ipv4"] = "nat-unprotected"
    return options


def pod_network(engine: Engine) -> dict[str, Any] | None:
    """Also called by reset.py."""
    try:
        with engine_errors("inspect the pod network"):
            found: dict[str, Any] = engine.inspect_network(POD_NETWORK)
    except EngineError as error:
        if error.status == 404:
            return None
        raise
    return found


def _remove_pod_network(existing: Mapping[str, Any], pod_cidr: str, engine: Engine) -> None:
    try:
        with engine_errors("remove the pod network"):
            engine.remove_network(existing["Id"])
    except EngineError as error:
        raise CommandFailed(
            f"the pod network has the subnet {_subnet(existing)} and is to have {pod_cidr}, but containers are "
            f"still on it ({error.message}); drain the node, or give its podCIDR back"
        ) from error


def _subnet(network: Mapping[str, Any]) -> str:
    pools = (network.get("IPAM") or {}).get("Config") or [{}]
    return str(pools[0].get("Subnet", ""))


def _json(shell: Shell, *argv: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(shell.check(argv) or "[]")
    return found


def _resolved(routes: Iterable[Route]) -> tuple[list[Route], str]:
    """With addresses in the place of names, and what is wrong with the others."""
    found, complaints = [], []
    for route in routes:
        try:
            found.append(Route(route.cidr, socket.gethostbyname(route.via)))
        except OSError as error:
            complaints.append(f"no route to {route.cidr}: cannot resolve {route.via} ({error.strerror}).")
    return found, " ".join(complaints)
