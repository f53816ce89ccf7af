"""The kubelet's part: which container operations a pod needs now, from what is seen of it.

Level-triggered: whatever happened before, a crash, a removal by hand or a lost reply, the next look heals it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import Backoff, Crashes, PodIntent
from reconciler.model.names import SANDBOX
from reconciler.model.observed import DockerState, ObservedContainer, Reachable
from reconciler.model.operations import (
    CreateContainer,
    HoldContainer,
    Operation,
    PullImage,
    RemoveContainer,
    SetRestartPolicy,
    StartContainer,
    UnpauseContainer,
)
from reconciler.planning.kubelet.backoff import image_key
from reconciler.planning.kubelet.changed_by_hand import attachment, is_detached, not_attached, put_back
from reconciler.planning.kubelet.container_config import (
    container_config,
    has_sandbox,
    name_of,
    pull_of,
    restart_policy_of,
    sandbox_config,
)
from reconciler.planning.kubelet.image_policy import is_present, must_pull
from reconciler.planning.kubelet.lifecycle_hooks import hook_of
from reconciler.planning.kubelet.termination import hooks_of, in_order, stop
from reconciler.planning.kubelet.volumes import directories, stale_files
from reconciler.planning.state.pod_containers import (
    ALIVE,
    Containers,
    has_done_its_work,
    is_done,
    left_behind,
    mains_have_begun,
    sidecars_of,
)
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.readiness import has_started
from reconciler.planning.state.restarts import delay_of, trusted_at


class PodActions(Struct, frozen=True):
    operations: tuple[Operation, ...] = ()
    repairs: str = ""
    """What went wrong with a pod that had run, in words; empty where this is its first start."""
    wake_at: float | None = None
    """When a container that crashed may be started again, or left to Docker again; monotonic seconds."""


NO_ACTIONS = PodActions()


class PodContext(NamedTuple):
    """What the steps of a pod follow from, beside how it stands."""

    node: Reachable
    crashes: Mapping[str, Crashes]
    failures: Mapping[str, Backoff]
    """What of it is held off, by container or image."""
    ran_before: bool
    now: float


def steps_to_run(pod: PodView, moment: PodContext, desired: Desired) -> PodActions:
    """Everything that is missing, in order; what is held off is left out, and the rest does not wait for it."""
    spec = pod.intent.spec
    if spec is None:
        return NO_ACTIONS if pod.running else _revive(pod.containers, _Held(moment))
    if pod.running:
        node = moment.node
        due = (*sidecars_of(spec), *spec.containers)
        files = stale_files(pod.intent, spec, desired, node.files, node.facts, due)
        watch, held = _Watch(spec, moment), _Held(moment)
        policies = [
            operation
            for one in due
            for operation in watch.over(one, pod.containers[one.name])
            if not held.holds(one.name)
        ]
        pids = desired.cluster.spec.pod_limits.pids
        mending, wrong = put_back(pod.containers, pod.shape, pod.intent, pids)
        return PodActions((*files, *policies, *mending), wrong, _earlier(watch.wake_at, held.wake_at))
    return _Start(pod, spec, moment, desired).steps()


class _Held:
    """What failed a moment ago and is not tried again yet: containers by their names, images by theirs."""

    def __init__(self, moment: PodContext) -> None:
        self._failures = moment.failures
        self._now = moment.now
        self.wake_at: float | None = None

    def holds(self, key: str) -> bool:
        failed = self._failures.get(key)
        if failed is None or self._now >= failed.not_before:
            return False
        self.wake_at = _earlier(self.wake_at, failed.not_before)
        return True


class _Watch:
    """Over containers that crash: we start them again, when their time has come; Docker may do so again, at once,
    when they have run well for a while. (Docker would begin with a tenth of a second after each start of ours.)"""

    def __init__(self, spec: PodSpec, moment: PodContext) -> None:
        self._spec = spec
        self._crashes = moment.crashes
        self._now = moment.now
        self.wake_at: float | None = None

    def holds(self, found: ObservedContainer) -> bool:
        """It has crashed, and its time to start again has not come."""
        held = self._crashes.get(found.container)
        return held is not None and found.state in ("restarting", "exited") and self._is_before(held.not_before)

    def over(self, one: Container, found: ObservedContainer) -> Sequence[Operation]:
        """What Docker is to do when it ends, where that is something else than what it would do now."""
        policy = restart_policy_of(one, self._spec)
        held = self._crashes.get(one.name)
        if policy != "Never" and held is not None and self._is_before(trusted_at(held)):
            policy = "Never"
        return () if found.restart_policy in (None, policy) else (SetRestartPolicy(found.name, policy),)

    def over_start(self, one: Container, name: str, found: ObservedContainer | None) -> Sequence[Operation]:
        """The same before a start; `found`: None for one that is made anew."""
        held = self._crashes.get(one.name)
        policy = restart_policy_of(one, self._spec) if found is None else found.restart_policy
        loops = held is not None and delay_of(held.failures) > 0
        return (SetRestartPolicy(name, "Never"),) if loops and policy != "Never" else ()

    def _is_before(self, moment: float) -> bool:
        if self._now >= moment:
            return False
        self.wake_at = _earlier(self.wake_at, moment)
        return True


class _Start:
    """One pod that does not run, or not all of it, at one moment."""

    def __init__(self, pod: PodView, spec: PodSpec, moment: PodContext, desired: Desired) -> None:
        self._pod = pod
        self._intent: PodIntent = pod.intent
        self._spec = spec
        self._moment = moment
        self._desired = desired
        self._found = {name: _settled(found) for name, found in pod.containers.items()}
        self._known = pod.told.runs
        self._renewed = False
        """The sandbox is started by these very steps: everything begins anew in it."""
        self._again: set[str] = set()
        """Stopped by these very steps: to be started whatever the restart policy says."""
        self._repairs = ""
        self._watch = _Watch(spec, moment)
        self._held = _Held(moment)
        self._pulled: set[str] = set()

    def steps(self) -> PodActions:
        settling = [*(self._settle_sandbox() if has_sandbox(self._spec) else ()), *self._settle_mounts()]
        due = self._due()
        starts = [operation for one in due for operation in self._bring_up(one)]
        sandbox = self._bring_up_sandbox() if has_sandbox(self._spec) else []
        operations = (*settling, *self._prepared(due, starts), *sandbox, *starts)
        wake_at = _earlier(self._watch.wake_at, self._held.wake_at)
        return PodActions(operations, self._repairs if operations else "", wake_at)

    # --- the sandbox ------------------------------------------------------------------------------------------

    def _settle_sandbox(self) -> list[Operation]:
        """A sandbox that stopped took its network namespace with it: whoever shared that must join the next one.

        Gone for good: its containers know it by its id, so they are made anew too. Stopped, or started again by
        Docker before we saw it: starting them again is enough.
        """
        sandbox = self._found.get(SANDBOX)
        others = [found for found in in_order(self._found, self._intent) if found.container != SANDBOX]
        alive = [found for found in others if found.state in ALIVE]
        if sandbox is not None and sandbox.state in ALIVE:
            alive = [found for found in alive if left_behind(found, self._pod.containers, self._known)]
            if alive:
                where = "is in the network that its sandbox had before it was restarted"
                self._repairs = f"container {alive[0].container} {where}"
        else:
            self._renewed = True
        self._again = {found.container for found in alive}
        grace = self._spec.termination_grace_period_seconds
        stops = list(stop(alive, hooks_of(self._intent), grace))
        if not self._renewed or (sandbox is not None and sandbox.state != "dead"):
            return stops
        gone = [found for found in others if not self._is_over(found)]
        for found in gone:
            del self._found[found.container]
        return [*stops, *(RemoveContainer(found.name, found.uid) for found in gone)]

    def _settle_mounts(self) -> Sequence[Operation]:
        """Docker looks up what a container mounts whenever it starts it."""
        found = [one for one in in_order(self._found, self._intent) if one.detached and one.state in ALIVE]
        stale = [one for one in found if one.container not in self._again]
        if stale:
            self._explain(
                f"container {stale[0].container} has what is not on the host any more at {stale[0].detached}"
            )
        self._again |= {one.container for one in stale}
        return stop(stale, hooks_of(self._intent), self._spec.termination_grace_period_seconds)

    def _is_over(self, found: ObservedContainer) -> bool:
        """A main container that has ended, and is not to run again in this pod."""
        policy = self._spec.restart_policy
        if found.state != "exited" or not any(one.name == found.container for one in self._spec.containers):
            return False
        return policy == "Never" or (policy == "OnFailure" and found.exit_code == 0)

    def _bring_up_sandbox(self) -> Sequence[Operation]:
        found = self._found.get(SANDBOX)
        if found is not None and found.state in ("exited", "paused"):
            self._explain(_trouble(found))
        elif found is None and self._moment.ran_before:
            self._explain("a container of it is gone")
        name = name_of(self._intent, SANDBOX, self._desired)
        match found.state if found else None:
            case None | "dead":
                removal = [RemoveContainer(name, self._intent.uid)] if found else []
                config = sandbox_config(self._intent, self._spec, self._desired)
                pulls = [] if is_present(config.image, self._moment.node.images) else [PullImage(config.image)]
                return [*pulls, *removal, CreateContainer(config), StartContainer(name)]
            case "created" | "exited":
                return [StartContainer(name)]
            case "paused":
                return [UnpauseContainer(name)]
            case _ if found is not None and is_detached(self._pod.containers, self._pod.shape, self._intent):
                self._explain(not_attached(found, self._intent))
                return [attachment(found, self._intent)]
            case _:
                return []

    # --- what may run now ---------------------------------------------------------------------------------------

    def _due(self) -> Sequence[Container]:
        """The containers that may be up now, in the order of their start."""
        spec = self._spec
        if not spec.init_containers:
            return spec.containers
        if not self._renewed and self._mains_have_begun():
            return [*sidecars_of(spec), *spec.containers]
        due: list[Container] = []
        for one in spec.init_containers:
            if is_sidecar(one):
                due.append(one)
                if not self._lets_go_on(one):
                    return due
            elif self._renewed or not self._is_done(one):
                return [*due, one]
        return [*due, *spec.containers]

    def _mains_have_begun(self) -> bool:
        return mains_have_begun(self._spec, self._found, self._known, sandbox_needed=has_sandbox(self._spec))

    def _is_done(self, one: Container) -> bool:
        return is_done(self._found.get(one.name), self._found.get(SANDBOX), self._known)

    def _lets_go_on(self, sidecar: Container) -> bool:
        """It has started, or will have with these steps."""
        found = self._found.get(sidecar.name)
        if found is not None and self._watch.holds(found):
            return False
        if (found is None or found.state not in ALIVE) and self._is_held_off(sidecar):
            return False
        if sidecar.startup_probe is None:
            return True
        return not self._renewed and has_started(sidecar, found, self._pod.told)

    # --- one container ------------------------------------------------------------------------------------------

    def _is_held_off(self, one: Container) -> bool:
        """It failed, or its image could not be pulled, or never will be."""
        if self._held.holds(one.name):
            return True
        found, present = self._found.get(one.name), self._moment.node.images
        if found is not None and found.state != "dead":
            return False
        if one.image_pull_policy == "Never":
            return not is_present(one.image, present)
        needed = must_pull(one.image, one.image_pull_policy, present)
        return needed and self._held.holds(image_key(one.image))

    def _pull(self, one: Container) -> Sequence[Operation]:
        """Each image once."""
        if one.image in self._pulled or not must_pull(one.image, one.image_pull_policy, self._moment.node.images):
            return []
        self._pulled.add(one.image)
        return [pull_of(one.image, self._intent, self._spec, self._desired)]

    def _prepared(self, due: Sequence[Container], starts: Sequence[Operation]) -> Sequence[Operation]:
        """What the containers that may run now mount."""
        intent, spec = self._intent, self._spec
        if not spec.volumes:
            return ()
        node = self._moment.node
        files = stale_files(intent, spec, self._desired, node.files, node.facts, due)
        return (*files, *(directories(spec, intent) if starts else ()))

    def _bring_up(self, one: Container) -> Sequence[Operation]:
        if self._is_held_off(one):
            return ()
        found = self._found.get(one.name)
        name = name_of(self._intent, one.name, self._desired)
        if found is None:
            if self._moment.ran_before:
                self._explain("a container of it is gone")
            return *self._pull(one), self._create(one), *self._start(one, name, None)
        if one.name in self._again:
            return self._start(one, name, found)
        match found.state:
            case "dead":
                self._explain(_trouble(found))
                removal = RemoveContainer(name, self._intent.uid)
                return *self._pull(one), removal, self._create(one), *self._start(one, name, None)
            case "created":
                return self._start(one, name, found)
            case "paused":
                self._explain(_trouble(found))
                return (UnpauseContainer(name),)
            case "restarting":
                return (*self._watch.over(one, found), HoldContainer(name)) if self._watch.holds(found) else ()
            case "running":
                return self._watch.over(one, found)
            case "exited":
                return self._start_again(one, found, name)
            case _:
                return ()

    def _start_again(self, one: Container, found: ObservedContainer, name: str) -> Sequence[Operation]:
        if self._is_over(found) or self._watch.holds(found):
            return ()
        if found.exit_code != 0 or one not in self._spec.init_containers or is_sidecar(one):
            self._explain(_trouble(found))
        return self._start(one, name, found)

    def _create(self, one: Container) -> Operation:
        facts = self._moment.node.facts
        return CreateContainer(container_config(self._intent, self._spec, one, self._desired, facts))

    def _start(self, one: Container, name: str, found: ObservedContainer | None) -> Sequence[Operation]:
        hook = one.lifecycle.post_start
        start = StartContainer(name, hook_of(hook, one, self._intent) if hook else None)
        return *self._watch.over_start(one, name, found), start

    def _explain(self, why: str) -> None:
        self._repairs = self._repairs or why


def _settled(found: ObservedContainer) -> ObservedContainer:
    """One that is being removed is as good as dead: its removal is waited for, and then another one made."""
    return replace(found, state="dead") if found.state == "removing" else found


def _revive(containers: Containers, held: _Held) -> PodActions:
    """An adopted pod whose template is not known: it can be started again, not made again."""
    operations: list[Operation] = []
    for found in reversed(in_order(containers)):
        if held.holds(found.container):
            continue
        if found.state == "paused":
            operations.append(UnpauseContainer(found.name))
        elif found.state in ("created", "exited") and not has_done_its_work(found):
            operations.append(StartContainer(found.name))
    repairs = "a container is not running" if operations else ""
    return PodActions(tuple(operations), repairs, held.wake_at)


def _earlier(one: float | None, other: float | None) -> float | None:
    return other if one is None or (other is not None and other < one) else one


def _trouble(found: ObservedContainer) -> str:
    """Why a container is worked on again."""
    return f"container {found.container} {_TROUBLE[found.state].format(found.exit_code)}"


_TROUBLE: Final[Mapping[DockerState, str]] = {
    "exited": "exited with code {}",
    "paused": "is paused",
    "dead": "is dead",
}
