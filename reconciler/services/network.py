"""The network of one host: its pods' addresses, the way to everybody else's, and the services' own."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.cluster import ClusterSpec
from reconciler.model.api.core.node import Node
from reconciler.model.desired import Desired
from reconciler.model.memory import NodeRecord
from reconciler.model.setups import NodeNetwork, Route
from reconciler.services.policy import NOBODY, Addresses, Isolation
from reconciler.services.sameness import says_the_same

NO_ADDRESSES: Addresses = {}


class _NetworkInputs(Struct, frozen=True):
    """All that the hosts' networks follow from."""

    spec: ClusterSpec
    nodes: Mapping[str, Node]
    cidrs: Mapping[str, str]
    """The pod CIDR of each node: all that a record has to do with it."""
    addresses: tuple[str, ...]
    isolation: Isolation
    pods: Addresses


class Networks:
    """`node_networks` for a loop: inputs that say the same give the very same object. For one thread."""

    def __init__(self) -> None:
        self._inputs: _NetworkInputs | None = None
        self._made: Mapping[str, NodeNetwork] = {}

    def of(
        self,
        desired: Desired,
        records: Mapping[str, NodeRecord],
        addresses: tuple[str, ...],
        isolation: Isolation,
        pods: Addresses,
    ) -> Mapping[str, NodeNetwork]:
        cidrs = {name: record.pod_cidr for name, record in records.items()}
        inputs = _NetworkInputs(desired.cluster.spec, desired.nodes, cidrs, addresses, isolation, pods)
        if not says_the_same(inputs, self._inputs):
            self._made = node_networks(desired, records, addresses, isolation, pods)
            self._inputs = inputs
        return self._made


def node_networks(
    desired: Desired,
    records: Mapping[str, NodeRecord],
    addresses: tuple[str, ...],
    isolation: Isolation = NOBODY,
    pods: Addresses = NO_ADDRESSES,
) -> dict[str, NodeNetwork]:
    """Return the network of every node that has a pod CIDR. One that has none yet gets its network with the plan
    that chooses it.
    """
    routes = {
        name: Route(record.pod_cidr, desired.nodes[name].ssh.host)
        for name, record in sorted(records.items())
        if name in desired.nodes and record.pod_cidr
    }
    every = tuple(routes.values())
    return {
        name: NodeNetwork(
            pod_cidr=own.cidr,
            cluster_cidr=desired.cluster.spec.pod_cidr,
            cluster_routes=every,
            addresses=addresses,
            mode=desired.cluster.spec.network.mode,
            mtu=desired.cluster.spec.network.mtu,
            policy=replace(isolation.of_node(name), addresses=pods.get(name, ())),
            service_cidr=desired.cluster.spec.service_cidr,
        )
        for name, own in routes.items()
    }
