"""How a pod's containers are stopped: the main ones all at once, then the sidecars, then the sandbox.

Rule: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from collections.abc import Iterable, Mapping, Sequence

from reconciler.model.memory import PodIntent
from reconciler.model.names import SANDBOX
from reconciler.model.observed import ObservedContainer
from reconciler.model.operations import (
    ContainerStop,
    Operation,
    RemoveContainer,
    RemoveFiles,
    StopContainers,
    UnpauseContainer,
)
from reconciler.model.probes import Hook
from reconciler.planning.kubelet.lifecycle_hooks import hook_of
from reconciler.planning.state.pod_containers import ALIVE, Containers, lasting, sidecars_of

_DEFAULT_GRACE_SECONDS = 30


def steps_to_leave(containers: Containers, intent: PodIntent | None, *, has_files: bool) -> tuple[Operation, ...]:
    """Stop what runs, in order; then remove it all, and the pod's files and directories with it."""
    there = in_order(containers, intent)
    removals: list[Operation] = [RemoveContainer(found.name, found.uid) for found in there]
    if has_files and intent is not None and len(there) == len(containers):
        removals.append(RemoveFiles(intent.uid))
    return (*steps_to_end(containers, intent), *removals)


def steps_to_end(containers: Containers, intent: PodIntent | None) -> tuple[Operation, ...]:
    """Stop what runs, in order. The grace period, of all of it together, is the pod's."""
    spec = intent.spec if intent else None
    grace = spec.termination_grace_period_seconds if spec else _DEFAULT_GRACE_SECONDS
    hooks = hooks_of(intent)
    operations: list[Operation] = []
    for group in _groups(containers, intent):
        operations += stop(group, hooks, 0 if group[0].container == SANDBOX else grace)
    return tuple(operations)


def stop(group: Sequence[ObservedContainer], hooks: Mapping[str, Hook], grace: int) -> Sequence[Operation]:
    """Stop these containers at the same time. A paused container hears no signal: it goes on first."""
    alive = [found for found in group if found.state in ALIVE]
    if not alive:
        return ()
    paused = [UnpauseContainer(found.name) for found in alive if found.state == "paused"]
    stops = tuple(ContainerStop(found.name, hooks.get(found.container)) for found in alive)
    return (*paused, StopContainers(stops, grace))


def hooks_of(intent: PodIntent | None) -> Mapping[str, Hook]:
    """What is done before each container's stop."""
    if intent is None or intent.spec is None:
        return {}
    return {
        one.name: hook_of(one.lifecycle.pre_stop, one, intent)
        for one in lasting(intent.spec)
        if one.lifecycle.pre_stop is not None
    }


def in_order(containers: Containers, intent: PodIntent | None = None) -> list[ObservedContainer]:
    """Return the containers of a pod in the order in which they are stopped."""
    return [found for group in _groups(containers, intent) for found in group]


def _groups(containers: Containers, intent: PodIntent | None) -> Iterable[Sequence[ObservedContainer]]:
    spec = intent.spec if intent else None
    sidecars = [one.name for one in reversed(sidecars_of(spec))] if spec else []
    last = {*sidecars, SANDBOX}
    mains = [found for _, found in sorted(containers.items()) if found.container not in last]
    others = [[found for found in containers.values() if found.container == name] for name in (*sidecars, SANDBOX)]
    return [group for group in (mains, *others) if group]
