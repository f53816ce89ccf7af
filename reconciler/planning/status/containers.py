"""How each container of a pod stands, in Kubernetes' own words.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.container_status import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from reconciler.model.memory import Backoff, Crashes, RestartRecord
from reconciler.model.names import SANDBOX
from reconciler.model.observed import DockerState, Ended, ObservedContainer, Reachable
from reconciler.planning.kubelet.backoff import image_key
from reconciler.planning.kubelet.image_policy import is_present
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.readiness import has_started, is_ready
from reconciler.planning.state.restarts import delay_of

Waits = tuple[str, str]
"""Why a container waits: Kubernetes' word, and a sentence."""

_BACKED_OFF = {"ErrImagePull": "ImagePullBackOff"}
_CREATING = {"FailedMount": "ContainerCreating"}
"""What upstream has events for, and no state of a container."""
_NETWORK_MISSING = "the node's pod network is not set up yet"
_NO_END: Final = frozenset[DockerState]({"running", "paused", "created"})
_START_FAILED = {126: "ContainerCannotRun", 127: "ContainerCannotRun", 128: "StartError"}


class Recorded(NamedTuple):
    """What is on record about a pod's containers, beside what is observed of them."""

    backoff: Backoff | None
    """What holds off the whole pod."""
    failures: Mapping[str, Backoff]
    """What holds off one container or one image, by its name."""
    crashes: Mapping[str, Crashes]
    runs: Mapping[str, RestartRecord]
    """The runs of each container, the present one included."""
    now: float


class ContainerStatuses(NamedTuple):
    """The statuses of a pod's containers, as its status lists them."""

    init: tuple[ContainerStatus, ...]
    """The statuses of init containers and sidecars, in the manifest's order."""
    main: tuple[ContainerStatus, ...]


def container_statuses(pod: PodView, recorded: Recorded) -> ContainerStatuses:
    """The statuses of a pod's containers, in the manifest's order; of an adopted pod's, by name."""
    spec = pod.intent.spec
    if spec is None:
        found = (one for name, one in sorted(pod.containers.items()) if name != SANDBOX)
        adopted = tuple(_observed(pod, Container(one.container, one.image), False, one, recorded) for one in found)
        return ContainerStatuses((), adopted)
    if pod.running and not pod.shape.waits and not spec.init_containers:
        # The case of nearly every pod, in every plan.
        return ContainerStatuses(
            (), tuple([_simply_runs(one, pod.containers[one.name], recorded.runs) for one in spec.containers])
        )
    return ContainerStatuses(
        tuple(_status(pod, one, not is_sidecar(one), recorded) for one in spec.init_containers),
        tuple(_status(pod, one, False, recorded) for one in spec.containers),
    )


def _status(pod: PodView, one: Container, ends: bool, recorded: Recorded) -> ContainerStatus:
    """`ends`: it is an init container, which is done when it has ended well."""
    found = pod.containers.get(one.name)
    if found is not None:
        return _observed(pod, one, ends, found, recorded)
    known = recorded.runs.get(one.name)
    return ContainerStatus(
        one.name,
        one.image,
        restart_count=known.restarts if known else 0,
        state=ContainerState(waiting=ContainerStateWaiting(*waits(pod, one, recorded))),
        last_state=_ended(known.last_end if known else None),
    )


def _observed(
    pod: PodView, one: Container, ends: bool, found: ObservedContainer, recorded: Recorded
) -> ContainerStatus:
    known = recorded.runs.get(one.name)
    restarts = known.restarts if known else found.restart_count
    if found.state in ("running", "paused"):
        started = has_started(one, found, pod.told)
        return ContainerStatus(
            one.name,
            found.image,
            ready=started and is_ready(one, found, pod.told),
            started=started,
            restart_count=restarts,
            state=ContainerState(running=ContainerStateRunning(found.started_at)),
            last_state=_ended(found.last_end or (known.last_end if known else None)),
        )
    state, reason, message = _of_stopped(pod, one, ends, found, recorded)
    if state == "waiting":
        shown = ContainerState(waiting=ContainerStateWaiting(reason, message))
    else:
        ended = found.state not in _NO_END
        shown = ContainerState(
            terminated=ContainerStateTerminated(
                found.exit_code if ended else None,
                reason,
                message,
                found.started_at,
                found.finished_at if ended else "",
            )
        )
    return ContainerStatus(
        one.name,
        found.image,
        ready=ends and found.state == "exited" and found.exit_code == 0,
        restart_count=restarts,
        state=shown,
        last_state=_ended(_last_end(state, found, known)),
    )


def _simply_runs(one: Container, found: ObservedContainer, runs: Mapping[str, RestartRecord]) -> ContainerStatus:
    known = runs.get(one.name)
    last_end = found.last_end or (known.last_end if known else None)
    return ContainerStatus(
        one.name,
        found.image,
        True,
        True,
        known.restarts if known else found.restart_count,
        ContainerState(None, ContainerStateRunning(found.started_at)),
        _ended(last_end) if last_end is not None else None,
    )


