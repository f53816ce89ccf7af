"""Pods that have run to their end: remembered, so that they never run again, whatever becomes of their containers.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and, for the deadline,
https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup
"""

from collections.abc import Container, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import SANDBOX, Ref, Uid
from reconciler.planning.state.pod_containers import has_begun
from reconciler.planning.state.pods import PodView

DEADLINE_EXCEEDED = "DeadlineExceeded"


class Completions(NamedTuple):
    pods: Mapping[Uid, PodView]
    """The mapping given, itself, where none has ended just now."""
    started: Mapping[Uid, float]
    """When each pod with a deadline was first seen to run; the mapping remembered where that is unchanged."""
    due: tuple[tuple[Ref, float], ...] = ()
    """The deadlines to come, and the owner of the pod that has each."""


def with_ends(pods: Mapping[Uid, PodView], memory: Memory, now: float) -> Completions:
    """Return the pods, with its end for each that has run to it. Only what a node says now ends a pod, and nothing
    that we are in the middle of.
    """
    ended: dict[Uid, PodView] = {}
    started: dict[Uid, float] = {}
    due: list[tuple[Ref, float]] = []
    for uid, pod in pods.items():
        intent, answers = pod.intent, pod.node.answers
        if intent.ended:
            continue
        if pod.finished:
            if answers is not None and uid not in answers.busy:
                ended[uid] = replace(pod, intent=replace(intent, ended=pod.finished))
        elif (seconds := pod.shape.deadline) is not None:
            since = memory.started.get(uid, now if _has_started(pod) else None)
            if since is None:
                continue
            started[uid] = since
            if now < since + seconds:
                due.append((pod.owner, since + seconds))
            elif answers is not None and intent.wanted == "run":
                ended[uid] = _killed(pod)
    same = started == memory.started
    return Completions({**pods, **ended} if ended else pods, memory.started if same else started, tuple(due))


def done_elsewhere(
    desired: Desired, pods: Mapping[Uid, PodIntent], nodes: Container[str]
) -> Mapping[Uid, PodIntent]:
    """Bare pods of this revision that ran to their end on a node it does not have: they do not begin again."""
    return {
        uid: intent
        for uid, intent in pods.items()
        if intent.node not in nodes
        and is_done_for_good(intent)
        and (template := desired.templates.get(intent.ref)) is not None
        and template.hash == intent.hash
    }


def is_done_for_good(intent: PodIntent) -> bool:
    """A bare pod that ran to its end, and that nothing is to take the place of."""
    return bool(intent.ended) and intent.owner is None and intent.wanted == "run"


def _has_started(pod: PodView) -> bool:
    return any(has_begun(found) for name, found in pod.containers.items() if name != SANDBOX)


def _killed(pod: PodView) -> PodView:
    intent = replace(pod.intent, ended="Failed", end_reason=DEADLINE_EXCEEDED)
    return replace(pod, intent=intent, finished="Failed", healthy=False, ready=False, proven=False, serving=False)
