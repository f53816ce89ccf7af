"""The ledger of one cycle: how the nodes fill as pods are given to them, and which of them have changed.

It begins as a Snapshot, and is the only thing that a cycle changes.
"""

from collections.abc import Iterable

from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.resource_requests import Requests
from reconciler.planning.allocation.pod_ips import PodAddresses
from reconciler.planning.scheduling.node_info import Snapshot, addresses_of


class Holders:
    """The nodes that have pods of one owner, in the order in which they were found, by rank."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.ranks: set[int] = set()

    def add(self, rank: int) -> None:
        if rank not in self.ranks:
            self.ranks.add(rank)
            self.order.append(rank)


class Ledger:
    """The nodes, each by its rank: its place in the order of names."""

    def __init__(self, snapshot: Snapshot, owners: Iterable[Ref], largest: Requests) -> None:
        """`owners` are those of the pods that come, `largest` is the most that any of these pods requests."""
        self.nodes = list(snapshot.nodes.values())
        self.rank_of = {name: rank for rank, name in enumerate(snapshot.nodes)}
        self.changed: list[int] = []
        """The rank of each node that got a pod, in order."""
        self.full: set[int] = set()
        """The nodes that are not open for each of the pods that come: a filter may turn some of these away."""
        self.filled: list[int] = []
        """The rank of each of these nodes that got a pod, in order."""
        self.exhausted: set[int] = set()
        """The nodes that have been found to have no address left."""
        self._largest = largest
        self._holders = {owner: Holders() for owner in owners}
        self._addresses: dict[int, PodAddresses] = {}
        for rank, node in enumerate(self.nodes):
            if not node.is_open(largest):
                self.full.add(rank)
            if node.owned:
                for owner in node.owned.keys() & self._holders.keys():
                    self._holders[owner].add(rank)

    def holders(self, owner: Ref) -> Holders:
        """Return the nodes that have pods of this owner that stay; it grows in the course of the cycle."""
        return self._holders[owner]

    def addresses(self, rank: int) -> PodAddresses:
        """Return the addresses of the node's pod CIDR, with those that are taken."""
        known = self._addresses.get(rank)
        if known is None:
            known = self._addresses[rank] = addresses_of(self.nodes[rank])
        return known

    def take(self, rank: int, intent: PodIntent, holders: Holders) -> None:
        """Give the node this pod. `holders` are those of the pod's owner."""
        node = self.nodes[rank] = self.nodes[rank].with_pods((intent,))
        holders.add(rank)
        self.changed.append(rank)
        if not node.is_open(self._largest):
            self.full.add(rank)
            self.filled.append(rank)

    def last_addresses(self) -> dict[str, int]:
        """Return the offset of the address given last on each node where that has moved."""
        moved = {self.nodes[rank].name: given.last for rank, given in self._addresses.items()}
        return {
            name: last
            for name, last in moved.items()
            if last != self.nodes[self.rank_of[name]].node.record.last_ip
        }
