"""How much of a node a pod asks for."""

from typing import NamedTuple

from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.pods import Container, PodSpec


class Demand(NamedTuple):
    cpu_milli: int
    memory_bytes: int


NOTHING = Demand(0, 0)


def demand_of(spec: PodSpec) -> Demand:
    cpu = sum(_amount(container, "cpu") for container in spec.containers)
    memory = sum(_amount(container, "memory") for container in spec.containers)
    return Demand(cpu, memory)


def _amount(container: Container, resource: str) -> int:
    """A limit without a request is the request, as upstream."""
    resources = container.resources
    quantity = resources.requests.get(resource) or resources.limits.get(resource)
    if quantity is None:
        return 0
    return quantity.milli if resource == "cpu" else quantity.whole


class Demands:
    """Remembers, for the length of one plan, what the pods of one template ask for: exact arithmetic is slow."""

    def __init__(self) -> None:
        self._known: dict[tuple[Ref | str, str], Demand] = {}

    def of(self, intent: PodIntent) -> Demand:
        if intent.spec is None:
            return NOTHING
        key = (intent.owner or f"{intent.namespace}/{intent.name}", intent.hash)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = demand_of(intent.spec)
        return known
