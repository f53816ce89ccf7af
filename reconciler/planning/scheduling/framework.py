"""The scheduling framework: what a plugin is, at which points of a cycle it has a say, and how all are asked.

The points have upstream's names: https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/

A plugin is a frozen value of pure functions. The profile (`profile.py`) is one tuple of plugins: it makes the
choice and it gives the reasons, so the two cannot differ.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import ClaimRecord
from reconciler.model.names import Ref
from reconciler.planning.allocation.pod_ips import PodAddresses
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.node_info import NodeInfo, Siblings
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.volume_binding import VolumeLocations

State = TypeVar("State", bound=Hashable)


class CycleState(Struct, frozen=True):
    """What a plugin may look at beside the pod and one node."""

    cluster: str
    nodes: Mapping[str, NodeView]
    claims: Mapping[Ref, ClaimRecord]
    """Where the data of claims is, or will be with a pod placed before in this cycle."""
    volumes: VolumeLocations
    unlisted: NodeView | None = None
    """The first node whose volumes nobody knows; None where all are known."""
    hidden: Sequence[NodeView] = ()
    """The nodes that did not answer when this state began."""


class Candidates(Struct, frozen=True):
    """The only nodes that can have a pod, as a plugin knows without asking any of them."""

    nodes: frozenset[str]
    words: str = ""
    """Why it is one of these, in words."""


class Filter(Struct, Generic[State], frozen=True):
    """The point at which a plugin turns nodes away."""

    why: Callable[[State, NodeInfo], str]
    """Say why the node cannot have the pod, in words; empty where it can."""
    fills: bool = False
    """The verdict depends on the pods that are on the node as well. It may turn against the node as more come, but
    never for it, and not while it is open (`NodeInfo.is_open`) for the largest pod of the cycle."""


class Score(Struct, Generic[State], frozen=True):
    """The point at which a plugin ranks the nodes that are left: the smallest sum of weighted costs wins."""

    words: str
    """What it says of a node that wins by it."""
    cost: Callable[[State, NodeInfo], int] | None = None
    """Say how badly a pod would be placed on the node if its owner had none there; 0 is best. Where `fills`, this
    is the node's load and a number that follows from its capacity; where not, it depends on its manifest."""
    siblings: Callable[[Siblings], int] | None = None
    """Say what is to be added where the pod's owner has others there. The sum never falls as more pods come."""
    weight: int = 1
    fills: bool = False


class Plugin(Struct, Generic[State], frozen=True):
    """One rule of scheduling. Every point but `prefilter` is left out where the plugin has no say."""

    name: str
    prefilter: Callable[[PodToCreate, CycleState], State | None]
    """Say all that matters of a pod to this plugin; None: nothing does, and the plugin is skipped for it. Pods of
    which every plugin says the same are one equivalence class: they are filtered once, together."""
    candidates: Callable[[State], Candidates | None] | None = None
    filter: Filter[State] | None = None
    score: Score[State] | None = None
    reserve: Callable[[State, NodeInfo, PodAddresses], str] | None = None
    """Say why a node that passes every filter cannot have the pod, in words; asked of the best node alone."""

    def weighing(self, weight: int) -> "Plugin[State]":
        """Return the plugin with this weight among the scores."""
        assert self.score is not None
        return replace(self, score=replace(self.score, weight=weight))

    def bind(self, pod: PodToCreate, cycle: CycleState) -> "BoundPlugin | None":
        """Bring the plugin and one pod together; None where it is skipped for the pod."""
        state = self.prefilter(pod, cycle)
        if state is None:
            return None
        return BoundPlugin(
            self.name,
            state,
            self.candidates(state) if self.candidates else None,
            BoundFilter(partial(self.filter.why, state), self.filter.fills) if self.filter else None,
            _bound_score(self.score, state) if self.score else None,
            partial(self.reserve, state) if self.reserve else None,
        )


class BoundFilter(Struct, frozen=True):
    """A filter for the pods of one equivalence class."""

    why: Callable[[NodeInfo], str]
    fills: bool


class BoundScore(Struct, frozen=True):
    """A score for the pods of one equivalence class."""

    words: str
    cost: Callable[[NodeInfo], int] | None
    siblings: Callable[[Siblings], int] | None
    weight: int
    fills: bool


class BoundPlugin(Struct, frozen=True):
    """A plugin that knows which pods it is about: those of one equivalence class."""

    name: str
    state: Hashable
    candidates: Candidates | None
    filter: BoundFilter | None
    score: BoundScore | None
    reserve: Callable[[NodeInfo, PodAddresses], str] | None


class SchedulingPlugin(Protocol):
    """A plugin of any state, as a profile has it."""

    @property
    def name(self) -> str: ...

    @property
    def prefilter(self) -> Callable[[PodToCreate, CycleState], Hashable | None]: ...

    def bind(self, pod: PodToCreate, cycle: CycleState) -> BoundPlugin | None: ...


Profile: TypeAlias = tuple[SchedulingPlugin, ...]
"""The plugins in the order in which they are asked: the first one that turns a node away gives the reason."""


class Verdicts(Struct, frozen=True):
    """Why the pods of one equivalence class are on no node."""

    reasons: Mapping[str, str]
    """Node -> why not, in words."""
    turned_away: Mapping[str, int]
    """Plugin -> how many nodes it turned away, in the order of the profile."""


def bind(profile: Profile, pod: PodToCreate, cycle: CycleState) -> tuple[BoundPlugin, ...]:
    """Ask every plugin what matters of the pod, and leave out those to which nothing does."""
    return tuple([bound for plugin in profile if (bound := plugin.bind(pod, cycle)) is not None])


def equivalence(profile: Profile, pod: PodToCreate, cycle: CycleState) -> Hashable:
    """Return what is equal for pods that no plugin can tell apart."""
    return tuple([plugin.prefilter(pod, cycle) for plugin in profile])


def verdicts(
    plugins: Sequence[BoundPlugin], nodes: Iterable[NodeInfo], addresses: Callable[[int], PodAddresses]
) -> Verdicts:
    """Ask every plugin about every node, for pods that are on none. `addresses` are a node's, by its place."""
    reasons: dict[str, str] = {}
    counts = {plugin.name: 0 for plugin in plugins}
    for rank, node in enumerate(nodes):
        for plugin in plugins:
            if why := turned_away_by(plugin, node, partial(addresses, rank)):
                reasons[node.name] = why
                counts[plugin.name] += 1
                break
    return Verdicts(reasons, {name: count for name, count in counts.items() if count})


def turned_away_by(plugin: BoundPlugin, node: NodeInfo, addresses: Callable[[], PodAddresses]) -> str:
    """Return why this plugin keeps the pod off the node, by its filter or by what it would reserve; empty: it does
    not."""
    why = plugin.filter.why(node) if plugin.filter else ""
    return why or (plugin.reserve(node, addresses()) if plugin.reserve else "")


def _bound_score(score: Score[State], state: State) -> BoundScore:
    cost = partial(score.cost, state) if score.cost else None
    return BoundScore(score.words, cost, score.siblings, score.weight, score.fills)
