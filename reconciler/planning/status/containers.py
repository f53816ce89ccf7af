"""How each container of a pod stands, in Kubernetes' own words.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import Backoff, Crashes, Runs
from reconciler.model.names import SANDBOX
from reconciler.model.observed import ContainerState, Ended, ObservedContainer, Reachable
from reconciler.model.plan import ContainerStatus
from reconciler.planning.kubelet.backoff import image_key
from reconciler.planning.kubelet.image_policy import is_present
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.readiness import has_started, is_ready
from reconciler.planning.state.restarts import delay_of

Kind = Literal["init", "sidecar", "container"]
Waits = tuple[str, str]
"""Why a container waits: Kubernetes' word, and a sentence."""

_BACKED_OFF = {"ErrImagePull": "ImagePullBackOff"}
_CREATING = {"FailedMount": "ContainerCreating"}
"""What upstream has events for, and no state of a container."""
_NETWORK_MISSING = "the node's pod network is not set up yet"
_NO_END: Final = frozenset[ContainerState]({"running", "paused", "created"})
_START_FAILED = {126: "ContainerCannotRun", 127: "ContainerCannotRun", 128: "StartError"}


class Told(NamedTuple):
    """What is known of a pod's containers beside what is seen of them."""

    backoff: Backoff | None
    """Of the whole pod."""
    failures: Mapping[str, Backoff]
    """What alone is held off, by container or image."""
    crashes: Mapping[str, Crashes]
    runs: Mapping[str, Runs]
    """With this look's."""
    now: float


def container_statuses(pod: PodView, told: Told) -> tuple[ContainerStatus, ...]:
    """Init containers and sidecars first, each kind in the manifest's order."""
    spec = pod.intent.spec
    if spec is None:
        found = (one for name, one in sorted(pod.containers.items()) if name != SANDBOX)
        return tuple(_seen(pod, Container(one.container, one.image), "container", one, told) for one in found)
    if pod.running and not pod.shape.waits and not spec.init_containers:
        # The case of nearly every pod, in every plan.
        return tuple([_simply_runs(one, pod.containers[one.name], told.runs) for one in spec.containers])
    return tuple(_status(pod, one, kind, told) for one, kind in _by_kind(spec))


def _by_kind(spec: PodSpec) -> Iterable[tuple[Container, Kind]]:
    for one in spec.init_containers:
        yield one, "sidecar" if is_sidecar(one) else "init"
    for one in spec.containers:
        yield one, "container"


def _status(pod: PodView, one: Container, kind: Kind, told: Told) -> ContainerStatus:
    found = pod.containers.get(one.name)
    if found is not None:
        return _seen(pod, one, kind, found, told)
    reason, message = waits(pod, one, told)
    known = told.runs.get(one.name)
    return ContainerStatus(
        one.name,
        one.image,
        "waiting",
        reason,
        message,
        restarts=known.restarts if known else 0,
        kind=kind,
        last_end=known.last_end if known else None,
    )


def _seen(pod: PodView, one: Container, kind: Kind, found: ObservedContainer, told: Told) -> ContainerStatus:
    known = told.runs.get(one.name)
    restarts = known.restarts if known else found.restart_count
    if found.state in ("running", "paused"):
        started = has_started(one, found, pod.told)
        reason, message = _of_running(found)
        return ContainerStatus(
            one.name,
            found.image,
            "running",
            reason,
            message,
            restarts,
            kind=kind,
            ready=started and is_ready(one, found, pod.told),
            started=started,
            started_at=found.started_at,
            last_end=found.last_end or (known.last_end if known else None),
        )
    state, reason, message = _of_stopped(pod, one, kind, found, told)
    ended = found.state not in _NO_END
    return ContainerStatus(
        one.name,
        found.image,
        state,
        reason,
        message,
        restarts,
        exit_code=found.exit_code if ended else None,
        kind=kind,
        ready=kind == "init" and found.state == "exited" and found.exit_code == 0,
        started_at=found.started_at,
        finished_at=found.finished_at if ended else "",
        last_end=_last_end(state, found, known),
    )


def _simply_runs(one: Container, found: ObservedContainer, runs: Mapping[str, Runs]) -> ContainerStatus:
    known = runs.get(one.name)
    return ContainerStatus(
        one.name,
        found.image,
        "running",
        "",
        "",
        known.restarts if known else found.restart_count,
        None,
        "container",
        True,
        True,
        found.started_at,
        "",
        found.last_end or (known.last_end if known else None),
    )


def _last_end(state: str, found: ObservedContainer, known: Runs | None) -> Ended | None:
    """Of a container that waits for its next run, this one's end; otherwise that of the run before."""
    before = known.last_end if known else None
    if state != "waiting":
        return before
    if found.state != "created":
        return found.last_end or Ended(found.exit_code, found.oom_killed, found.finished_at)
    return Ended(found.exit_code, at=found.finished_at) if found.error and found.exit_code else before


def _of_running(found: ObservedContainer) -> Waits:
    if found.state == "paused":
        return "Paused", ""
    probed = found.probed
    return "", probed.message if probed is not None and not probed.ready else ""


def _of_stopped(
    pod: PodView, one: Container, kind: Kind, found: ObservedContainer, told: Told
) -> tuple[Literal["waiting", "terminated"], str, str]:
    held = told.crashes.get(one.name)
    match found.state:
        case "created":
            if found.error and pod.finished:
                return "terminated", _START_FAILED.get(found.exit_code, "StartError"), found.error
            if found.error:
                return "waiting", _failure(told, "RunContainerError", _held(told, one)), found.error
            return "waiting", *waits(pod, one, told)
        case "exited" if (failed := told.failures.get(one.name)) is not None and not pod.finished:
            return "waiting", _failure(told, failed.reason or "RunContainerError", failed), failed.message
        case "restarting" | "exited" if held is not None and told.now < held.not_before and not pod.finished:
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


def waits(pod: PodView, one: Container, told: Told) -> Waits:
    """Why a container has not been started. First match wins."""
    answers = pod.node.answers
    if pod.finished:
        return "ContainerStatusUnknown", "it was removed after the pod had run to its end"
    if (held := _held(told, one)) is not None:
        return _failure(told, held.reason or "CreateContainerError", held), held.message
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


def _held(told: Told, one: Container) -> Backoff | None:
    """What holds it off: its own failure, or one of the whole pod."""
    own = told.failures.get(one.name) or told.failures.get(image_key(one.image))
    whole = told.backoff if told.backoff is not None and told.backoff.about in ("", one.name, one.image) else None
    return own or whole


def _failure(told: Told, reason: str, held: Backoff | None) -> str:
    """Upstream's second word for a failure that waits to be tried again."""
    reason = _CREATING.get(reason, reason)
    if held is None:
        return reason
    again = told.now < held.not_before and held.failures > 1
    return _BACKED_OFF.get(reason, reason) if again else reason


def _network(answers: Reachable) -> str:
    network = answers.network
    return "" if network.fingerprint else f"{_NETWORK_MISSING}: {network.error}".rstrip(": ")
