"""Resource requests: how much CPU and memory of a node a pod asks for."""

from typing import NamedTuple

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec


class Requests(NamedTuple):
    """An amount of each resource that is given out: what a pod asks for, or what a node has."""

    cpu_milli: int
    memory_bytes: int


NO_REQUESTS = Requests(0, 0)


def requests_of(spec: PodSpec) -> Requests:
    """Sum up what a pod asks for: what runs at the same time is added up; an init container needs its own beside
    the sidecars before it.

    Rule: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    return Requests(_needed(spec, "cpu"), _needed(spec, "memory"))


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
