"""What is counted of each container from one look to the next: its runs, and its crashes.

Rule: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from reconciler.model.api.core.container import is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import Crashes, Memory, RestartRecord
from reconciler.model.names import SANDBOX, Uid
from reconciler.model.observed import DockerState, ObservedContainer
from reconciler.planning.state.pod_containers import RestartRecords, is_older, lost_its_sandbox
from reconciler.planning.state.pods import PodView

FIRST_DELAY_SECONDS = 10.0
"""The delay before the second restart; the first is at once, and each later one waits twice as long."""
LONGEST_DELAY_SECONDS = 300.0
HEALTHY_SECONDS = 600.0
"""A container that has run for so long has its crashes forgotten."""

Value = TypeVar("Value")

_ENDED: Final[frozenset[DockerState]] = frozenset({"restarting", "exited", "dead"})
_RAN: Final[frozenset[DockerState]] = _ENDED | {"running", "paused"}


class RestartCounts(NamedTuple):
    """What is counted of containers; the mappings remembered, themselves, if nothing was to be counted."""

    runs: Mapping[Uid, Mapping[str, RestartRecord]]
    crashes: Mapping[Uid, Mapping[str, Crashes]]


def count(pods: Mapping[Uid, PodView], memory: Memory, now: float) -> RestartCounts:
    """Count the runs and crashes of containers. What is under way is looked at when it is over: then it is we who
    stop and start.
    """
    runs: dict[Uid, Mapping[str, RestartRecord]] = {}
    crashes: dict[Uid, Mapping[str, Crashes]] = {}
    for uid, pod in pods.items():
        answers = pod.node.answers
        if answers is None or not pod.containers or uid in answers.busy:
            continue
        known = memory.runs.get(uid, {})
        if pod.running and uid not in memory.crashes and _all_known(pod, known):
            continue
        pod_runs, pod_crashes = _count_pod(pod, known, memory.crashes.get(uid, {}), now)
        if pod_runs != known:
            runs[uid] = pod_runs
        if pod_crashes != memory.crashes.get(uid, {}):
            crashes[uid] = pod_crashes
    return RestartCounts(_merged(memory.runs, runs, pods), _merged(memory.crashes, crashes, pods))


def delay_of(failures: int) -> float:
    """Seconds before the restart that follows the n-th crash."""
    if failures <= 1:
        return 0.0
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures - 2, 16))


def trusted_at(held: Crashes) -> float:
    """Return from when on Docker may restart by itself what runs, in monotonic seconds: once it has run for as
    long as it had to wait for that.
    """
    return held.since + delay_of(held.failures)


def _all_known(pod: PodView, known: Mapping[str, RestartRecord]) -> bool:
    for name, found in pod.containers.items():
        one = known.get(name)
        if one is None or one.run != found.run:
            return False
    return True


def _count_pod(
    pod: PodView, known: Mapping[str, RestartRecord], crashed: Mapping[str, Crashes], now: float
) -> tuple[Mapping[str, RestartRecord], Mapping[str, Crashes]]:
    runs, crashes = dict(known), dict(crashed)
    sandbox = pod.containers.get(SANDBOX)
    if sandbox is not None and _tells_its_run(sandbox):
        runs[SANDBOX] = RestartRecord(run=sandbox.run)
    else:
        sandbox = None
    for name, found in pod.containers.items():
        if name == SANDBOX or not _tells_its_run(found):
            continue
        before = known.get(name)
        joined = sandbox.run if sandbox is not None and not is_older(found, sandbox, known) else ""
        if before is not None and before.run == found.run:
            if joined and not before.sandbox:
                runs[name] = replace(before, sandbox=joined)
        else:
            runs[name] = replace(_another_run(before, found), sandbox=joined)
            if _crashed_unseen(pod, known, crashes.get(name), found):
                crashes[name] = _another_crash(crashes.get(name), before.run if before else "", now)
            elif name in crashes:
                crashes[name] = replace(crashes[name], since=now)
        held = crashes.get(name)
        if found.state in _ENDED:
            if (held is None or held.run != found.run) and _is_crash(pod, name, found):
                crashes[name] = _another_crash(held, found.run, now)
        elif held is not None and now - held.since >= HEALTHY_SECONDS:
            del crashes[name]
    return runs, crashes


def _tells_its_run(found: ObservedContainer) -> bool:
    """Of one that Docker could not inspect no moment is known, and it may be in the run that was counted last."""
    return found.state in _RAN and bool(found.started_at)


def _another_run(before: RestartRecord | None, found: ObservedContainer) -> RestartRecord:
    ended = found.last_end if found.state not in _ENDED else None
    # Docker counts a restart when it decides on it, which is before it restarts.
    by_docker = max(0, found.restart_count - (found.state == "restarting"))
    if before is None:
        return RestartRecord(_restarts_told(found, by_docker), found.run, ended, by_docker=by_docker)
    since_last_look = 1 if before.by_docker is None else max(1, by_docker - before.by_docker)
    return RestartRecord(
        before.restarts + since_last_look, found.run, ended or before.last_end, by_docker=by_docker
    )


def _restarts_told(found: ObservedContainer, by_docker: int) -> int:
    """Of a container that is seen for the first time: by Docker, which counts anew after each start by others; by
    the prober; and one at least where a run before this one has ended."""
    told = by_docker + (found.probed.killed if found.probed is not None else 0)
    return told or int(found.state in ("running", "paused") and bool(found.finished_at))


def _another_crash(held: Crashes | None, run: str, now: float) -> Crashes:
    """One before its time is of a start by Docker that we were too late to stop: it makes no later wait longer."""
    if held is None or now - held.since >= HEALTHY_SECONDS:
        failures = 1
    else:
        failures = held.failures + (now >= held.not_before)
    return Crashes(failures, now + delay_of(failures), now, run)


def _crashed_unseen(pod: PodView, known: RestartRecords, held: Crashes | None, found: ObservedContainer) -> bool:
    """It ended, and Docker started it again, between two looks."""
    before = known.get(found.container)
    if before is None or _is_init(pod.intent.spec, found.container) or pod.intent.wanted == "leave":
        return False
    same_container = before.run.partition("@")[0] == found.id[:12]
    earlier = replace(found, started_at=before.run.partition("@")[2])
    uncounted = held is None or held.run != before.run
    return same_container and uncounted and not lost_its_sandbox(earlier, pod.containers, known)


def _is_crash(pod: PodView, name: str, found: ObservedContainer) -> bool:
    """It ended by itself, or by a hand that is not ours, and is to be started again."""
    if pod.finished or pod.intent.wanted == "leave" or lost_its_sandbox(found, pod.containers, pod.told.runs):
        return False
    spec = pod.intent.spec
    if spec is None or any(one.name == name and is_sidecar(one) for one in spec.init_containers):
        return True
    if spec.restart_policy == "Always" and not _is_init(spec, name):
        return True
    return spec.restart_policy != "Never" and found.exit_code != 0


def _is_init(spec: PodSpec | None, name: str) -> bool:
    """One that runs to its end, and not a sidecar."""
    return spec is not None and any(one.name == name and not is_sidecar(one) for one in spec.init_containers)


def _merged(
    before: Mapping[Uid, Mapping[str, Value]],
    changed: Mapping[Uid, Mapping[str, Value]],
    pods: Mapping[Uid, PodView],
) -> Mapping[Uid, Mapping[str, Value]]:
    """Of pods that are gone nothing is kept, nor where nothing is left to say."""
    gone = [uid for uid in before if uid not in pods]
    if not changed and not gone:
        return before
    after = {uid: values for uid, values in before.items() if uid in pods}
    return {uid: values for uid, values in {**after, **changed}.items() if values}
