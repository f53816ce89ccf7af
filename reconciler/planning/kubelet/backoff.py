"""When a step that failed is tried again: longer after each failure, and not for all pods at the same moment.

What failed of one container, or of an image, holds off that one alone: the pod's others are started as ever.

The control loop calls `after_failure` and `after_success` with the outcome of each PodWork.
Rule for images: https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
"""

import zlib
from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.model.memory import Backoff, Memory
from reconciler.model.names import SANDBOX, Uid
from reconciler.model.operations import (
    CreateContainer,
    Operation,
    Outcome,
    PullImage,
    RemoveVolume,
    SetRestartPolicy,
    StartContainer,
    StopContainers,
    UnpauseContainer,
)
from reconciler.planning.allocation.identity import container_of

STEP_SECONDS = (1.0, 60.0)
"""First delay and longest one of a failed Docker call."""
PULL_SECONDS = (5.0, 300.0)
"""The same for an image that could not be pulled."""
_JITTER = 0.1
"""At most this part of a delay is added."""


def after_failure(memory: Memory, outcome: Outcome, now: float) -> Memory:
    """Hold the pod's next step off. A lost reply counts too: observing again shows what was done."""
    uid, key = outcome.work.uid, _holds_off(outcome)
    known = memory.failures.get(uid, {})
    earlier = known.get(key) if key else memory.backoffs.get(uid)
    failures = (earlier.failures if earlier else 0) + 1
    delay = _delay(outcome, failures) * (1 + _JITTER * _fraction(uid, failures))
    backoff = Backoff(failures, now + delay, outcome.message, outcome.reason, _about(outcome.failed))
    if key:
        return replace(memory, failures={**memory.failures, uid: {**known, key: backoff}})
    return replace(memory, backoffs={**memory.backoffs, uid: backoff})


def after_success(memory: Memory, outcome: Outcome) -> Memory:
    """The pod's steps are done: forget that earlier ones failed. The same object where none had.

    A claim whose volume was removed has no data any more: it is free to be bound anew.
    """
    removed = {each.volume for each in outcome.work.operations if isinstance(each, RemoveVolume)}
    if removed:
        claims = {ref: record for ref, record in memory.claims.items() if record.volume not in removed}
        memory = replace(memory, claims=claims)
    uid = outcome.work.uid
    if uid in memory.failures:
        memory = replace(memory, failures=_without_what_was_done(memory.failures, outcome))
    if uid not in memory.backoffs:
        return memory
    return replace(memory, backoffs={each: held for each, held in memory.backoffs.items() if each != uid})


def image_key(image: str) -> str:
    """Return the key of an image among what is held off of a pod: no container's name has a colon."""
    return f"image:{image}"


def _holds_off(outcome: Outcome) -> str:
    """The container, or the image, that alone is at fault; empty: the whole pod waits."""
    containers = {
        operation.config.image
        for operation in outcome.work.operations
        if isinstance(operation, CreateContainer) and container_of(operation.config.name) != SANDBOX
    }
    stopped = {
        each.container
        for operation in outcome.work.operations
        if isinstance(operation, StopContainers)
        for each in operation.containers
    }
    match outcome.failed:
        case _ if outcome.unknown:
            return ""
        case UnpauseContainer(name) if name in stopped:
            return ""  # It ends: nothing else of the pod is to be started meanwhile.
        case PullImage(image):
            return image_key(image) if image in containers else ""
        case CreateContainer() | StartContainer() | SetRestartPolicy() | UnpauseContainer():
            name = _about(outcome.failed)
            return name if name != SANDBOX else ""
        case _:
            return ""


def _without_what_was_done(
    failures: Mapping[Uid, Mapping[str, Backoff]], outcome: Outcome
) -> Mapping[Uid, Mapping[str, Backoff]]:
    uid = outcome.work.uid
    done = {_about(each) for each in outcome.work.operations}
    done |= {image_key(each.image) for each in outcome.work.operations if isinstance(each, PullImage)}
    left = {key: held for key, held in failures[uid].items() if key not in done}
    others = {each: held for each, held in failures.items() if each != uid}
    return {**others, uid: left} if left else others


def _delay(outcome: Outcome, failures: int) -> float:
    first, longest = PULL_SECONDS if isinstance(outcome.failed, PullImage) else STEP_SECONDS
    return min(longest, first * 2.0 ** min(failures - 1, 16))


def _about(failed: Operation | None) -> str:
    match failed:
        case PullImage(image):
            return image
        case CreateContainer(config):
            return container_of(config.name)
        case StartContainer(name) | SetRestartPolicy(name) | UnpauseContainer(name):
            return container_of(name)
        case _:
            return ""


def _fraction(uid: Uid, failures: int) -> float:
    """Between 0 and 1, and the same every time for one pod's n-th failure."""
    return zlib.crc32(f"{uid}{failures}".encode()) / 2**32
