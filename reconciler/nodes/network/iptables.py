"""Chains of our own in iptables: compared with what the host has, and replaced in one transaction.

Rules are written as `iptables -S` shows them, so that comparing is comparing texts.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from reconciler.model.setups import NodeNetwork
from reconciler.nodes.network.overlay import BRIDGE, PORT, gateway_of
from reconciler.nodes.network.policy_rules import SOURCES_CHAIN, policy_chains, policy_jumps, source_rules
from reconciler.nodes.ssh.shell import Shell

OURS = "RECONCILER"
FORWARD_CHAIN, FORWARD_HOOK = f"{OURS}-FWD", "DOCKER-USER"
TUNNEL_CHAIN = f"{OURS}-VXLAN"
NAT_CHAIN = f"{OURS}-POST"
SERVICES_CHAIN = f"{OURS}-SVC"
REFUSED_CHAIN = f"{OURS}-REFUSED"
"""Its rules are `refusals`' to keep; here, that it is there and entered."""
TABLES = ("filter", "nat")
IPTABLES_SECONDS = 10.0
"""More than its own wait for the lock that others may hold (`-w 5`)."""


class RuleTable(Struct, frozen=True):
    name: str
    chains: Mapping[str, Sequence[str]]
    """The rules of each chain of ours."""
    jumps: Sequence[tuple[str, str]]
    """Each built-in chain, or chain of Docker's, with the chain that must be entered from it; outer ones first."""
    others: Collection[str] = ()
    """Chains of ours whose rules somebody else keeps."""


# --- pure ---------------------------------------------------------------------------------------------------


def filter_table(network: NodeNetwork, peers: Collection[str]) -> RuleTable:
    """`peers`: addresses of the other hosts."""
    chains = {
        **policy_chains(network.policy),
        FORWARD_CHAIN: forward_rules(network, peers),
        SERVICES_CHAIN: service_rules(network.service_cidr),
    }
    if sources := source_rules(network):
        chains[SOURCES_CHAIN] = sources
        for chain in (FORWARD_CHAIN, SERVICES_CHAIN):
            chains[chain] = [f"-A {chain} -i {BRIDGE} -j {SOURCES_CHAIN}", *chains[chain]]
    jumps = [("FORWARD", FORWARD_HOOK), (FORWARD_HOOK, FORWARD_CHAIN)]
    jumps += [("INPUT", REFUSED_CHAIN), ("INPUT", SERVICES_CHAIN)]
    if network.routes and network.mode != "routes":
        chains[TUNNEL_CHAIN] = tunnel_rules(peers)
        jumps.append(("INPUT", TUNNEL_CHAIN))
    return RuleTable("filter", chains, jumps, (REFUSED_CHAIN,))


def nat_table(network: NodeNetwork) -> RuleTable:
    return RuleTable("nat", {NAT_CHAIN: nat_rules(network)}, [("POSTROUTING", NAT_CHAIN)])


def forward_rules(network: NodeNetwork, peers: Collection[str]) -> list[str]:
    """Pods reach each other, and so do the other hosts, whichever of their addresses they come from."""
    pods, cluster = network.pod_cidr, network.cluster_cidr
    gateways = {gateway_of(route.cidr) for route in network.routes}
    return [
        *policy_jumps(FORWARD_CHAIN, network, gateways.union(peers), BRIDGE),
        *(f"-A {FORWARD_CHAIN} -s {via}/32 -d {pods} -j ACCEPT" for via in sorted(peers)),
        f"-A {FORWARD_CHAIN} -s {cluster} -d {pods} -j ACCEPT",
        f"-A {FORWARD_CHAIN} -s {pods} -d {cluster} -j ACCEPT",
    ]


def peers_let_in(has: Mapping[str, Sequence[str]]) -> set[str]:
    """The peers that `forward_rules` was made with, read from the rules of each chain."""
    rule = re.compile(rf"-A {FORWARD_CHAIN} -s (\S+)/32 -d \S+ -j ACCEPT")
    return {found[1] for line in has.get(FORWARD_CHAIN, ()) if (found := rule.fullmatch(line))}


def tunnel_rules(peers: Iterable[str]) -> list[str]:
    """Whoever can send VXLAN to a host is inside of the pod network: only the other hosts are."""
    to_us = f"-p udp -m udp --dport {PORT}"
    accepts = (f"-A {TUNNEL_CHAIN} -s {peer}/32 {to_us} -j ACCEPT" for peer in sorted(peers))
    return [*accepts, f"-A {TUNNEL_CHAIN} {to_us} -j DROP"]


