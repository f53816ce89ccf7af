"""Addresses: each node's part of the pod CIDR, and each pod's address in it: integers inside."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from itertools import chain

from reconciler.model.desired import Desired

_RESERVED = 2
"""Offsets 0 and 1 are the network itself and its gateway; the last one is the broadcast address."""


def node_cidrs(desired: Desired, names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Choose a pod CIDR for each new node: what its manifest says, or the first part of the cluster's that is
    free.

    It is empty if none is left: the scheduler then says so for that node.
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

    def __init__(self, cidr: str, last: int, taken: set[str]) -> None:
        """`last` is the offset of the address given last."""
        network = IPv4Network(cidr) if cidr else None
        self._base = int(network.network_address) if network else 0
        self._end = network.num_addresses - 1 if network else 0
        self._taken = taken
        self._next: tuple[str, int] | None = None
        self.last = last

    def peek(self) -> str | None:
        """Return the next free address; None where all are taken."""
        if self._next is None or self._next[0] in self._taken:
            self._next = self._find()
        return self._next[0] if self._next else None

    def take(self, address: str) -> None:
        """Note that a pod has this address."""
        self._taken.add(address)
        if self._next is not None and self._next[0] == address:
            self.last = self._next[1]

    def _find(self) -> tuple[str, int] | None:
        first = max(self.last + 1, _RESERVED)
        if first < self._end and (address := _written(self._base + first)) not in self._taken:
            return address, first
        for offset in chain(range(first, self._end), range(_RESERVED, min(first, self._end))):
            address = _written(self._base + offset)
            if address not in self._taken:
                return address, offset
        return None


def _written(address: int) -> str:
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
