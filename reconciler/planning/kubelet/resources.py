"""What a container may use, in Docker's units; and the quality of service that follows from what a pod asks for.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.observed import Facts
from reconciler.model.quantities import Quantity

Qos: TypeAlias = Literal["Guaranteed", "Burstable", "BestEffort"]

_SHARES_OF_A_CPU = 1024
_FEWEST_SHARES = 2
_SMALLEST_RESERVATION = 6 << 20
"""Docker refuses a reservation below it; one so small changes nothing."""
_GUARANTEED_SCORE = 0
"""Upstream: -997. A host that is itself a container may not give a negative one, and would start nothing."""
_LOWEST_BURSTABLE_SCORE = 3
_BEST_EFFORT_SCORE = 1000
_NOTHING = Fraction(0)


class ContainerResources(NamedTuple):
    cpu_shares: int
    cpu_milli_limit: int
    memory_limit_bytes: int
    memory_request_bytes: int
    oom_score_adj: int


def resources_of(container: Container, spec: PodSpec, facts: Facts | None) -> ContainerResources:
    """Return what a container may use. Without a CPU request it gets the smallest share, as upstream: under load
    those that asked come first.
    """
    resources = container.resources
    cpu, cpu_limit = _request(container, "cpu"), resources.limits.get("cpu")
    memory, memory_limit = resources.requests.get("memory"), resources.limits.get("memory")
    reserved = memory.whole if memory else 0
    return ContainerResources(
        cpu_shares=max(_FEWEST_SHARES, cpu.milli * _SHARES_OF_A_CPU // 1000 if cpu else 0),
        cpu_milli_limit=cpu_limit.milli if cpu_limit else 0,
        memory_limit_bytes=memory_limit.whole if memory_limit else 0,
        memory_request_bytes=reserved if reserved >= _SMALLEST_RESERVATION else 0,
        oom_score_adj=oom_score(container, spec, facts),
    )


def qos_of(spec: PodSpec) -> Qos:
    """Guaranteed: every container has limits of both, and requests no less. BestEffort: none asks for anything."""
    asked = False
    guaranteed = True
    for container in (*spec.containers, *spec.init_containers):
        for resource in ("cpu", "memory"):
            request = _amount(_request(container, resource))
            limit = _amount(container.resources.limits.get(resource))
            asked = asked or request > 0 or limit > 0
            guaranteed = guaranteed and 0 < limit == request
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def oom_score(container: Container, spec: PodSpec, facts: Facts | None) -> int:
    """Who is killed first where a host has no memory left: from 0 (whoever uses most) to 1000 (at once).

    In the order that the kubelet has: the more of the node's memory a container asked for, the later. While the
    node's memory is unknown, a container counts as one that asked for nothing.
    """
    match qos_of(spec):
        case "Guaranteed":
            return _GUARANTEED_SCORE
        case "BestEffort":
            return _BEST_EFFORT_SCORE
        case "Burstable":
            if container in spec.init_containers and is_sidecar(container):
                # No sooner than the containers it serves.
                return min(_burstable_score(one, facts) for one in (container, *spec.containers))
            return _burstable_score(container, facts)


def memory_of(containers: Iterable[Container]) -> int:
    """What all of them may use at most, in bytes; 0 where one has no limit."""
    limits = [container.resources.limits.get("memory") for container in containers]
    return sum(limit.whole for limit in limits if limit) if all(limits) else 0


def _burstable_score(container: Container, facts: Facts | None) -> int:
    memory = _request(container, "memory")
    share = memory.whole * 1000 // facts.memory_bytes if memory and facts and facts.memory_bytes else 0
    return min(max(_BEST_EFFORT_SCORE - share, _LOWEST_BURSTABLE_SCORE), _BEST_EFFORT_SCORE - 1)


def _request(container: Container, resource: str) -> Quantity | None:
    """A limit without a request is the request, as upstream."""
    return container.resources.requests.get(resource) or container.resources.limits.get(resource)


def _amount(quantity: Quantity | None) -> Fraction:
    return quantity.value if quantity else _NOTHING
