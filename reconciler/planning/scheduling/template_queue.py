"""The queue of one template: which node its next pod goes to, without a look at every node.

The few nodes that have pods of the template's owner are in a heap of the queue's own; all others stand in the
lanes of the equivalence class. Both are lazy: keys only rise as nodes fill, so one that is out of date is too low,
and is put right when it comes first.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf
from typing import Final

from reconciler.model.names import Ref
from reconciler.planning.scheduling.equivalence import EquivalenceClass
from reconciler.planning.scheduling.ledger import Ledger
from reconciler.planning.scheduling.node_info import NodeInfo

_MOST_WANTED: Final = 32


class TemplateQueue:
    """The nodes for the pods of one template, the best one first."""

    def __init__(self, ledger: Ledger, nodes: EquivalenceClass, owner: Ref, template_hash: str) -> None:
        self.nodes = nodes
        self._ledger = ledger
        self._number = len(ledger.nodes)
        self._owner = owner
        self._hash = template_hash
        self.holders = ledger.holders(owner)
        self._known = 0
        self._siblings: list[int] = []
        """A heap: the key of each node that has pods of the owner, or one that it had before."""
        self._judged: dict[int, NodeInfo] = {}
        """What each of these nodes was when its key was right."""
        self._floor = -1
        """No key below this one is of any more use."""
        self._passed: list[int] = []
        """Keys of nodes that had no address left."""
        self._ahead: list[int] = []
        """The keys that come next, in order, if no node changes but those that this queue has named."""
        self._named = -1
        """The rank of the node that was named last."""
        self._changes = 0
        """How many changes the ledger had when that node was named."""
        self._wanted = 2
        """How many keys to look for at once: more and more, while the same queue is asked again and again."""

    def best(self) -> tuple[int, int | None] | None:
        """Return the keys of the best node and of the next best one, if any; None where no node is left.

        A node that is known to have no address left is passed over, but may be the next best one."""
        found = self._looked_ahead() or self._search()
        self._changes = len(self._ledger.changed)
        at = self._first_open(found)
        if at < 0:
            return None
        self._floor = found[at]
        self._named = found[at] % self._number
        self._ahead = found[at + 1 :]
        return found[at], found[at + 1] if at + 1 < len(found) else None

    def _looked_ahead(self) -> list[int] | None:
        """Return what the last search has found beyond what was needed, where that still holds."""
        changed, nodes, ahead = self._ledger.changed, self.nodes, self._ahead
        if len(ahead) < 2 or nodes.queue is not self or nodes.exhausted:
            return None
        if len(changed) != self._changes + 1 or changed[-1] != self._named:
            return None
        nodes.refresh_filters()
        self._meet_siblings()
        return ahead if not self._siblings or self._siblings[0] > ahead[1] else None

    def _search(self) -> list[int]:
        """Find the keys that come next, at least the first with an address and the one after it."""
        if self.nodes.queue is not self:
            self._take_over()
        self.nodes.refresh()
        self._meet_siblings()
        found: list[int] = []
        limit = horizon = inf
        lanes, siblings = self.nodes.lanes, self._siblings
        lanes_back: list[tuple[int, int]] = []
        siblings_back: list[int] = []
        while True:
            lane_bound = lanes[0][0] if lanes else inf
            sibling_bound = siblings[0] if siblings else inf
            if lane_bound >= limit and sibling_bound >= limit:
                break
            if sibling_bound < lane_bound:
                if (key := self._first_sibling()) is None:
                    continue
                siblings_back.append(key)
                insort(found, key)
            else:
                bound, index = heappop(lanes)
                keys, least = self._walk(index, bound)
                if keys:
                    found = sorted([*found, *keys]) if found else keys
                    horizon = min(horizon, keys[-1])
                    lanes_back.append((least, index))
                elif least >= 0:
                    self.nodes.aside.append((least, index))
            after = self._first_open(found) + 1
            limit = found[after] if 0 < after < len(found) else inf
        horizon = max(min(horizon, lane_bound, sibling_bound), limit)
        for entry in lanes_back:
            heappush(lanes, entry)
        self._give_back(siblings_back, found)
        self._wanted = min(2 * self._wanted, _MOST_WANTED)
        return found if not found or found[-1] <= horizon else found[: bisect_right(found, horizon)]

    def _give_back(self, keys: Sequence[int], found: Sequence[int]) -> None:
        """Put siblings that were looked at back on their heap, but for those that are passed over for good."""
        at = self._first_open(found)
        least = found[at] if at >= 0 else self._floor
        for key in keys:
            if key >= least:
                heappush(self._siblings, key)
            else:
                self._passed.append(key)

    def _meet_siblings(self) -> None:
        """Put the nodes that have pods of the owner since the last time on the heap."""
        holders = self.holders.order
        while self._known < len(holders):
            rank = holders[self._known]
            if self.nodes.has(rank):
                heappush(self._siblings, self._key(rank))
            self._known += 1

    def _take_over(self) -> None:
        """Begin anew after another queue of the class: what that one had put aside is back."""
        self.nodes.begin(self)
        for key in self._passed:
            heappush(self._siblings, key)
        self._passed, self._floor, self._wanted = [], -1, 2

    def _key(self, rank: int) -> int:
        nodes = self.nodes
        node = self._judged[rank] = self._ledger.nodes[rank]
        siblings = node.siblings(self._owner, self._hash)
        key = nodes.offsets[nodes.order.lane_of[rank]] + node.load * self._number + rank
        for cost, weight in nodes.sibling_costs:
            key += weight * cost(siblings)
        return key

    def _first_sibling(self) -> int | None:
        """Take the first node with pods of the owner off its heap; None where it was not what it seemed."""
        key = heappop(self._siblings)
        rank = key % self._number
        if rank in self.nodes.turned_away:
            return None
        if self._judged[rank] is not self._ledger.nodes[rank]:
            now = self._key(rank)
            if now != key:
                heappush(self._siblings, now)
                return None
        return key

    def _walk(self, index: int, bound: int) -> tuple[list[int], int]:
        """Return the keys in a lane that may be wanted now, and the key of its first node that fits, or -1.

        The nodes before `bound` fit no pod of this class."""
        nodes, number, holders = self.nodes, self._number, self.holders.ranks
        turned_away, exhausted, offset = nodes.turned_away, nodes.exhausted, nodes.offsets[index]
        keys = nodes.order.lanes[index].keys
        first = bisect_left(keys, bound - offset)
        while first < len(keys) and keys[first] % number in turned_away:
            first += 1
        if first == len(keys):
            return [], -1
        least = keys[first] + offset
        if self._floor > least:
            first = bisect_left(keys, self._floor - offset, first)
        found: list[int] = []
        is_open = False
        for at in range(first, len(keys)):
            rank = keys[at] % number
            if rank not in holders and rank not in turned_away:
                found.append(keys[at] + offset)
                if is_open and len(found) >= self._wanted:
                    break
                is_open = is_open or rank not in exhausted
        return found, least

    def _first_open(self, found: Sequence[int]) -> int:
        """Find the first of these keys whose node has an address, by its place; -1: there is none."""
        exhausted = self.nodes.exhausted
        if not exhausted:
            return 0 if found else -1
        return next((at for at, key in enumerate(found) if key % self._number not in exhausted), -1)
