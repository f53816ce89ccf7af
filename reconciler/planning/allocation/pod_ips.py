"""Addresses: each node's part of the pod CIDR, and each pod's address in it: integers inside."""

from collections.abc import Container, Iterable
from ipaddress import IPv4Address, IPv4Network

from reconciler.model.desired import Desired

_RESERVED = 2
"""Offsets 0 and 1 are the network itself and its gateway; the last one is the broadcast address."""


def node_cidrs(desired: Desired, names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """For each new node what its manifest says, or the first part of the cluster's pod CIDR that is free.

    Empty where none is left: the scheduler then says so for that node.
    """
    names = list(names)
    fixed = {name: desired.nodes[name].spec.pod_cidr for name in names}
    reserved = {node.spec.pod_cidr for node in desired.nodes.values() if node.spec.pod_cidr}
    used = [IPv4Network(cidr) for cidr in sorted({*taken, *reserved})]
    spec = desired.cluster.spec
    parts = IPv4Network(spec.pod_cidr).subnets(new_prefix=spec.node_prefix)
    free = (str(part) for part in parts if not any(part.overlaps(other) for other in used))
    return {name: fixed[name] or next(free, "") for name in names}


def is_free(cidr: str, taken: Iterable[str]) -> bool:
    """Whether a host's own subnet can be its part: it is one, and has nothing in common with another's."""
    try:
        network = IPv4Network(cidr)
    except ValueError:
        return False
    return not any(network.overlaps(IPv4Network(other)) for other in taken)


class PodAddresses:
    """The addresses of one node's pod CIDR, each reused as late as possible."""

    def __init__(self, cidr: str, last: int, taken: Container[str]) -> None:
        network = IPv4Network(cidr) if cidr else None
        self._base = int(network.network_address) if network else 0
        self._end = network.num_addresses - 1 if network else 0
        self._taken = taken
        self.last = last

    def peek(self) -> tuple[str, int] | None:
        """The next free address and its offset; None where all are taken."""
        room = self._end - _RESERVED
        for step in range(room):
            offset = _RESERVED + (max(self.last, _RESERVED - 1) + 1 + step - _RESERVED) % room
            address = str(IPv4Address(self._base + offset))
            if address not in self._taken:
                return address, offset
        return None
