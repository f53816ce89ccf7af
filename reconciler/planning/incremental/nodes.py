"""How each node is judged, followed from plan to plan."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.model.api.core.node import Node
from reconciler.model.api.meta import ref_of
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Observed, Reachable
from reconciler.planning.state.nodes import NodeView, view_nodes


class Judged(NamedTuple):
    """A node of which something is otherwise than in the plan before."""

    before: NodeView
    after: NodeView

    @property
    def has_turned(self) -> bool:
        """Whether it is silent or lost now and was not, or the other way round; or is for another reason."""
        before, after = self
        return (before.lost, _why(before)) != (after.lost, _why(after))


class JudgedNodes:
    """The nodes of one revision. Not shared between threads.

    While all nodes answer, each is judged for itself. While one does not, whether it is lost depends on all others
    and on the time, so all are judged again in each plan."""

    def __init__(self, desired: Desired, observed: Observed, memory: Memory, now: float) -> None:
        self.views = view_nodes(desired, observed, memory, now)
        self._silent = self._found_silent()

    @property
    def lost_at(self) -> Mapping[Ref, float]:
        """When each silent node will be lost, if it stays silent."""
        views = self.views
        return {
            ref_of(view.manifest): view.lost_at
            for view in (views[name] for name in self._silent)
            if view.lost_at is not None
        }

    def follow(
        self, desired: Desired, observed: Observed, memory: Memory, now: float, names: Collection[str]
    ) -> Mapping[str, Judged]:
        """Judge anew; return the nodes of which anything is otherwise. `names` are those that have said something
        since, or of which something else is remembered."""
        if self._silent or not all(isinstance(observed.nodes[name], Reachable) for name in names):
            judged = view_nodes(desired, observed, memory, now)
        elif names:
            judged = view_nodes(*_alone(desired, observed, memory, names), now)
        else:
            return {}
        found = {name: Judged(self.views[name], view) for name, view in judged.items()}
        found = {name: one for name, one in found.items() if _differ(*one)}
        self.views = {**self.views, **{name: one.after for name, one in found.items()}}
        if self._silent or any(one.after.silent is not None for one in found.values()):
            self._silent = self._found_silent()
        return found

    def _found_silent(self) -> frozenset[str]:
        return frozenset(name for name, view in self.views.items() if view.silent is not None)


def cut_node(view: NodeView, uids: Collection[Uid]) -> NodeView:
    """The node with what it has of these pods. What else is on it concerns no plan of theirs."""
    if view.last is None:
        return view
    last = _cut(view.last, frozenset(uids))
    return replace(view, last=last, answers=last if view.answers is not None else None)


def _cut(node: Reachable, uids: frozenset[Uid]) -> Reachable:
    return replace(
        node,
        containers=tuple([one for one in node.containers if one.uid in uids]),
        files={key: value for key, value in node.files.items() if key.partition("/")[0] in uids},
        directories=node.directories & uids if node.directories else node.directories,
        busy=node.busy & uids if node.busy else node.busy,
        volumes=frozenset(),
    )


def _alone(
    desired: Desired, observed: Observed, memory: Memory, names: Collection[str]
) -> tuple[Desired, Observed, Memory]:
    nodes = desired.nodes
    return (
        replace(desired, objects={**desired.objects, Node: {ref_of(nodes[name]): nodes[name] for name in names}}),
        Observed({name: observed.nodes[name] for name in names}),
        replace(memory, nodes={name: memory.nodes[name] for name in names}),
    )


def _differ(before: NodeView, after: NodeView) -> bool:
    return (
        before.last is not after.last
        or before.record is not after.record
        or before.lost_at != after.lost_at
        or before.lost != after.lost
        or _why(before) != _why(after)
    )


def _why(view: NodeView) -> tuple[bool, str, bool]:
    """All that anything but the judgement itself follows from: who else reaches a silent node does not matter."""
    silent = view.silent
    return (False, "", False) if silent is None else (True, silent.why, silent.refused)
