"""Equivalence classes: pods that no plugin can tell apart are filtered once, together."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from heapq import heapify, heappush
from typing import Final

from reconciler.planning.allocation.pod_ips import PodAddresses
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import (
    BoundPlugin,
    BoundScore,
    CycleState,
    Profile,
    bind,
    equivalence,
)
from reconciler.planning.scheduling.ledger import Ledger
from reconciler.planning.scheduling.node_info import NodeInfo
from reconciler.planning.scheduling.node_order import NodeOrder

_NOBODY: Final[frozenset[int]] = frozenset()


class EquivalenceClass:
    """The nodes for all pods of which every plugin says the same.

    A node's key is `cost * number of nodes + rank`."""

    def __init__(self, ledger: Ledger, order: NodeOrder, plugins: Sequence[BoundPlugin]) -> None:
        order.refresh()
        self.order = order
        self.candidates = next((one.candidates for one in reversed(plugins) if one.candidates), None)
        self.reserve = next((one.reserve for one in plugins if one.reserve), None)
        self.exhausted = ledger.exhausted if self.reserve else _NOBODY
        """The nodes that are known to have no address left, where one is needed."""
        self._filters = [one.filter.why for one in plugins if one.filter and one.filter.fills]
        self._ledger = ledger
        self.turned_away = {rank for rank in ledger.full if rank in order.lane_of and self._is_turned_away(rank)}
        """Of the nodes of the order, those that a filter turns away as they are filled now."""
        self._seen = len(ledger.filled)
        number = len(ledger.nodes)
        scores = sorted([one.score for one in plugins if one.score], key=lambda score: -score.weight)
        self._costs = [(score.cost, score.weight) for score in scores if score.cost]
        self.sibling_costs = [(one.siblings, one.weight * number) for one in scores if one.siblings]
        self.decisive = [(score.weight * number, score.words) for score in scores]
        """What each score says of a node that wins by it, the weightiest first: it wins where two keys differ when
        they are divided by this number."""
        self.offsets = [(self._cost(lane.any_node) - lane.any_node.load) * number for lane in order.lanes]
        """What is to be added to a key of each lane to make it one of this class."""
        self.lanes = [(offset, index) for index, offset in enumerate(self.offsets)]
        """A heap of the lanes that may have a node: a key no larger than that of the first one, and the index."""
        heapify(self.lanes)
        self.aside: list[tuple[int, int]] = []
        """Of that heap, those where every node that fits has pods of the owner whose turn it is."""
        self.queue: object = None
        """Whose turn it is."""

    @property
    def fitting(self) -> int:
        """How many nodes pass every filter."""
        return len(self.order.ranks) - len(self.turned_away)

    def has(self, rank: int) -> bool:
        """Tell whether a node passes every filter."""
        return rank in self.order.lane_of and rank not in self.turned_away

    def begin(self, queue: object) -> None:
        """Let another queue choose from now on: what was put aside for the one before is back."""
        self.queue = queue
        for entry in self.aside:
            heappush(self.lanes, entry)
        self.aside = []

    def refuses(self, node: NodeInfo, addresses: PodAddresses) -> bool:
        """Tell whether the node cannot have the pod although it passes every filter."""
        return self.reserve is not None and self.reserve(node, addresses) != ""

    def refresh(self) -> None:
        """Look at the nodes that have changed since the last time."""
        self.order.refresh()
        self.refresh_filters()

    def refresh_filters(self) -> None:
        """Ask the filters about the nodes that may have become too full since the last time."""
        filled = self._ledger.filled
        while self._seen < len(filled):
            rank = filled[self._seen]
            if self.has(rank) and self._is_turned_away(rank):
                self.turned_away.add(rank)
            self._seen += 1

    def _is_turned_away(self, rank: int) -> bool:
        node = self._ledger.nodes[rank]
        return any(why(node) for why in self._filters)

    def _cost(self, node: NodeInfo) -> int:
        return sum([weight * cost(node) for cost, weight in self._costs])


class EquivalenceClasses:
    """The equivalence classes of one cycle. Where the settled verdicts on all nodes are equal, so is the order."""

    def __init__(self, profile: Profile, ledger: Ledger, cycle: CycleState) -> None:
        self._profile = profile
        self._ledger = ledger
        self._cycle = cycle
        self._classes: dict[Hashable, EquivalenceClass] = {}
        self._orders: dict[Hashable, NodeOrder] = {}
        self._passing: dict[Hashable, frozenset[int]] = {}

    def of(self, pod: PodToCreate) -> EquivalenceClass:
        """Return the class of a pod, as what is known of its claims is now."""
        alike = equivalence(self._profile, pod, self._cycle)
        found = self._classes.get(alike)
        if found is None:
            plugins = bind(self._profile, pod, self._cycle)
            found = self._classes[alike] = EquivalenceClass(self._ledger, self._order(plugins), plugins)
        return found

    def _order(self, plugins: Sequence[BoundPlugin]) -> NodeOrder:
        settled = tuple([(plugin.name, plugin.state) for plugin in plugins if _is_settled(plugin)])
        order = self._orders.get(settled)
        if order is None:
            nodes, ranks = self._ledger.nodes, self._passing_all(plugins)
            scores = [plugin.score for plugin in plugins if plugin.score and not plugin.score.fills]
            costs = tuple([_settled_cost(scores, nodes[rank]) for rank in ranks])
            order = self._orders.get((ranks, costs)) or NodeOrder(self._ledger, ranks, costs)
            self._orders[settled] = self._orders[ranks, costs] = order
        return order

    def _passing_all(self, plugins: Sequence[BoundPlugin]) -> tuple[int, ...]:
        """Return the nodes that pass every settled filter. Where a plugin names the only candidates, no other
        node is looked at."""
        filters = [plugin for plugin in plugins if plugin.filter and not plugin.filter.fills]
        named = [plugin.candidates.nodes for plugin in plugins if plugin.candidates]
        if named:
            nodes, rank_of = self._ledger.nodes, self._ledger.rank_of
            whys = [plugin.filter.why for plugin in filters if plugin.filter]
            ranks = sorted([rank_of[name] for name in frozenset.intersection(*named) if name in rank_of])
            return tuple([rank for rank in ranks if not any(why(nodes[rank]) for why in whys)])
        passing = [
            self._passing_one(plugin.name, plugin.state, plugin.filter.why) for plugin in filters if plugin.filter
        ]
        return tuple(sorted(frozenset.intersection(*passing)))

    def _passing_one(self, name: str, state: Hashable, why: Callable[[NodeInfo], str]) -> frozenset[int]:
        key = (name, state)
        if key not in self._passing:
            nodes = self._ledger.nodes
            self._passing[key] = frozenset([rank for rank, node in enumerate(nodes) if not why(node)])
        return self._passing[key]


def _is_settled(plugin: BoundPlugin) -> bool:
    """Tell whether the plugin has a verdict or a cost that is the same whatever is on a node."""
    return any(point is not None and not point.fills for point in (plugin.filter, plugin.score))


def _settled_cost(scores: Iterable[BoundScore], node: NodeInfo) -> int:
    return sum([score.weight * score.cost(node) for score in scores if score.cost])
