"""The work of this moment: for each pod what its node is asked to do, unless something must be waited for."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from reconciler.model.desired import Desired
from reconciler.model.memory import Backoff, Crashes, Leaving, Runs
from reconciler.model.names import Ref, Uid
from reconciler.model.operations import PodWork, RenameContainer
from reconciler.model.plan import Action, PodChange
from reconciler.planning.kubelet.draining import Rotation, held_until
from reconciler.planning.kubelet.sync_pod import Moment, Steps, steps_to_run
from reconciler.planning.kubelet.termination import steps_to_end, steps_to_leave
from reconciler.planning.state.adoption import Stray
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pods import PodView

_NO_CRASHES: Mapping[str, Crashes] = {}
_NO_FAILURES: Mapping[str, Backoff] = {}


class Clocks(Struct, frozen=True):
    """What has been going on since when, in monotonic seconds, and how often."""

    now: float
    ready_since: Mapping[Uid, float]
    leaving: Mapping[Uid, Leaving]
    backoffs: Mapping[Uid, Backoff]
    failures: Mapping[Uid, Mapping[str, Backoff]]
    runs: Mapping[Uid, Mapping[str, Runs]]
    crashes: Mapping[Uid, Mapping[str, Crashes]]
    started: Mapping[Uid, float]


class Works(Struct, frozen=True):
    work: tuple[PodWork, ...] = ()
    changes: tuple[PodChange, ...] = ()
    """Of pods that had run and are worked on again."""
    due: tuple[tuple[Ref, float], ...] = ()
    """When there may be more to do, and for whom: the owner of a pod, or what belongs to no pod."""


def works_of(
    pods: Iterable[PodView],
    known_ready: Mapping[Uid, float],
    rotation: Rotation,
    clocks: Clocks,
    desired: Desired,
    renamed: Mapping[Uid, tuple[RenameContainer, ...]],
) -> Works:
    """`known_ready` are the pods that were ready before this look."""
    work: list[PodWork] = []
    changes: list[PodChange] = []
    due: list[tuple[Ref, float]] = []
    for pod in pods:
        answers, uid = pod.node.answers, pod.uid
        misnamed = uid in renamed and pod.intent.wanted == "run"
        if pod.intent.succeeded_by and pod.intent.wanted == "run":
            continue  # It stays as it is: the ConfigMaps that it was made with may be gone, too.
        if answers is None or uid in answers.busy or (_is_as_it_should(pod, clocks) and not misnamed):
            continue
        until = _waits(pod, rotation, clocks)
        if until is not None:
            due.append((pod.owner, until))
            continue
        if misnamed:
            steps = Steps(renamed[uid], "a container of it was renamed by hand")
        else:
            steps = _steps(pod, uid in known_ready, desired, clocks)
        if steps.wake_at is not None:
            due.append((pod.owner, steps.wake_at))
        if steps.operations:
            work.append(PodWork(pod.node.name, pod.intent.ref, uid, steps.operations))
        if steps.repairs:
            changes.append(_restart(pod, steps.repairs, desired))
    return Works(tuple(sorted(work, key=_where)), tuple(sorted(changes, key=_which)), tuple(due))


def removal_of(strays: Sequence[Stray], nodes: Mapping[str, NodeView], clocks: Clocks, reason: str) -> Works:
    """Takes away containers of ours that belong to no pod of their node: those of a uid on one node at a time."""
    groups: dict[tuple[str, Ref, Uid, str], list[Stray]] = {}
    for stray in strays:
        one = stray.container
        groups.setdefault((stray.node, Ref("Pod", one.namespace, one.pod), one.uid, one.owner), []).append(stray)
    work, changes, due = [], [], []
    begun: set[Uid] = set()
    for (node, pod, uid, _), group in groups.items():
        answers = nodes[node].answers
        if answers is None or uid in answers.busy or uid in begun:
            continue
        backoff = clocks.backoffs.get(uid)
        if backoff is not None and clocks.now < backoff.not_before:
            due.append((pod, backoff.not_before))
            continue
        containers = {stray.container.name: stray.container for stray in group}
        operations = steps_to_leave(containers, None, has_files=False)
        if operations:
            begun.add(uid)
            work.append(PodWork(node, pod, uid, operations))
            changes.append(PodChange(Action.DELETE, pod, uid, node, reason))
    return Works(tuple(work), tuple(changes), tuple(due))


def _waits(pod: PodView, rotation: Rotation, clocks: Clocks) -> float | None:
    backoff = clocks.backoffs.get(pod.uid)
    if backoff is not None and clocks.now < backoff.not_before:
        return backoff.not_before
    if pod.intent.wanted == "run":
        return None
    return held_until(pod, rotation, clocks.leaving[pod.uid], clocks.now)


def _is_as_it_should(pod: PodView, clocks: Clocks) -> bool:
    """At a glance: it runs, is not watched for crashes, and has no files that may have changed."""
    if not pod.running or pod.shape.mounting or pod.intent.wanted != "run" or pod.finished:
        return False
    return not pod.unlike and pod.uid not in clocks.crashes


def _steps(pod: PodView, ran_before: bool, desired: Desired, clocks: Clocks) -> Steps:
    answers, intent = pod.node.answers, pod.intent
    if answers is None:
        return Steps()
    if intent.wanted == "leave":
        return Steps(steps_to_leave(pod.containers, intent, has_files=pod.uid in answers.directories))
    if pod.finished:
        return Steps(steps_to_end(pod.containers, intent))
    if not answers.network.fingerprint:
        return Steps()
    crashes, failures = clocks.crashes.get(pod.uid, _NO_CRASHES), clocks.failures.get(pod.uid, _NO_FAILURES)
    moment = Moment(answers, crashes, failures, ran_before, clocks.now)
    return steps_to_run(pod, moment, desired)


def _restart(pod: PodView, why: str, desired: Desired) -> PodChange:
    intent, place = pod.intent, desired.places.get(pod.owner)
    return PodChange(Action.RESTART, intent.ref, pod.uid, intent.node, why, intent.owner, place=place)


def _where(work: PodWork) -> tuple[str, Ref]:
    return work.node, work.pod


def _which(change: PodChange) -> Ref:
    return change.pod
