"""What has been going on since when, and how often: what a plan counts of its pods, beside what it decides."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import Backoff, Crashes, Draining, Memory, RestartRecord
from reconciler.model.names import Uid
from reconciler.model.operations import PodWork
from reconciler.planning.kubelet.draining import leaving
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.restarts import count
from reconciler.planning.world import World


class Progress(Struct, frozen=True):
    """What has been going on since when, in monotonic seconds, and how often."""

    now: float
    ready_since: Mapping[Uid, float]
    leaving: Mapping[Uid, Draining]
    backoffs: Mapping[Uid, Backoff]
    failures: Mapping[Uid, Mapping[str, Backoff]]
    runs: Mapping[Uid, Mapping[str, RestartRecord]]
    crashes: Mapping[Uid, Mapping[str, Crashes]]
    started: Mapping[Uid, float]


def progress_of(world: World, pods: Mapping[Uid, PodView]) -> Progress:
    """Count what has been going on with these pods; what does not change is the mapping that is remembered.

    What was held off because it failed to start is not held off from leaving.
    """
    memory, now = world.memory, world.now
    leaves = leaving(pods, world.rotation, memory, now)
    newly = {uid for uid in leaves if uid not in memory.leaving}
    over = [uid for uid, held in memory.backoffs.items() if uid in newly or _is_over(pods.get(uid), held, now)]
    backoffs = {uid: held for uid, held in memory.backoffs.items() if uid not in over} if over else memory.backoffs
    counted = count(pods, memory, now)
    return Progress(
        now,
        world.ready_since,
        leaves,
        backoffs,
        _failures(pods, memory, now),
        counted.runs,
        counted.crashes,
        world.started,
    )


def with_failures(progress: Progress, memory: Memory, work: Iterable[PodWork]) -> Progress:
    """Keep counting the failures of pods that are fine, and have work all the same.

    Files, a name, a second copy, what Docker is to do when it ends: tried again, that still counts how often it
    failed, until it is done.
    """
    again = {one.uid for one in work if one.uid not in progress.leaving}
    backoffs = {uid: memory.backoffs[uid] for uid in again & memory.backoffs.keys() - progress.backoffs.keys()}
    failures = {uid: memory.failures[uid] for uid in again & memory.failures.keys() - progress.failures.keys()}
    if not backoffs and not failures:
        return progress
    return replace(
        progress, backoffs={**progress.backoffs, **backoffs}, failures={**progress.failures, **failures}
    )


def _failures(pods: Mapping[Uid, PodView], memory: Memory, now: float) -> Mapping[Uid, Mapping[str, Backoff]]:
    """Forgotten with the pod, with what leaves, and when the pod is fine without us."""
    over = [
        uid
        for uid, failures in memory.failures.items()
        if (pod := pods.get(uid)) is None
        or pod.intent.wanted != "run"
        or (pod.ready and all(now >= held.not_before for held in failures.values()))
    ]
    return {uid: held for uid, held in memory.failures.items() if uid not in over} if over else memory.failures


def _is_over(pod: PodView | None, held: Backoff, now: float) -> bool:
    """Forgotten with the pod, or when the pod is fine without us."""
    return now >= held.not_before and (pod is None or (pod.ready and pod.intent.wanted == "run"))
