"""The work of this moment: for each pod what its node is asked to do, unless something must be waited for."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from reconciler.model.desired import Desired
from reconciler.model.memory import Backoff, Crashes
from reconciler.model.names import Ref, Uid
from reconciler.model.operations import PodWork
from reconciler.model.plan import Action, PodChange
from reconciler.planning.decided import Decided
from reconciler.planning.kubelet.draining import Rotation, held_until
from reconciler.planning.kubelet.sync_pod import PodActions, PodContext, steps_to_run
from reconciler.planning.kubelet.termination import steps_to_end, steps_to_leave
from reconciler.planning.progress import Progress
from reconciler.planning.state.adoption import Stray
from reconciler.planning.state.pods import PodView
from reconciler.planning.world import World

_NO_CRASHES: Mapping[str, Crashes] = {}
_NO_FAILURES: Mapping[str, Backoff] = {}


class PodSync(Struct, frozen=True):
    """What nodes are asked to do for pods at one moment."""

    work: tuple[PodWork, ...] = ()
    changes: tuple[PodChange, ...] = ()
    """The changes of pods that had run and are worked on again."""
    due: tuple[tuple[Ref, float], ...] = ()
    """When there may be more to do, and for whom: the owner of a pod, or what belongs to no pod."""


def sync_pods(world: World, decided: Decided, progress: Progress) -> PodSync:
    """Find for each pod what its node is asked to do now."""
    known_ready, renamed = world.memory.ready_since, world.adopted.renamed
    work: list[PodWork] = []
    changes: list[PodChange] = []
    due: list[tuple[Ref, float]] = []
    for pod in decided.pods.values():
        answers, uid = pod.node.answers, pod.uid
        misnamed = uid in renamed and pod.intent.wanted == "run"
        if pod.intent.succeeded_by and pod.intent.wanted == "run":
            continue  # It stays as it is: the ConfigMaps that it was made with may be gone, too.
        if answers is None or uid in answers.busy or (_is_as_it_should(pod, progress) and not misnamed):
            continue
        until = _waits(pod, world.rotation, progress)
        if until is not None:
            due.append((pod.owner, until))
            continue
        if misnamed:
            steps = PodActions(renamed[uid], "a container of it was renamed by hand")
        else:
            steps = _steps(pod, uid in known_ready, world.desired, progress)
        if steps.wake_at is not None:
            due.append((pod.owner, steps.wake_at))
        if steps.operations:
            work.append(PodWork(pod.node.name, pod.intent.ref, uid, steps.operations))
        if steps.repairs:
            changes.append(_restart(pod, steps.repairs, world.desired))
    return PodSync(tuple(sorted(work, key=_where)), tuple(sorted(changes, key=_which)), tuple(due))


def removal_of(strays: Sequence[Stray], world: World, progress: Progress, reason: str) -> PodSync:
    """Takes away containers of ours that belong to no pod of their node: those of a uid on one node at a time."""
    groups: dict[tuple[str, Ref, Uid, str], list[Stray]] = {}
    for stray in strays:
        one = stray.container
        groups.setdefault((stray.node, Ref("Pod", one.namespace, one.pod), one.uid, one.owner), []).append(stray)
    work, changes, due = [], [], []
    begun: set[Uid] = set()
    for (node, pod, uid, _), group in groups.items():
        answers = world.nodes[node].answers
        if answers is None or uid in answers.busy or uid in begun:
            continue
        backoff = progress.backoffs.get(uid)
        if backoff is not None and progress.now < backoff.not_before:
            due.append((pod, backoff.not_before))
            continue
        containers = {stray.container.name: stray.container for stray in group}
        operations = steps_to_leave(containers, None, has_files=False)
        if operations:
            begun.add(uid)
            work.append(PodWork(node, pod, uid, operations))
            changes.append(PodChange(Action.DELETE, pod, uid, node, reason))
    return PodSync(tuple(work), tuple(changes), tuple(due))


def _waits(pod: PodView, rotation: Rotation, progress: Progress) -> float | None:
    backoff = progress.backoffs.get(pod.uid)
    if backoff is not None and progress.now < backoff.not_before:
        return backoff.not_before
    if pod.intent.wanted == "run":
        return None
    return held_until(pod, rotation, progress.leaving[pod.uid], progress.now)


def _is_as_it_should(pod: PodView, progress: Progress) -> bool:
    """At a glance: it runs, is not watched for crashes, and has no files that may have changed."""
    if not pod.running or pod.shape.mounting or pod.intent.wanted != "run" or pod.finished:
        return False
    return not pod.unlike and pod.uid not in progress.crashes


def _steps(pod: PodView, ran_before: bool, desired: Desired, progress: Progress) -> PodActions:
    answers, intent = pod.node.answers, pod.intent
    if answers is None:
        return PodActions()
    if intent.wanted == "leave":
        return PodActions(steps_to_leave(pod.containers, intent, has_files=pod.uid in answers.directories))
    if pod.finished:
        return PodActions(steps_to_end(pod.containers, intent))
    if not answers.network.fingerprint:
        return PodActions()
    crashes, failures = progress.crashes.get(pod.uid, _NO_CRASHES), progress.failures.get(pod.uid, _NO_FAILURES)
    moment = PodContext(answers, crashes, failures, ran_before, progress.now)
    return steps_to_run(pod, moment, desired)


def _restart(pod: PodView, why: str, desired: Desired) -> PodChange:
    intent, place = pod.intent, desired.places.get(pod.owner)
    return PodChange(Action.RESTART, intent.ref, pod.uid, intent.node, why, intent.owner, place=place)


def _where(work: PodWork) -> tuple[str, Ref]:
    return work.node, work.pod


def _which(change: PodChange) -> Ref:
    return change.pod
