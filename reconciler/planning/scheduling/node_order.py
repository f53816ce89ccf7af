"""The nodes in the order in which pods would choose them, kept up as they fill.

Which of two nodes is better depends on the pod: what it requests is a larger share of a small node. But of nodes
of one capacity, to which every other plugin is indifferent, the one with less load is better for every pod. Such
nodes make a lane, which is sorted once for all pods. An equivalence class then compares the first of each lane.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence

from reconciler.model.resource_requests import Requests
from reconciler.planning.scheduling.ledger import Ledger
from reconciler.planning.scheduling.node_info import NodeInfo


class Lane:
    """Nodes that differ in nothing but their load and what no score looks at, sorted by load and then by name.

    A node's key is `load * number of nodes + rank`: plain integers are sorted, and the key tells the node."""

    def __init__(self, any_node: NodeInfo) -> None:
        self.any_node = any_node
        self.keys: list[int] = []


class NodeOrder:
    """The nodes that the same settled verdicts let through, in lanes."""

    def __init__(self, ledger: Ledger, ranks: Sequence[int], costs: Sequence[int]) -> None:
        """`costs` are what the settled scores say of each node: those that do not change in this cycle."""
        self.ranks = ranks
        self.lanes: list[Lane] = []
        self._ledger = ledger
        self.lane_of: dict[int, int] = {}
        """The index of the lane of each of the nodes."""
        self._keys: dict[int, int] = {}
        self._seen = len(ledger.changed)
        lanes: dict[tuple[int, Requests], int] = {}
        number = len(ledger.nodes)
        for rank, settled in zip(ranks, costs, strict=True):
            node = ledger.nodes[rank]
            alike = (settled, node.allocatable)
            index = lanes.get(alike)
            if index is None:
                index = lanes[alike] = len(self.lanes)
                self.lanes.append(Lane(node))
            key = self._keys[rank] = node.load * number + rank
            self.lane_of[rank] = index
            self.lanes[index].keys.append(key)
        for lane in self.lanes:
            lane.keys.sort()

    def refresh(self) -> None:
        """Move the nodes that have changed since the last look to where they belong now."""
        changed, nodes = self._ledger.changed, self._ledger.nodes
        while self._seen < len(changed):
            rank = changed[self._seen]
            before, key = self._keys.get(rank), nodes[rank].load * len(nodes) + rank
            if before is not None and key != before:
                keys = self.lanes[self.lane_of[rank]].keys
                del keys[bisect_left(keys, before)]
                insort(keys, key)
                self._keys[rank] = key
            self._seen += 1
