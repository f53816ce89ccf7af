"""All nodes as the scheduler sees them, kept from plan to plan: only those that changed are counted anew."""

from collections.abc import Collection, Iterable, Mapping

from reconciler.model.memory import PodIntent
from reconciler.model.names import Uid
from reconciler.planning.incremental.index import PodIndex
from reconciler.planning.scheduling.node_info import NO_NODES, Snapshot, info_of
from reconciler.planning.state.nodes import NodeView


class NodeInfos:
    """Not shared between threads. Costs nothing before the first pod is to be placed."""

    def __init__(self) -> None:
        self._last = NO_NODES
        self._changed: set[str] = set()

    def changed(self, names: Iterable[str]) -> None:
        """Count the pods of these nodes anew the next time."""
        self._changed.update(names)

    def snapshot(
        self,
        views: Mapping[str, NodeView],
        index: PodIndex,
        remembered: Mapping[Uid, PodIntent],
        nodes: Collection[str],
        uids: Collection[Uid],
        pods: Mapping[Uid, PodIntent],
    ) -> Snapshot:
        """Every node with its pods: those `remembered` and indexed; of these `uids` only those that `pods` has.

        `nodes` are those that have anything of these `uids`."""
        every = _with(remembered, uids, pods)
        self.changed(nodes)
        infos = {}
        for name, view in views.items():
            before = self._last.nodes.get(name)
            if before is None or name in self._changed:
                there = [every[uid] for uid in index.on_node(name) if uid in every]
                infos[name] = info_of(view, there, every, remembered, before)
            else:
                infos[name] = (
                    before if before.node is view else info_of(view, before.pods, every, remembered, before)
                )
        self._last = Snapshot(infos, every)
        self._changed = set(nodes)  # What becomes of these pods is decided with this snapshot.
        return self._last


def _with(
    remembered: Mapping[Uid, PodIntent], uids: Collection[Uid], pods: Mapping[Uid, PodIntent]
) -> Mapping[Uid, PodIntent]:
    if all(remembered.get(uid) is pods.get(uid) for uid in uids):
        return remembered
    every = {**remembered, **pods}
    for uid in uids:
        if uid not in pods:
            every.pop(uid, None)
    return every
