"""How much of a node a pod asks for."""

from typing import NamedTuple

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref


class Demand(NamedTuple):
    cpu_milli: int
    memory_bytes: int


NOTHING = Demand(0, 0)


def demand_of(spec: PodSpec) -> Demand:
    """Rule: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers

    What runs at the same time is added up; an init container needs its own beside the sidecars before it.
    """
    return Demand(_needed(spec, "cpu"), _needed(spec, "memory"))


def _needed(spec: PodSpec, resource: str) -> int:
    sidecars = most = 0
    for one in spec.init_containers:
        if is_sidecar(one):
            sidecars += _amount(one, resource)
            most = max(most, sidecars)
        else:
            most = max(most, sidecars + _amount(one, resource))
    return max(most, sidecars + sum([_amount(one, resource) for one in spec.containers]))


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
