"""Who may talk to whom: from network policies, namespaces and pods to the rules of each isolated pod.

Rules: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Final, TypeAlias

from msgspec import Struct

from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.meta import LabelSelector, ObjectMeta
from reconciler.model.api.networking import (
    Ingress,
    IPBlock,
    NetworkPolicy,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicySpec,
)
from reconciler.model.desired import Desired
from reconciler.model.edges import edge_hosts
from reconciler.model.memory import Memory, NodeRecord, PodIntent
from reconciler.model.names import Uid
from reconciler.model.policies import INGRESS_LABELS, INGRESS_NAMESPACE, NodePolicy, PodPolicy, RuleSet
from reconciler.services.policy_evaluation import Evaluation

_ANYWHERE: Final = "0.0.0.0/0"


class Isolation(Struct, frozen=True):
    """Every isolated pod of the cluster."""

    sets: Mapping[str, RuleSet] = {}
    pods: Mapping[str, tuple[PodPolicy, ...]] = {}
    """The isolated pods by node, each list by address."""

    def of_node(self, name: str) -> NodePolicy:
        pods = self.pods.get(name, ())
        used = {one for pod in pods for one in (pod.ingress, pod.egress) if one}
        return NodePolicy(tuple(self.sets[one] for one in sorted(used)), pods)


NOBODY: Final = Isolation()
Addresses: TypeAlias = Mapping[str, tuple[str, ...]]
"""The addresses of pods, by node."""


class Policies:
    """`isolate` for a loop: inputs that say the same give the very same object. Not shared between threads."""

    def __init__(self) -> None:
        self._inputs: tuple[object, ...] = ()
        self._known = NOBODY
        self._pods: Mapping[Uid, PodIntent] = {}
        self._addresses: Addresses = {}

    def isolation(self, desired: Desired, memory: Memory) -> Isolation:
        spec = desired.cluster.spec
        if not (desired.of(NetworkPolicy) or spec.network.isolate_namespaces):
            return NOBODY
        edges = ingress_addresses(desired, memory.nodes)
        inputs = (
            desired.of(NetworkPolicy),
            desired.of(Namespace),
            spec.network,
            spec.pod_cidr,
            memory.pods,
            edges,
        )
        if inputs != self._inputs:
            found = isolate(desired, memory.pods, edges)
            self._inputs, self._known = inputs, self._known if found == self._known else found
        return self._known

    def addresses(self, isolation: Isolation, pods: Mapping[Uid, PodIntent]) -> Addresses:
        """Return the addresses of all pods if anybody is isolated: each is for its own pod alone."""
        if isolation is NOBODY:
            return {}
        if pods is not self._pods:
            by_node: defaultdict[str, list[str]] = defaultdict(list)
            for pod in filter(_has_an_address, pods.values()):
                by_node[pod.node].append(pod.ip)
            found = {name: tuple(sorted(ips)) for name, ips in sorted(by_node.items())}
            self._pods, self._addresses = pods, self._addresses if found == self._addresses else found
        return self._addresses


def _has_an_address(pod: PodIntent) -> bool:
    return bool(pod.ip) and not pod.ended and not (pod.spec and pod.spec.host_network)


def ingress_addresses(desired: Desired, records: Mapping[str, NodeRecord]) -> tuple[str, ...]:
    """Where what serves the Ingresses connects from: the edges. Empty: there are no Ingresses."""
    if not desired.of(Ingress):
        return ()
    known = edge_hosts(desired.nodes, {name: record.address for name, record in records.items()})
    return known or (str(IPv4Network(desired.cluster.spec.service_cidr).network_address),)


def isolate(desired: Desired, pods: Mapping[Uid, PodIntent], ingress: Sequence[str] = ()) -> Isolation:
    """Pods on their host's own network are not isolated: they are their host, as upstream has it. `ingress`: the
    addresses of what serves the Ingresses, which policies can name as if it were a pod."""
    spec = desired.cluster.spec
    policies = list(desired.of(NetworkPolicy).values())
    members = [*filter(_has_an_address, pods.values())]
    if spec.network.isolate_namespaces:
        policies += (_of_namespace(name, spec.pod_cidr) for name in sorted({pod.namespace for pod in members}))
    if not policies:
        return NOBODY
    members += (
        PodIntent("", INGRESS_NAMESPACE, "ingress", "", "", "", ip=ip, labels=INGRESS_LABELS) for ip in ingress
    )
    namespaces = {ref.name: namespace for ref, namespace in desired.of(Namespace).items()}
    return Isolation(*Evaluation(policies, namespaces, members).outcome())


def _of_namespace(name: str, pod_cidr: str) -> NetworkPolicy:
    """What `isolateNamespaces` means: as if every namespace had this policy."""
    own, outside = (
        NetworkPolicyPeer(pod_selector=LabelSelector()),
        NetworkPolicyPeer(ip_block=IPBlock(_ANYWHERE, (pod_cidr,))),
    )
    rule = NetworkPolicyIngressRule(peers=(own, outside))
    return NetworkPolicy(ObjectMeta("", name), NetworkPolicySpec(ingress=(rule,), policy_types=("Ingress",)))
