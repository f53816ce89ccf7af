"""Who may talk to whom: from network policies, namespaces and pods to the rules of each isolated pod.

Rules: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Uid
from reconciler.model.objects import NetworkPolicy, ObjectMeta
from reconciler.model.policies import (
    IngressRule,
    IpBlock,
    NetworkPolicySpec,
    NodePolicy,
    PeerSelector,
    PodPolicy,
    PolicyPeer,
    RuleSet,
)
from reconciler.services.policy_evaluation import Evaluation

_ANYWHERE: Final = "0.0.0.0/0"


class Isolation(Struct, frozen=True):
    """Every isolated pod of the cluster."""

    sets: Mapping[str, RuleSet] = {}
    pods: Mapping[str, tuple[PodPolicy, ...]] = {}
    """By node; each by address."""

    def of_node(self, name: str) -> NodePolicy:
        pods = self.pods.get(name, ())
        used = {one for pod in pods for one in (pod.ingress, pod.egress) if one}
        return NodePolicy(tuple(self.sets[one] for one in sorted(used)), pods)


NOBODY: Final = Isolation()


class Policies:
    """`isolate` for a loop: inputs that say the same give the very same object. Not shared between threads."""

    def __init__(self) -> None:
        self._inputs: tuple[object, ...] = ()
        self._known = NOBODY

    def isolation(self, desired: Desired, memory: Memory) -> Isolation:
        spec = desired.cluster.spec
        if not (desired.network_policies or spec.network.isolate_namespaces):
            return NOBODY
        inputs = (desired.network_policies, desired.namespaces, spec.network, spec.pod_cidr, memory.pods)
        if inputs != self._inputs:
            found = isolate(desired, memory.pods)
            self._inputs, self._known = inputs, self._known if found == self._known else found
        return self._known


def isolate(desired: Desired, pods: Mapping[Uid, PodIntent]) -> Isolation:
    """Pods on their host's own network are not isolated: they are their host, as upstream has it."""
    spec = desired.cluster.spec
    policies = list(desired.network_policies.values())
    members = [
        pod for pod in pods.values() if pod.ip and not pod.ended and not (pod.spec and pod.spec.host_network)
    ]
    if spec.network.isolate_namespaces:
        policies += (_of_namespace(name, spec.pod_cidr) for name in sorted({pod.namespace for pod in members}))
    return Isolation(*Evaluation(policies, desired.namespaces, members).outcome()) if policies else NOBODY


def _of_namespace(name: str, pod_cidr: str) -> NetworkPolicy:
    """What `isolateNamespaces` means: as if every namespace had this policy."""
    own, outside = PolicyPeer(pod_selector=PeerSelector()), PolicyPeer(ip_block=IpBlock(_ANYWHERE, (pod_cidr,)))
    rule = IngressRule(peers=(own, outside))
    return NetworkPolicy(ObjectMeta("", name), NetworkPolicySpec(ingress=(rule,), policy_types=("Ingress",)))
