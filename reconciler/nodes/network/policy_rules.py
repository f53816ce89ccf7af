"""Network policies as iptables rules: a chain for each RuleSet, a jump into it for each pod. For iptables.py.

A chain is named after what is in it, so pods that come and go change jumps only.
"""

from collections.abc import Iterable, Sequence

from reconciler.model.addresses import mac_of
from reconciler.model.policies import Allowed, NodePolicy, RuleSet
from reconciler.model.setups import NodeNetwork

SOURCES_CHAIN = "RECONCILER-SRC"
INGRESS_CHAIN, EGRESS_CHAIN = "RECONCILER-I-", "RECONCILER-E-"
_ANYWHERE = "0.0.0.0/0"


def policy_chains(policy: NodePolicy) -> dict[str, list[str]]:
    """Traffic that is allowed returns from its chain; any other ends there."""
    sets = {one.name: one for one in policy.sets}
    ingress = sorted({pod.ingress for pod in policy.pods if pod.ingress})
    egress = sorted({pod.egress for pod in policy.pods if pod.egress})
    return {
        **{INGRESS_CHAIN + name: _rules(INGRESS_CHAIN + name, "-s", sets[name]) for name in ingress},
        **{EGRESS_CHAIN + name: _rules(EGRESS_CHAIN + name, "-d", sets[name]) for name in egress},
    }


def policy_jumps(chain: str, network: NodeNetwork, hosts: Iterable[str], bridge: str) -> Sequence[str]:
    """The beginning of `chain`: replies, and what comes from hosts of the cluster, go before every policy."""
    pods, policy = network.pod_cidr, network.policy
    if not policy.pods:
        return ()
    return (
        f"-A {chain} -d {pods} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-A {chain} -s {pods} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        *(f"-A {chain} -s {host}/32 -d {pods} ! -i {bridge} -j ACCEPT" for host in sorted(hosts)),
        *(f"-A {chain} -s {pod.ip}/32 -j {EGRESS_CHAIN}{pod.egress}" for pod in policy.pods if pod.egress),
        *(f"-A {chain} -d {pod.ip}/32 -j {INGRESS_CHAIN}{pod.ingress}" for pod in policy.pods if pod.ingress),
    )


def _rules(chain: str, side: str, rules: RuleSet) -> list[str]:
    return [*(f"-A {chain}{_match(side, one)} -j RETURN" for one in rules.allowed), f"-A {chain} -j DROP"]


def _match(side: str, allowed: Allowed) -> str:
    where = "" if allowed.cidr == _ANYWHERE else f" {side} {allowed.cidr}"
    if not allowed.protocol:
        return where
    protocol = allowed.protocol
    if not allowed.first:
        return f"{where} -p {protocol}"
    ports = str(allowed.first) if allowed.first == allowed.last else f"{allowed.first}:{allowed.last}"
    return f"{where} -p {protocol} -m {protocol} --dport {ports}"


def source_rules(network: NodeNetwork) -> list[str]:
    """Rules by which pods send only from addresses of this host's pods, and from each its own MAC address."""
    if not network.policy.addresses:
        return []
    return [
        *(
            f"-A {SOURCES_CHAIN} -s {ip}/32 -m mac ! --mac-source {mac_of(ip)} -j DROP"
            for ip in network.policy.addresses
        ),
        f"-A {SOURCES_CHAIN} ! -s {network.pod_cidr} -j DROP",
    ]
