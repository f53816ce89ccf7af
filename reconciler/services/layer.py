"""What every host has beside its pods, as one value; the control loop asks for it after every plan.

A host applies it in this order: the network first, so that every service address exists when HAProxy binds it
(binding an address that the host does not have is an error), then the proxy. The proxy is the same object for
every node: any node answers for any service.
"""

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, NodeRecord, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.objects import Cluster, Node, Service
from reconciler.model.operations import NodeProber, NodeProxy, NodeSetup, ProbedContainer
from reconciler.model.plan import Endpoint
from reconciler.services.balancing import Balanced, balance
from reconciler.services.haproxy import fingerprint_of, render, routed_ips
from reconciler.services.network import node_networks
from reconciler.services.policy import Isolation, Policies, isolate

Probed = Mapping[str, tuple[ProbedContainer, ...]]
"""By node."""
_NONE_PROBED: Probed = {}


def node_setups(
    desired: Desired,
    memory: Memory,
    endpoints: Mapping[Ref, tuple[Endpoint, ...]],
    probed: Probed = _NONE_PROBED,
) -> Mapping[str, NodeSetup]:
    """What each node of the revision should have, by name; a node without a pod CIDR is not among them yet."""
    isolation = isolate(desired, memory.pods)
    return _setups(desired, memory, endpoints, probed, isolation, _balanced(desired, memory, endpoints))


class ServiceLayer:
    """`node_setups` for a loop: inputs that say the same give the very same objects, and cost a comparison.

    Not shared between threads."""

    def __init__(self) -> None:
        self._inputs: _Inputs | None = None
        self._policies = Policies()
        self._setups: Mapping[str, NodeSetup] = {}
        self.problems: tuple[str, ...] = ()
        """What the last setups leave out: services and endpoints, with the reason and how to fix it."""

    def setups(
        self,
        desired: Desired,
        memory: Memory,
        endpoints: Mapping[Ref, tuple[Endpoint, ...]],
        probed: Probed = _NONE_PROBED,
    ) -> Mapping[str, NodeSetup]:
        isolation = self._policies.isolation(desired, memory)
        inputs = _Inputs(
            desired.cluster,
            desired.nodes,
            desired.services,
            memory.nodes,
            memory.services,
            endpoints,
            probed,
            isolation,
        )
        if inputs != self._inputs:
            balanced = _balanced(desired, memory, endpoints)
            self._setups = _setups(desired, memory, endpoints, probed, isolation, balanced)
            self.problems = balanced.problems
            self._inputs = inputs
        return self._setups


class _Inputs(Struct, frozen=True):
    """All that a setup follows from."""

    cluster: Cluster
    nodes: Mapping[str, Node]
    services: Mapping[Ref, Service]
    node_records: Mapping[str, NodeRecord]
    service_records: Mapping[Ref, ServiceRecord]
    endpoints: Mapping[Ref, tuple[Endpoint, ...]]
    probed: Probed
    isolation: Isolation


def _balanced(desired: Desired, memory: Memory, endpoints: Mapping[Ref, tuple[Endpoint, ...]]) -> Balanced:
    return balance(desired.services, memory.services, endpoints, desired.cluster.spec.service_cidr)


def _setups(
    desired: Desired,
    memory: Memory,
    endpoints: Mapping[Ref, tuple[Endpoint, ...]],
    probed: Probed,
    isolation: Isolation,
    balanced: Balanced,
) -> Mapping[str, NodeSetup]:
    proxy = _proxy(desired, balanced)
    checks = _checks(endpoints)
    networks = node_networks(desired, memory.nodes, balanced.addresses, isolation)
    spec = desired.cluster.spec
    return {
        name: NodeSetup(
            network=network,
            proxy=proxy,
            checks=checks.get(name, frozenset()),
            prober=NodeProber(spec.images.proxy, probed.get(name, ())),
            image_gc=spec.image_gc,
        )
        for name, network in networks.items()
    }


def _proxy(desired: Desired, balanced: Balanced) -> NodeProxy:
    config = render(balanced.listens)
    return NodeProxy(
        image=desired.cluster.spec.images.proxy,
        config=config,
        fingerprint=fingerprint_of(config),
        routed=frozenset(routed_ips(balanced.listens)),
    )


def _checks(endpoints: Mapping[Ref, tuple[Endpoint, ...]]) -> Mapping[str, frozenset[str]]:
    """Where each node tries its own pods: ready or not, for a port that has answered may fall silent."""
    checks: defaultdict[str, set[str]] = defaultdict(set)
    for found in endpoints.values():
        for endpoint in found:
            checks[endpoint.node].update(f"{endpoint.ip}:{port}" for port in endpoint.ports if port)
    return {node: frozenset(addresses) for node, addresses in checks.items()}
