"""The containers a pod is made of, by what each is for; and how far the pod's start has come.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/init-containers/ and …/sidecar-containers/
"""

from collections.abc import Iterable, Mapping
from typing import Final

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import RestartRecord
from reconciler.model.names import SANDBOX
from reconciler.model.observed import DockerState, ObservedContainer

Containers = Mapping[str, ObservedContainer]
"""The containers of one pod on one node, by the container's name in the pod."""

RestartRecords = Mapping[str, RestartRecord]
"""What was counted of one pod at an earlier look, by the container's name in the pod, its sandbox too."""

NO_CONTAINERS: Containers = {}
ALIVE: Final[frozenset[DockerState]] = frozenset({"running", "paused", "restarting"})
_BEGUN: Final[frozenset[DockerState]] = frozenset({"running", "paused", "restarting", "exited", "dead"})


def sidecars_of(spec: PodSpec) -> tuple[Container, ...]:
    return tuple(filter(is_sidecar, spec.init_containers)) if spec.init_containers else ()


def lasting(spec: PodSpec) -> tuple[Container, ...]:
    """Return the containers that run as long as the pod does."""
    return (*sidecars_of(spec), *spec.containers) if spec.init_containers else spec.containers


def has_begun(found: ObservedContainer | None) -> bool:
    """It has been started at least once."""
    return found is not None and found.state in _BEGUN


def is_initialized(spec: PodSpec, containers: Containers, known: RestartRecords, *, sandbox_needed: bool) -> bool:
    """The init containers have all done their work, in the sandbox that is there now, and every sidecar runs."""
    if mains_have_begun(spec, containers, known, sandbox_needed=sandbox_needed):
        return True
    sandbox = containers.get(SANDBOX)
    if sandbox_needed and (sandbox is None or sandbox.state not in ALIVE):
        return False
    done = (is_sidecar(one) or is_done(containers.get(one.name), sandbox, known) for one in spec.init_containers)
    return all(done) and all_running(sidecars_of(spec), containers)


def mains_have_begun(
    spec: PodSpec, containers: Containers, known: RestartRecords, *, sandbox_needed: bool
) -> bool:
    """Say whether a main container has begun in the sandbox that is there now.

    As upstream, this proves that the init containers have done their work, whatever has become of them since.
    """
    sandbox = containers.get(SANDBOX)
    if sandbox_needed and (sandbox is None or sandbox.state not in ALIVE):
        return False
    mains = (containers.get(one.name) for one in spec.containers)
    return any(has_begun(found) and not is_older(found, sandbox, known) for found in mains)


def is_done(found: ObservedContainer | None, sandbox: ObservedContainer | None, known: RestartRecords) -> bool:
    """Say whether an init container ended well, in this sandbox."""
    ended_well = found is not None and found.state == "exited" and found.exit_code == 0
    return ended_well and not is_older(found, sandbox, known)


def has_done_its_work(found: ObservedContainer) -> bool:
    """Say whether a container of a pod whose template is not known is an init container: it ended well, and nobody
    starts it again.
    """
    return found.state == "exited" and found.exit_code == 0 and found.restart_policy == "Never"


def left_behind(container: ObservedContainer, containers: Containers, known: RestartRecords) -> bool:
    """Runs in a network that is gone: Docker, or somebody, has restarted its pod's sandbox since it joined."""
    if container.container == SANDBOX or container.state != "running":
        return False
    sandbox = containers.get(SANDBOX)
    return sandbox is not None and sandbox.state == "running" and is_older(container, sandbox, known)


def lost_its_sandbox(container: ObservedContainer, containers: Containers, known: RestartRecords) -> bool:
    """Its last run was in a sandbox that is no more: it did not end by itself."""
    sandbox = containers.get(SANDBOX)
    return sandbox is not None and (sandbox.state not in ALIVE or is_older(container, sandbox, known))


def is_older(
    container: ObservedContainer | None, sandbox: ObservedContainer | None, known: RestartRecords
) -> bool:
    """Its run began before the sandbox's, and so is not in the sandbox that is there now.

    By what was seen, wherever it was: a run stays in the sandbox that it was first seen in, and one that began
    while the sandbox went on running is in that. Otherwise, after a lost store or with both begun since the last
    look, by the moments of their host's clock: the sandbox always starts first. Should that clock have been set
    back in between, the container is started once more than it needed, and then what was seen decides.

    The moments' decimals have no zeros at the end, so they are compared without the `Z`; a look that tells no
    moment accuses nobody.
    """
    if container is None or sandbox is None or not (container.started_at and sandbox.started_at):
        return False
    counted, joined = known.get(container.container), known.get(SANDBOX)
    if counted is not None and counted.run == container.run:
        if counted.sandbox:
            return counted.sandbox != sandbox.run
    elif joined is not None and joined.run == sandbox.run:
        return False
    return container.started_at.removesuffix("Z") < sandbox.started_at.removesuffix("Z")


def all_running(containers: Iterable[Container], found: Containers) -> bool:
    for one in containers:
        seen = found.get(one.name)
        if seen is None or seen.state != "running":
            return False
    return True
