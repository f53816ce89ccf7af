"""The network of a host that has just booted, as a script: what interfaces.py puts right, with nothing there.

The lines are those that network/interfaces.py itself makes when it is shown a host without anything of ours.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reconciler.model.setups import NodeNetwork
from reconciler.nodes.network.iptables import (
    FORWARD_CHAIN,
    FORWARD_HOOK,
    NAT_CHAIN,
    difference,
    filter_table,
    nat_table,
)
from reconciler.nodes.network.links import SERVICES, link_batch
from reconciler.nodes.network.overlay import BRIDGE, PROTOCOL, OverlayResult

_AS_DOCKER_STARTS: Final[Mapping[str, Sequence[str]]] = {
    "FORWARD": [f"-A FORWARD -j {FORWARD_HOOK}"],
    FORWARD_HOOK: [f"-A {FORWARD_HOOK} -j RETURN"],
}
"""Before it starts any container."""


def network_script(network: NodeNetwork, laid: OverlayResult, peers: Iterable[str]) -> str:
    """Does what is not there yet, and exits 0 once all of it is: it may be tried again until then."""
    filter_rules, _ = difference(filter_table(network, frozenset(peers)), _AS_DOCKER_STARTS)
    nat_rules, _ = difference(nat_table(network), {})
    filtered = f"iptables -w 5 -S {FORWARD_CHAIN}"
    translated = f"iptables -w 5 -t nat -S {NAT_CHAIN}"
    lines = [
        "whole() {",
        f'    [ "$(ip -o -4 addr show dev {SERVICES} | wc -l)" -ge {len(network.addresses)} ] &&',
        f'    [ "$(ip route show proto {PROTOCOL} | wc -l)" -ge {_count(laid.ip, "route")} ] &&',
        f"    {filtered} && {translated}",
        "} >/dev/null 2>&1",
        "whole && exit 0",
        "echo 1 >/proc/sys/net/ipv4/ip_forward",
        *_given("ip -force -batch -", [*link_batch(network.addresses, ()), *laid.ip]),
        *_given("bridge -force -batch -", laid.bridge),
        f"{filtered} >/dev/null 2>&1 ||",
        *_given("iptables-restore -w 5 --noflush", filter_rules.splitlines()),
        f"{translated} >/dev/null 2>&1 ||",
        *_given("iptables-restore -w 5 --noflush", nat_rules.splitlines()),
    ]
    for device in laid.loose:
        everywhere, own = (f"/proc/sys/net/ipv4/conf/{name}/rp_filter" for name in ("all", device))
        lines.append(
            f"case $(cat {shlex.join((everywhere, own))}) in *2*) ;; *1*) echo 2 >{shlex.quote(own)} ;; esac"
        )
    if network.policy.pods:
        lines += ["modprobe br_netfilter", f"ip link set dev {BRIDGE} type bridge nf_call_iptables 1"]
    return "\n".join([*lines, "whole", ""])


def _count(lines: Iterable[str], kind: str) -> int:
    return sum(line.startswith(f"{kind} ") for line in lines)


def _given(program: str, lines: Sequence[str]) -> list[str]:
    return [f"{program} <<'.'", *lines, "."] if lines else []