def service_rules(service_cidr: str) -> list[str]:
    """A service's address is the service's alone: what listens at every address of the host is not heard there.

    `socket` knows whether somebody listens at just that address, or is connected by it."""
    to = f"-A {SERVICES_CHAIN} -d {service_cidr}"
    return [
        f"{to} -p tcp -m socket -j RETURN",
        f"{to} -p udp -m socket -j RETURN",
        f"{to} -p tcp -j REJECT --reject-with tcp-reset",
        f"{to} -p udp -j REJECT --reject-with icmp-port-unreachable",
    ]


def nat_rules(network: NodeNetwork) -> list[str]:
    """Pods keep their address inside the cluster, and take the host's outside."""
    return [f"-A {NAT_CHAIN} -s {network.pod_cidr} ! -d {network.cluster_cidr} -j MASQUERADE"]


def read_rules(shown: str) -> dict[str, list[str]]:
    """Read the rules of each chain from `iptables -S`."""
    found: dict[str, list[str]] = {}
    for line in shown.splitlines():
        action, chain = line.split()[:2]
        rules = found.setdefault(chain, [])
        if action == "-A":
            rules.append(line)
    return found


def difference(wanted: RuleTable, has: Mapping[str, Sequence[str]]) -> tuple[str, tuple[str, ...]]:
    """The input of `iptables-restore --noflush` that makes it so, and what it puts right, in words.

    Declaring a chain empties it, so its rules are replaced at once. Chains of ours that are not wanted go. The
    chain that Docker keeps for people, and its place in FORWARD, go with a flush and come back only with Docker.
    """
    changed = [name for name, rules in wanted.chains.items() if has.get(name) != list(rules)]
    kept = (*wanted.chains, *wanted.others)
    gone = [name for name in has if name.startswith(OURS) and name not in kept]
    jumps = [(hook, chain) for hook, chain in wanted.jumps if not _is_entered(hook, chain, has.get(hook, ()))]
    if not (changed or gone or jumps):
        return "", ()
    lacking = [chain for _, chain in wanted.jumps if chain not in has and chain not in wanted.chains]
    left = {f"-A {hook} -j {chain}": f"-D {hook} -j {chain}" for hook in has for chain in gone if hook not in gone}
    left |= {f"-A {hook} -j {chain}": f"-D {hook} -j {chain}" for hook, chain in jumps}
    stale = [left[rule] for hook, rules in has.items() if hook not in changed for rule in rules if rule in left]
    lines = [
        f"*{wanted.name}",
        *(f":{name} - [0:0]" for name in (*changed, *gone, *lacking)),
        *(rule for name in changed for rule in wanted.chains[name]),
        *stale,
        *(f"-I {hook} -j {chain}" for hook, chain in jumps),
        *(f"-X {name}" for name in gone),
        "COMMIT",
    ]
    words = [f"iptables chain {name}" for name in (*changed, *gone)]
    words += [f"iptables jump from {hook} to {chain}" for hook, chain in jumps]
    return "\n".join(lines) + "\n", tuple(words)


def _is_entered(hook: str, chain: str, rules: Sequence[str]) -> bool:
    """Whether packets get as far as the jump: none does behind a rule that ends the way of all of them."""
    ends = {f"-A {hook} -j {target}": target == chain for target in (chain, "RETURN", "ACCEPT", "DROP", "REJECT")}
    return next((ends[rule] for rule in rules if rule in ends), False)


# --- on the host --------------------------------------------------------------------------------------------


def show_rules(shell: Shell, name: str) -> dict[str, list[str]]:
    """Show the rules of a table, by chain."""
    return read_rules(shell.check(["iptables", "-w", "5", "-t", name, "-S"], timeout=IPTABLES_SECONDS))


def ensure_table(shell: Shell, wanted: RuleTable) -> tuple[str, ...]:
    """Bring the table to these rules; returns what was put right, in words."""
    text, words = difference(wanted, show_rules(shell, wanted.name))
    if text:
        shell.check(["iptables-restore", "-w", "5", "--noflush"], stdin=text, timeout=IPTABLES_SECONDS)
    return words


def remove_chains(shell: Shell, name: str) -> list[str]:
    """Everything of ours in a table; returns the chains that were there. For reset.py."""
    shown = show_rules(shell, name)
    text, _ = difference(RuleTable(name, {}, ()), shown)
    if text:
        shell.check(["iptables-restore", "-w", "5", "--noflush"], stdin=text, timeout=IPTABLES_SECONDS)
    return sorted(chain for chain in shown if chain.startswith(OURS))
