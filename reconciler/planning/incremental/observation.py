"""What of a node changed between two observations, and which pods that can concern.

A field that is not named here concerns every pod of its node: something new in an observation is never missed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Uid
from reconciler.model.observed import ObservedContainer, ProxyState, Reachable
from reconciler.planning.incremental.index import PodIndex
from reconciler.planning.kubelet.draining import Rotation
from reconciler.planning.state.nodes import NodeView

_MEANINGLESS: Final = frozenset({"at", "since", "boot", "repaired"})
"""For planning: how a node is judged by them, `JudgedNodes` knows."""
_OF_THE_CLUSTER: Final = frozenset({"given", "volumes"})
"""What is given out once in the cluster follows from them."""
_SILENT: Final = ProxyState()
"""What is known of the proxy of a node that does not answer."""
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


def change_of(name: str, before: Reachable, after: Reachable, index: PodIndex) -> Change:
    """Tell what of a node concerns planning, but for what its proxy does (see `RotationChanges`)."""
    uids: set[Uid] = set()
    node = False
    for field in Reachable.__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if old is new or field in _MEANINGLESS:
            continue
        if field == "proxy":
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


class RotationChanges:
    """Which pods proxies have taken up or let go of between two plans.

    Nodes that serve alike share a set, and many change from one to another at once: each pair is compared once,
    and only for the pods that it can matter to."""

    def __init__(self, watched: Mapping[Uid, str]) -> None:
        """`watched` are the pods for which it matters who sends them connections, each with its address."""
        self._watched = watched
        self._told: dict[tuple[int, int], tuple[frozenset[str], frozenset[str]]] = {}
        """Kept alive as long as their identities stand for them."""

    def between(self, before: Reachable | None, after: Reachable | None) -> Iterator[Uid]:
        """Yield the pods that a node has taken up or let go of, which no other node has been asked about."""
        old, new = (node.proxy if node is not None else _SILENT for node in (before, after))
        yield from self._differing(old.routed, new.routed)
        yield from self._differing(old.connected, new.connected)

    def _differing(self, one: frozenset[str], other: frozenset[str]) -> Iterable[Uid]:
        pair = (id(one), id(other))
        if one is other or pair in self._told:
            return ()
        self._told[pair] = (one, other)
        return [uid for uid, ip in self._watched.items() if (ip in one) != (ip in other)]


def is_watched(intent: PodIntent, memory: Memory) -> bool:
    """Whether it matters to a pod who sends it connections: because it leaves, or because it is not ready, and may
    have been before we began."""
    return intent.wanted == "leave" or intent.uid not in memory.ready_since


def _of_containers(before: Iterable[ObservedContainer], after: Iterable[ObservedContainer]) -> set[Uid]:
    old, new = {id(one) for one in before}, {id(one) for one in after}
    return {one.uid for one in before if id(one) not in new} | {one.uid for one in after if id(one) not in old}


def _of_files(before: Mapping[str, str], after: Mapping[str, str]) -> set[Uid]:
    return {key.partition("/")[0] for key, _ in before.items() ^ after.items()}


class Proxies:
    """Which pods the proxies of all nodes that answer know. Nodes that serve alike share their sets."""

    def __init__(self, nodes: Iterable[NodeView]) -> None:
        self._routed: dict[str, frozenset[str]] = {}
        self._nodes: Counter[int] = Counter()
        """How many nodes have each set, by its identity."""
        self._sets: dict[int, frozenset[str]] = {}
        self._connected: dict[str, frozenset[str]] = {}
        for node in nodes:
            self.put(node)

    def put(self, node: NodeView) -> None:
        """Take up what the node's proxy says now; nothing, where it does not answer."""
        proxy = node.answers.proxy if node.answers is not None else None
        routed, known = proxy.routed if proxy is not None else None, self._routed.pop(node.name, None)
        if known is not None and routed is not known:
            self._nodes[id(known)] -= 1
            if not self._nodes[id(known)]:
                del self._nodes[id(known)], self._sets[id(known)]
        if routed is not None:
            self._routed[node.name] = routed
            if routed is not known:
                self._nodes[id(routed)] += 1
                self._sets[id(routed)] = routed
        if proxy is not None and proxy.connected:
            self._connected[node.name] = proxy.connected
        else:
            self._connected.pop(node.name, None)

    def rotation(self) -> Rotation:
        return Rotation(tuple(self._sets.values()), tuple(self._connected.values()))


class Strays:
    """The nodes that have anything of a pod that is not theirs, or of none."""

    def __init__(self, nodes: Iterable[NodeView], pods: Mapping[Uid, PodIntent]) -> None:
        self.by_uid: defaultdict[Uid, set[str]] = defaultdict(set)
        self._on_node: dict[str, frozenset[Uid]] = {}
        for node in nodes:
            self.put(node, pods)

    def put(self, node: NodeView, pods: Mapping[Uid, PodIntent]) -> None:
        """Take up what the node has now."""
        name = node.name
        for uid in self._on_node.pop(name, ()):
            self.by_uid[uid].discard(name)
            if not self.by_uid[uid]:
                del self.by_uid[uid]
        found = frozenset(
            uid for uid in uids_on(node.last) if (intent := pods.get(uid)) is None or intent.node != name
        )
        if found:
            self._on_node[name] = found
            for uid in found:
                self.by_uid[uid].add(name)


def uids_on(node: Reachable | None) -> set[Uid]:
    """Return the uids of all that a node has of pods, known or not."""
    if node is None:
        return set()
    return {one.uid for one in node.containers if one.uid} | node.directories | node.busy
