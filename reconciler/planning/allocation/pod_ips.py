"""Addresses: each node's part of the pod CIDR, and each pod's address in it: integers inside."""

from bisect import bisect_left
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
    used = TakenCidrs({*taken, *reserved})
    spec = desired.cluster.spec
    network, size = IPv4Network(spec.pod_cidr), 1 << 32 - spec.node_prefix
    first = int(network.network_address)
    parts = range(first, first + network.num_addresses, size)
    free = (f"{_written(part)}/{spec.node_prefix}" for part in parts if used.are_apart_from(part, part + size - 1))
    return {name: fixed[name] or next(free, "") for name in names}


class TakenCidrs:
    """Networks that somebody has: whether another one has anything in common with them is found by halving."""

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        """Of ranges that have nothing in common, in order."""
        for first, last in sorted(map(_range, cidrs)):
            if self._lasts and first <= self._lasts[-1]:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    def take(self, cidr: str) -> bool:
        """Tell whether this is a network that has nothing in common with those that are taken; then it is, too."""
        try:
            first, last = _range(cidr)
        except ValueError:
            return False
        if not self.are_apart_from(first, last):
            return False
        at = bisect_left(self._firsts, first)
        self._firsts.insert(at, first)
        self._lasts.insert(at, last)
        return True

    def are_apart_from(self, first: int, last: int) -> bool:
        """Tell whether none of these addresses is taken."""
        at = bisect_left(self._lasts, first)
        return at == len(self._firsts) or last < self._firsts[at]


def _range(cidr: str) -> tuple[int, int]:
    network = IPv4Network(cidr)
    return int(network.network_address), int(network.broadcast_address)


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
