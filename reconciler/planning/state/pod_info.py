"""What a pod's spec amounts to: read once for all pods of a template, since every plan asks it of every pod."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec, RestartPolicy
from reconciler.model.limits import ContainerLimits, limits
from reconciler.model.names import SANDBOX
from reconciler.model.resource_requests import NO_REQUESTS, Requests, requests_of
from reconciler.planning.host_ports import host_ports
from reconciler.planning.kubelet.container_config import has_sandbox, restart_policy_of
from reconciler.planning.kubelet.resources import Qos, qos_of, resources_of
from reconciler.planning.state.pod_containers import lasting


class PodInfo(Struct, frozen=True):
    only: str = ""
    """The name of a container that is all there is of the pod: no other one, no sandbox."""
    restarts: Mapping[str, RestartPolicy] = {}
    """What Docker is to do by itself when one of these containers ends."""
    limits: Mapping[str, ContainerLimits] = {}
    """What each of these containers may use."""
    addressed: str = ""
    """The container that has the pod's address: the only one, or the sandbox. Empty: none, on a host's network."""
    sandbox: bool = False
    waits: bool = False
    """A probe says when a container of it is ready."""
    proven: bool = False
    """A main container has a readiness probe."""
    probed: bool = False
    """A container of it has a probe of any kind."""
    gated: bool = False
    mounting: bool = False
    """It has volumes."""
    deadline: int | None = None
    """How many seconds the pod may run."""
    qos: Qos = "BestEffort"
    requests: Requests = NO_REQUESTS
    host_ports: tuple[int, ...] = ()
    """The ports of its node that the pod takes."""


_UNKNOWN: Final = PodInfo()
_MOST_KNOWN: Final = 20_000
_known: Final[dict[int, tuple[PodSpec, PodInfo]]] = {}
"""By the identity of the spec, which is kept alive with it: a spec never changes, and hashing one is slow."""


def pod_info_of(spec: PodSpec | None) -> PodInfo:
    """Return what a spec amounts to. It is remembered: nothing but speed depends on that."""
    if spec is None:
        return _UNKNOWN
    known = _known.get(id(spec))
    if known is not None and known[0] is spec:
        return known[1]
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    shape = _read(spec)
    _known[id(spec)] = (spec, shape)
    return shape


def _read(spec: PodSpec) -> PodInfo:
    sandbox, staying = has_sandbox(spec), lasting(spec)
    alone = len(staying) == 1 and not spec.init_containers and not sandbox
    return PodInfo(
        only=spec.containers[0].name if alone else "",
        restarts={one.name: restart_policy_of(one, spec) for one in staying},
        limits={one.name: _limits(one, spec) for one in staying},
        addressed="" if spec.host_network else SANDBOX if sandbox else spec.containers[0].name,
        sandbox=sandbox,
        waits=any(one.readiness_probe or one.startup_probe for one in staying),
        proven=any(one.readiness_probe for one in spec.containers),
        probed=any(one.readiness_probe or one.startup_probe or one.liveness_probe for one in staying),
        gated=bool(spec.readiness_gates),
        mounting=bool(spec.volumes),
        deadline=spec.active_deadline_seconds,
        qos=qos_of(spec),
        requests=requests_of(spec),
        host_ports=host_ports(spec),
    )


def _limits(container: Container, spec: PodSpec) -> ContainerLimits:
    found = resources_of(container, spec, None)
    return limits(found.cpu_shares, found.cpu_milli_limit, found.memory_limit_bytes, found.memory_request_bytes)
