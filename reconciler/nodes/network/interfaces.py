"""The network state of a host: compared with what is there, and only the difference applied. For node_setup.py.

What we leave: Docker network `reconciler`, routes of protocol 82, a VXLAN device, chains of our own in iptables
with a jump to each, and the service addresses on the interface `rcn-svc`. Nothing else counts as ours.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from docker.types import IPAMConfig, IPAMPool
from docker.utils import version_gte
from msgspec import Struct

from reconciler.model.names import LABEL_CLUSTER, POD_NETWORK
from reconciler.model.setups import NodeNetwork, Route
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.errors import CommandFailed, EngineError, NotOurs
from reconciler.nodes.network.glance import IP_FORWARD
from reconciler.nodes.network.iptables import (
    ensure_table,
    filter_table,
    nat_table,
    peers_let_in,
    show_rules,
)
from reconciler.nodes.network.links import ensure_links
from reconciler.nodes.network.overlay import BRIDGE, OverlayResult, ensure_overlay, show
from reconciler.nodes.ssh.host_addresses import HOSTS, Resolver
from reconciler.nodes.ssh.shell import Shell

_DIRECT_ACCESS_BLOCKED = "1.48"
_BRIDGE_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"
"""Of all bridges; ours is switched on by itself, whatever is in it."""


def network_fingerprint(network: NodeNetwork) -> str:
    """What NetworkState.fingerprint says once this is in force."""
    sorted_ = msgspec.structs.replace(
        network, cluster_routes=tuple(sorted(network.routes)), addresses=tuple(sorted(network.addresses))
    )
    return hashlib.sha256(msgspec.json.encode(sorted_)).hexdigest()[:16]


class NetworkResult(Struct, frozen=True):
    changes: tuple[str, ...]
    """What was not as it should be, in words."""
    complaint: str = ""
    """Peers that no route could be made to; all the rest is in force."""
    unresolved: str = ""
    """Peers whose present address is not known; all the rest is in force."""
    peers: frozenset[str] = frozenset()
    """Addresses of the other hosts that are let in."""
    laid: OverlayResult | None = None
    """The ways to them; None: not looked at."""


def apply_network(
    network: NodeNetwork,
    cluster: str,
    engine: Engine,
    shell: Shell,
    hosts: Resolver = HOSTS,
    pods: Iterable[int] = (),
) -> NetworkResult:
    """Make it so. Raises NodeError where more is missing than the way to some peers.

    What the host has for a peer that nothing is known of now stays as it is: it is not one that is gone.
    `pods`: first processes of containers with an address of their own on the pod network."""
    routes, unresolved = _resolved(network.routes, hosts)
    changes = [
        *_ensure_pod_network(network.pod_cidr, cluster, engine),
        *ensure_links(shell, network, pods),
        *_ensure_forwarding(shell),
    ]
    overlay = ensure_overlay(shell, network, routes)
    filtering = _ensure_filtering(shell, network, routes)
    changes += (*overlay.changes, *filtering.changes, *ensure_table(shell, nat_table(network)))
    complaints = (overlay.complaint, filtering.complaint)
    complaint = " ".join(filter(None, complaints))
    return NetworkResult(tuple(changes), complaint, unresolved, filtering.peers, overlay)


def apply_policy(network: NodeNetwork, shell: Shell, hosts: Resolver = HOSTS) -> NetworkResult:
    """The same where all but the policy is in force: a fraction of the work, for pods come and go."""
    routes, unresolved = _resolved(network.routes, hosts)
    filtering = _ensure_filtering(shell, network, routes)
    return msgspec.structs.replace(filtering, unresolved=unresolved)


# --- on the host --------------------------------------------------------------------------------------------


def _ensure_forwarding(shell: Shell) -> tuple[str, ...]:
    if shell.check(["cat", IP_FORWARD]).strip() == "1":
        return ()
    shell.check(["tee", IP_FORWARD], stdin="1\n")
    return ("net.ipv4.ip_forward",)


def _ensure_filtering(shell: Shell, network: NodeNetwork, routes: Sequence[Route]) -> NetworkResult:
    peers = {route.via for route in routes}
    if len(routes) < len(network.routes):
        peers |= peers_let_in(show_rules(shell, "filter"))
    changes = ensure_table(shell, filter_table(network, peers))
    if not network.policy.pods or _filters_bridge(shell):
        return NetworkResult(changes, peers=frozenset(peers))
    shell.run(["modprobe", "br_netfilter"])
    if shell.run(["test", "-e", _BRIDGE_NETFILTER]).status != 0:
        complaint = (
            "network policies do not hold between pods of this host: its kernel has no br_netfilter; "
            "`modprobe br_netfilter` says why"
        )
        return NetworkResult(changes, complaint, peers=frozenset(peers))
    shell.check(["ip", "link", "set", "dev", BRIDGE, "type", "bridge", "nf_call_iptables", "1"])
    return NetworkResult((*changes, f"iptables on {BRIDGE}"), peers=frozenset(peers))


def _filters_bridge(shell: Shell) -> bool:
    """Without it, packets between two pods of a host pass no rule."""
    if shell.run(["test", "-e", _BRIDGE_NETFILTER]).status != 0:
        return False
    (link,) = show(shell, "ip", "-json", "-details", "link", "show", "dev", BRIDGE)
    return bool(link["linkinfo"]["info_data"].get("nf_call_iptables"))


def _ensure_pod_network(pod_cidr: str, cluster: str, engine: Engine) -> tuple[str, ...]:
    existing = pod_network(engine)
    if existing is not None:
        owner = (existing.get("Labels") or {}).get(LABEL_CLUSTER)
        if owner != cluster:
            whose = f"of the cluster {owner}" if owner else "that is not ours"
            raise NotOurs(
                f"the host has a Docker network {POD_NETWORK!r} that is {whose}; remove it, if nobody needs it"
            )
        if _subnet(existing) == pod_cidr:
            return ()
        _remove_pod_network(existing, pod_cidr, engine)
    with engine_errors("create the pod network"):
        engine.create_network(
            POD_NETWORK,
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=pod_cidr)]),
            options=_bridge_options(engine),
            labels={LABEL_CLUSTER: cluster},
        )
    return (f"Docker network {POD_NETWORK}",)


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
    """Return Docker's network of the cluster, as Docker describes it; None if there is none. `reset.py` asks for
    it too.
    """
    try:
        with engine_errors("inspect the pod network"):
            found: dict[str, Any] = engine.inspect_network(POD_NETWORK)
    except EngineError as error:
        if error.status == 404:
            return None
        raise
    return found


def given_pod_cidr(cluster: str, engine: Engine) -> str:
    """The subnet of the pod network that the host has already; empty: it has none of ours."""
    existing = pod_network(engine)
    if existing is None or (existing.get("Labels") or {}).get(LABEL_CLUSTER) != cluster:
        return ""
    return _subnet(existing)


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


def _resolved(routes: Sequence[Route], hosts: Resolver) -> tuple[list[Route], str]:
    """With addresses in the place of names, as last known, and what is wrong with them; without those of peers
    that none is known of."""
    answers = hosts.resolve(route.via for route in routes)
    found, complaints = [], []
    for route in routes:
        answer = answers[route.via]
        if answer.address:
            found.append(Route(route.cidr, answer.address))
        if answer.complaint:
            stays = f"it is taken to be {answer.address} still" if answer.address else "what is there stays"
            complaints.append(f"the way to {route.cidr}: {answer.complaint}; {stays}.")
    return found, " ".join(complaints)
