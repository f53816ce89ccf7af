"""Preemption: would a pod that no node can have find one if others were gone?

This is upstream's postfilter point: it is asked for a pod that every node has turned away, or has no room for
beside what came first. Which pods may give way, and which of them does, is for the caller to say.
"""

from collections.abc import Collection, Mapping
from functools import partial

from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord
from reconciler.model.names import Ref, Uid
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.cycle import state_of
from reconciler.planning.scheduling.framework import bind, turned_away_by
from reconciler.planning.scheduling.node_info import NodeInfo, Snapshot, addresses_of
from reconciler.planning.scheduling.profile import PROFILE


class DryRun:
    """Asks for one pod what would be if other pods were gone, and places nothing."""

    def __init__(
        self, desired: Desired, pod: PodToCreate, snapshot: Snapshot, claims: Mapping[Ref, ClaimRecord]
    ) -> None:
        self._snapshot = snapshot
        self._plugins = bind(PROFILE, pod, state_of(desired, snapshot, claims))
        self._fits_now: bool | None = None

    def fits_without(self, gone: Collection[Uid]) -> bool:
        """Tell whether a node could have the pod if these were gone: one of their nodes, or one as it is."""
        pods, nodes = self._snapshot.pods, self._snapshot.nodes
        if self._fits_now is None:
            self._fits_now = any(self._fits(node) for node in nodes.values())
        if self._fits_now:
            return True
        freed = {pods[uid].node for uid in gone if uid in pods} & nodes.keys()
        return any(self._fits(nodes[name].without(gone)) for name in freed)

    def _fits(self, node: NodeInfo) -> bool:
        return not any(turned_away_by(plugin, node, partial(addresses_of, node)) for plugin in self._plugins)
