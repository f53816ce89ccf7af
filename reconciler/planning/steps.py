"""The kubelet's part: which container operations a pod needs now, from what is seen of it.

Level-triggered: whatever happened before, a crash, a removal by hand or a lost reply, the next look heals it.
"""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import SANDBOX
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.operations import (
    ContainerConfig,
    ContainerStop,
    CreateContainer,
    Operation,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainers,
    UnpauseContainer,
)
from reconciler.model.pods import PodSpec, RestartPolicy
from reconciler.planning.containers import container_config, has_sandbox, sandbox_config
from reconciler.planning.images import Policy, is_present, must_pull
from reconciler.planning.matching import Containers
from reconciler.planning.pods import PodView, left_behind

_ALIVE: frozenset[ContainerState] = frozenset({"running", "paused", "restarting"})
_DEFAULT_GRACE_SECONDS = 30


class Steps(Struct, frozen=True):
    operations: tuple[Operation, ...] = ()
    repairs: str = ""
    """What went wrong with a pod that had run, in words; empty where this is its first start."""


NO_STEPS = Steps()


class _Part(Struct, frozen=True):
    """One container the pod should have."""

    config: ContainerConfig
    policy: Policy
    found: ObservedContainer | None


def steps_to_run(pod: PodView, images: Collection[str], ran_before: bool, desired: Desired) -> Steps:
    """Everything that is missing, in order. Nothing while a container is being removed: its name is taken."""
    spec = pod.intent.spec
    if pod.running or pod.finished or any(part.state == "removing" for part in pod.containers.values()):
        return NO_STEPS
    if spec is None:
        return _revive(pod.containers)
    parts = _parts(pod.intent, spec, pod.containers, desired)
    stops: list[Operation] = []
    if has_sandbox(spec):
        stops, parts = _rejoin(parts, spec.termination_grace_period_seconds)
    created = [part for part in parts if part.found is None or part.found.state == "dead"]
    if any(part.policy == "Never" and not is_present(part.config.image, images) for part in created):
        return NO_STEPS
    pulls = {part.config.image: None for part in created if must_pull(part.config.image, part.policy, images)}
    operations = [*stops, *(PullImage(image) for image in pulls)]
    for part in parts:
        operations += _bring_up(part, pod.uid, spec.restart_policy)
    if not operations:
        return NO_STEPS
    return Steps(tuple(operations), _repair(pod, ran_before))


def missing_image(pod: PodView, images: Collection[str]) -> str:
    """The image that keeps a pod from being created, because its policy is never to pull it."""
    for container in pod.intent.spec.containers if pod.intent.spec else ():
        if container.image_pull_policy == "Never" and not is_present(container.image, images):
            return container.image
    return ""


def steps_to_leave(containers: Containers, spec: PodSpec | None) -> tuple[Operation, ...]:
    """Stop the app containers, then the sandbox they live in; then remove them all."""
    grace = spec.termination_grace_period_seconds if spec else _DEFAULT_GRACE_SECONDS
    there = [part for part in in_order(containers) if part.state != "removing"]
    stops = [operation for part in there for operation in _stop(part, grace)]
    return (*stops, *(RemoveContainer(part.name, part.uid) for part in there))


def in_order(containers: Containers) -> Sequence[ObservedContainer]:
    """App containers by name, the sandbox last."""
    return sorted(containers.values(), key=lambda part: (part.container == SANDBOX, part.container))


def _parts(intent: PodIntent, spec: PodSpec, found: Containers, desired: Desired) -> list[_Part]:
    """The sandbox first, where there is one; then the containers as the manifest orders them."""
    apps = [
        _Part(container_config(intent, spec, one, desired), one.image_pull_policy, found.get(one.name))
        for one in spec.containers
    ]
    if not has_sandbox(spec):
        return apps
    return [_Part(sandbox_config(intent, spec, desired), "IfNotPresent", found.get(SANDBOX)), *apps]


def _rejoin(parts: list[_Part], grace: int) -> tuple[list[Operation], list[_Part]]:
    """A sandbox that stopped took its network namespace with it: whoever shared that must join the next one.

    Gone for good: its apps know it by its id, so they are made anew too. Stopped, or started again by Docker
    before we saw it: starting them again is enough.
    """
    sandbox, *apps = parts
    alive = [part.found for part in apps if part.found is not None and part.found.state in _ALIVE]
    if sandbox.found is not None and sandbox.found.state in _ALIVE:
        alive = [found for found in alive if left_behind(found, {SANDBOX: sandbox.found})]
    stops = [operation for found in alive for operation in _stop(found, grace)]
    if sandbox.found is not None and sandbox.found.state != "dead":
        stopped = [
            _Part(part.config, part.policy, _as_created(part.found) if part.found in alive else part.found)
            for part in apps
        ]
        return stops, [sandbox, *stopped]
    removals = [RemoveContainer(part.found.name, part.found.uid) for part in apps if part.found is not None]
    return [*stops, *removals], [sandbox, *(_Part(part.config, part.policy, None) for part in apps)]


def _as_created(found: ObservedContainer | None) -> ObservedContainer | None:
    """Stopped a moment ago by us: to be started whatever its restart policy says."""
    return replace(found, state="created") if found else None


def _bring_up(part: _Part, uid: str, policy: RestartPolicy) -> Sequence[Operation]:
    name = part.config.name
    if part.found is None:
        return CreateContainer(part.config), StartContainer(name)
    match part.found.state:
        case "dead":
            return RemoveContainer(name, uid), CreateContainer(part.config), StartContainer(name)
        case "created":
            return (StartContainer(name),)
        case "exited":
            return (StartContainer(name),) if _starts_again(policy, part.found.exit_code) else ()
        case "paused":
            return (UnpauseContainer(name),)
        case _:
            return ()


def _starts_again(policy: RestartPolicy, exit_code: int) -> bool:
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def _revive(containers: Containers) -> Steps:
    """An adopted pod whose template is not known: it can be started again, not made again."""
    operations: list[Operation] = []
    for part in reversed(in_order(containers)):
        if part.state == "paused":
            operations.append(UnpauseContainer(part.name))
        elif part.state in ("created", "exited"):
            operations.append(StartContainer(part.name))
    return Steps(tuple(operations), "a container is not running") if operations else NO_STEPS


def _stop(part: ObservedContainer, grace: int) -> Sequence[Operation]:
    if part.state not in _ALIVE:
        return ()
    stop = StopContainers((ContainerStop(part.name),), 0 if part.container == SANDBOX else grace)
    return (UnpauseContainer(part.name), stop) if part.state == "paused" else (stop,)


def _repair(pod: PodView, ran_before: bool) -> str:
    """Why a pod that had run is worked on again."""
    for part in in_order(pod.containers):
        if part.state in _TROUBLE:
            return f"container {part.container} {_TROUBLE[part.state].format(part.exit_code)}"
        if left_behind(part, pod.containers):
            return f"container {part.container} is in the network that its sandbox had before it was restarted"
    return "a container of it is gone" if ran_before else ""


_TROUBLE: Mapping[ContainerState, str] = {
    "exited": "exited with code {}",
    "paused": "is paused",
    "dead": "is dead",
}
