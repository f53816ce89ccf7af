"""A controller: how planning treats the objects of a kind that no pods exist for. Planning defines this facet.

The room of such a kind fills it, as those of the others fill a `Workload`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from reconciler.model.desired import Desired
from reconciler.model.edges import edge_addresses
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint, Status
from reconciler.planning.state.nodes import NodeView

T = TypeVar("T")


class ClusterState(Struct, frozen=True, dict=True):
    """A cluster as it is after a step was decided: what the statuses of objects without pods follow from."""

    desired: Desired
    memory: Memory
    """What is to be remembered after the step: what was given to each object is there."""
    nodes: Mapping[str, NodeView]
    volumes: Mapping[str, Sequence[str]]
    """The nodes that have the Docker volume of each claim, by the volume's name."""
    endpoints: Mapping[Ref, Sequence[Endpoint]]
    """Who answers for each Service."""

    @cached_property
    def edges(self) -> tuple[str, ...]:
        """The addresses at which the nodes are reached from outside."""
        return edge_addresses(self.desired.nodes)


Record: TypeAlias = Callable[[Desired, Memory, Sequence[NodeView]], Memory]
"""Returns what is remembered, with what objects of one kind have now; the memory itself, where nothing is new."""


def _nothing(desired: Desired, memory: Memory, nodes: Sequence[NodeView]) -> Memory:
    return memory


class Controller(Struct, Generic[T], frozen=True):
    """How planning treats the objects of one kind that no pods exist for."""

    type: type[T]
    status: Callable[[T, ClusterState], Iterable[Status]]
    """Yields an object with its status, and what is made of it, such as the Endpoints of a Service."""
    record: Record = _nothing
    """Chooses what an object is given once and then keeps, such as the address of a Service."""


Controllers: TypeAlias = Sequence[Controller[Any]]
"""The controllers of the kinds that have one."""


def recorded(controllers: Controllers, desired: Desired, memory: Memory, nodes: Sequence[NodeView]) -> Memory:
    """Return what is remembered, with what the objects of a revision have been given by now.

    `nodes` tell what they had, where the memory was lost."""
    for controller in controllers:
        memory = controller.record(desired, memory, nodes)
    return memory


def statuses_of(controllers: Controllers, state: ClusterState) -> Iterable[Status]:
    """Yield every object that has a controller, with its status, and what is made of it."""
    for controller in controllers:
        for thing in state.desired.of(controller.type).values():
            yield from controller.status(thing, state)