def _ended(end: Ended | None) -> ContainerState | None:
    """How an earlier run ended, with the last that it wrote where it failed."""
    if end is None:
        return None
    reason = "OOMKilled" if end.oom_killed else "Completed" if end.exit_code == 0 else "Error"
    return ContainerState(terminated=ContainerStateTerminated(end.exit_code, reason, end.log, finished_at=end.at))


def _last_end(state: str, found: ObservedContainer, known: RestartRecord | None) -> Ended | None:
    """The end of the run before; of a container that waits for its next run, of the one that has just ended."""
    before = known.last_end if known else None
    if state != "waiting":
        return before
    if found.state != "created":
        return found.last_end or Ended(found.exit_code, found.oom_killed, found.finished_at)
    return Ended(found.exit_code, at=found.finished_at) if found.error and found.exit_code else before


def _of_stopped(
    pod: PodView, one: Container, ends: bool, found: ObservedContainer, recorded: Recorded
) -> tuple[Literal["waiting", "terminated"], str, str]:
    held = recorded.crashes.get(one.name)
    match found.state:
        case "created":
            if found.error and pod.finished:
                return "terminated", _START_FAILED.get(found.exit_code, "StartError"), found.error
            if found.error:
                return "waiting", _failure(recorded, "RunContainerError", _held(recorded, one)), found.error
            return "waiting", *waits(pod, one, recorded)
        case "exited" if (failed := recorded.failures.get(one.name)) is not None and not pod.finished:
            return "waiting", _failure(recorded, failed.reason or "RunContainerError", failed), failed.message
        case "restarting" | "exited" if held is not None and recorded.now < held.not_before and not pod.finished:
            return "waiting", "CrashLoopBackOff", _back_off(pod, one, held)
        case "restarting":
            message = f"it exits with code {found.exit_code}; Docker starts it again, later each time"
            return "waiting", "CrashLoopBackOff", message
        case "exited":
            return "terminated", _end(found), found.error
        case _:
            return "terminated", "Removing" if found.state == "removing" else "Dead", found.error


def _back_off(pod: PodView, one: Container, held: Crashes) -> str:
    """In upstream's words."""
    intent, seconds = pod.intent, round(delay_of(held.failures))
    spelled = f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"
    whose = f"{intent.name}_{intent.namespace}({intent.uid})"
    return f"back-off {spelled} restarting failed container={one.name} pod={whose}"


def _end(found: ObservedContainer) -> str:
    if found.oom_killed:
        return "OOMKilled"
    if found.error and found.exit_code in _START_FAILED:
        return _START_FAILED[found.exit_code]
    return "Completed" if found.exit_code == 0 else "Error"


def waits(pod: PodView, one: Container, recorded: Recorded) -> Waits:
    """Why a container has not been started. First match wins."""
    answers = pod.node.answers
    if pod.finished:
        return "ContainerStatusUnknown", "it was removed after the pod had run to its end"
    if (held := _held(recorded, one)) is not None:
        return _failure(recorded, held.reason or "CreateContainerError", held), held.message
    if answers is None:
        return "ContainerCreating", ""
    if progress := answers.pulling.get(one.image):
        return "ContainerCreating", f"pulling {one.image}: {progress}"
    if one.image_pull_policy == "Never" and (missing := _missing(one, answers, pod)):
        return "ErrImageNeverPull", missing
    spec = pod.intent.spec
    if spec is not None and spec.init_containers:
        return "PodInitializing", _network(answers)
    return "ContainerCreating", _network(answers)


def _missing(one: Container, answers: Reachable, pod: PodView) -> str:
    if is_present(one.image, answers.images):
        return ""
    return f"image {one.image} is not on {pod.node.name}, and imagePullPolicy is Never"


def _held(recorded: Recorded, one: Container) -> Backoff | None:
    """What holds it off: its own failure, or one of the whole pod."""
    own = recorded.failures.get(one.name) or recorded.failures.get(image_key(one.image))
    whole = (
        recorded.backoff
        if recorded.backoff is not None and recorded.backoff.about in ("", one.name, one.image)
        else None
    )
    return own or whole


def _failure(recorded: Recorded, reason: str, held: Backoff | None) -> str:
    """Upstream's second word for a failure that waits to be tried again."""
    reason = _CREATING.get(reason, reason)
    if held is None:
        return reason
    again = recorded.now < held.not_before and held.failures > 1
    return _BACKED_OFF.get(reason, reason) if again else reason


def _network(answers: Reachable) -> str:
    network = answers.network
    return "" if network.fingerprint else f"{_NETWORK_MISSING}: {network.error}".rstrip(": ")
