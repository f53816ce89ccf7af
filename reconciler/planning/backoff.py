"""When a step that failed is tried again: longer after each failure, and not for all pods at the same moment.

The control loop calls `after_failure` and `after_success` with the outcome of each PodWork.
Rule for images: https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
"""

import zlib

from msgspec.structs import replace

from reconciler.model.memory import Backoff, Memory
from reconciler.model.names import Uid
from reconciler.model.operations import (
    CreateContainer,
    Operation,
    Outcome,
    PullImage,
    RemoveVolume,
    StartContainer,
)
from reconciler.planning.identity import container_of

STEP_SECONDS = (1.0, 60.0)
"""First delay and longest one of a failed Docker call."""
PULL_SECONDS = (5.0, 300.0)
"""The same for an image that could not be pulled."""
_JITTER = 0.1
"""At most this part of a delay is added."""


def after_failure(memory: Memory, outcome: Outcome, now: float) -> Memory:
    """Hold the pod's next step off. A lost reply counts too: observing again shows what was done."""
    uid = outcome.work.uid
    earlier = memory.backoffs.get(uid)
    failures = (earlier.failures if earlier else 0) + 1
    delay = _delay(outcome, failures) * (1 + _JITTER * _fraction(uid, failures))
    backoff = Backoff(failures, now + delay, outcome.message, outcome.reason, _about(outcome.failed))
    return replace(memory, backoffs={**memory.backoffs, uid: backoff})


def after_success(memory: Memory, outcome: Outcome) -> Memory:
    """The pod's steps are done: forget that earlier ones failed. The same object where none had.

    A claim whose volume was removed has no data any more: it is free to be bound anew.
    """
    removed = {each.volume for each in outcome.work.operations if isinstance(each, RemoveVolume)}
    if removed:
        claims = {ref: record for ref, record in memory.claims.items() if record.volume not in removed}
        memory = replace(memory, claims=claims)
    if outcome.work.uid not in memory.backoffs:
        return memory
    return replace(
        memory, backoffs={uid: held for uid, held in memory.backoffs.items() if uid != outcome.work.uid}
    )


def _delay(outcome: Outcome, failures: int) -> float:
    first, longest = PULL_SECONDS if isinstance(outcome.failed, PullImage) else STEP_SECONDS
    return min(longest, first * 2.0 ** min(failures - 1, 16))


def _about(failed: Operation | None) -> str:
    match failed:
        case PullImage(image):
            return image
        case CreateContainer(config):
            return container_of(config.name)
        case StartContainer(name):
            return container_of(name)
        case _:
            return ""


def _fraction(uid: Uid, failures: int) -> float:
    """Between 0 and 1, and the same every time for one pod's n-th failure."""
    return zlib.crc32(f"{uid}{failures}".encode()) / 2**32
