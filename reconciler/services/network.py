"""The network of one host: its pods' addresses, the way to everybody else's, and the services' own."""

from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import NodeRecord
from reconciler.model.setups import NodeNetwork, Route
from reconciler.services.policy import NOBODY, Addresses, Isolation

NO_ADDRESSES: Addresses = {}


def node_networks(
    desired: Desired,
    records: Mapping[str, NodeRecord],
    addresses: tuple[str, ...],
    isolation: Isolation = NOBODY,
    pods: Addresses = NO_ADDRESSES,
) -> dict[str, NodeNetwork]:
    """For every node that has a pod CIDR. One that has none yet gets its network with the plan that chooses it."""
    routes = {
        name: Route(record.pod_cidr, desired.nodes[name].ssh.host)
        for name, record in sorted(records.items())
        if name in desired.nodes and record.pod_cidr
    }
    return {
        name: NodeNetwork(
            pod_cidr=own.cidr,
            cluster_cidr=desired.cluster.spec.pod_cidr,
            routes=tuple(route for peer, route in routes.items() if peer != name),
            addresses=addresses,
            mode=desired.cluster.spec.network.mode,
            mtu=desired.cluster.spec.network.mtu,
            policy=replace(isolation.of_node(name), addresses=pods.get(name, ())),
            service_cidr=desired.cluster.spec.service_cidr,
        )
        for name, own in routes.items()
    }
