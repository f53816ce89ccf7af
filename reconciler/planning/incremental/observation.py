"""What of a node changed between two observations, and which pods that can concern.

A field that is not named here concerns every pod of its node: something new in an observation is never missed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import PodIntent
from reconciler.model.names import Uid
from reconciler.model.observed import Observed, ObservedContainer, Reachable
from reconciler.planning.incremental.index import PodIndex
from reconciler.planning.kubelet.draining import Rotation

_MEANINGLESS: Final = frozenset({"at", "since", "boot", "repaired"})
"""For planning, as long as every node answers."""
_OF_THE_CLUSTER: Final = frozenset({"given", "volumes"})
"""What is given out once in the cluster follows from them."""
_MEASURED: Final = frozenset({"load1", "disk_free_bytes"})
"""Facts that change by themselves, and that nothing is decided by."""


class Change(Struct, frozen=True):
    """What concerns planning of what changed on one node."""

    uids: frozenset[Uid] = frozenset()
    node: bool = False
    """How the node itself stands may have changed."""
    everywhere: bool = False
    """It may concern any pod of the cluster."""


NOTHING: Final = Change()
EVERYTHING: Final = Change(everywhere=True)


def change_of(
    name: str, before: Reachable, after: Reachable, index: PodIndex, differing: "SetDifferences"
) -> Change:
    """`differing` is shared by all nodes, as the sets are that it compares: pods that it has told of are not told of
    again."""
    uids: set[Uid] = set()
    node = False
    for field in Reachable.__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if old is new or field in _MEANINGLESS:
            continue
        if field == "proxy":
            for ip in (*differing.between(old.routed, new.routed), *differing.between(old.connected, new.connected)):
                uids.update(index.with_ip(ip))
            node = node or old.error != new.error
            continue
        if old == new:
            continue
        if field in _OF_THE_CLUSTER:
            return EVERYTHING
        if field == "containers":
            uids |= _of_containers(old, new)
        elif field == "listening":
            uids.update(*(index.with_ip(one.ip) for one in old ^ new))
        elif field in ("busy", "directories"):
            uids |= old ^ new
        elif field == "files":
            uids |= _of_files(old, new)
        elif field == "facts":
            if (old.engine_id, old.address) != (new.engine_id, new.address):
                return EVERYTHING
            node = True
            if replace(old, **dict.fromkeys(_MEASURED, 0)) != replace(new, **dict.fromkeys(_MEASURED, 0)):
                uids.update(index.on_node(name))
        else:
            node = True
            uids.update(index.on_node(name))
    return Change(frozenset(uids), node)


class SetDifferences:
    """Symmetric differences of sets that many nodes have in common: each pair is told of once. For one plan."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, int], tuple[frozenset[str], frozenset[str]]] = {}
        """Kept alive as long as their identities stand for them."""

    def between(self, one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
        """Return what only one of the sets has; nothing, where the same two were asked about before."""
        pair = (id(one), id(other))
        if one is other or pair in self._told:
            return frozenset()
        self._told[pair] = (one, other)
        return one ^ other


def _of_containers(before: Iterable[ObservedContainer], after: Iterable[ObservedContainer]) -> set[Uid]:
    old, new = {id(one) for one in before}, {id(one) for one in after}
    return {one.uid for one in before if id(one) not in new} | {one.uid for one in after if id(one) not in old}


def _of_files(before: Mapping[str, str], after: Mapping[str, str]) -> set[Uid]:
    return {key.partition("/")[0] for key, _ in before.items() ^ after.items()}


class Proxies:
    """Which pods the proxies of all nodes know. Nodes that serve alike share their sets."""

    def __init__(self, observed: Observed) -> None:
        self._routed: dict[str, frozenset[str]] = {}
        self._nodes: Counter[int] = Counter()
        """How many nodes have each set, by its identity."""
        self._sets: dict[int, frozenset[str]] = {}
        self._connected: dict[str, frozenset[str]] = {}
        for name, node in observed.nodes.items():
            if isinstance(node, Reachable):
                self.put(name, node)

    def put(self, name: str, node: Reachable) -> None:
        """What the node's proxy says now."""
        routed, known = node.proxy.routed, self._routed.get(name)
        if routed is not known:
            if known is not None:
                self._nodes[id(known)] -= 1
                if not self._nodes[id(known)]:
                    del self._nodes[id(known)], self._sets[id(known)]
            self._routed[name] = routed
            self._nodes[id(routed)] += 1
            self._sets[id(routed)] = routed
        if node.proxy.connected:
            self._connected[name] = node.proxy.connected
        else:
            self._connected.pop(name, None)

    def rotation(self) -> Rotation:
        return Rotation(tuple(self._sets.values()), tuple(self._connected.values()))


class Strays:
    """The nodes that have containers of a pod that is not theirs, or of none."""

    def __init__(self, observed: Observed, pods: Mapping[Uid, PodIntent]) -> None:
        self.by_uid: defaultdict[Uid, set[str]] = defaultdict(set)
        self._on_node: dict[str, frozenset[Uid]] = {}
        for name, node in observed.nodes.items():
            if isinstance(node, Reachable):
                self.put(name, node, pods)

    def put(self, name: str, node: Reachable, pods: Mapping[Uid, PodIntent]) -> None:
        """What the node has now."""
        for uid in self._on_node.pop(name, ()):
            self.by_uid[uid].discard(name)
            if not self.by_uid[uid]:
                del self.by_uid[uid]
        found = frozenset(
            one.uid
            for one in node.containers
            if one.uid and ((intent := pods.get(one.uid)) is None or intent.node != name)
        )
        if found:
            self._on_node[name] = found
            for uid in found:
                self.by_uid[uid].add(name)
