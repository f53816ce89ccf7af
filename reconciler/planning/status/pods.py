"""How each pod stands: its phase, its conditions and its containers, as `kubectl` shows them.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import Backoff, Crashes, PodIntent, Runs
from reconciler.model.names import SANDBOX, Ref, Uid
from reconciler.model.plan import Condition, ContainerStatus, Phase, PodStatus, Unplaced
from reconciler.planning.controllers.succession import stays_until
from reconciler.planning.progress import Progress
from reconciler.planning.state.pod_containers import has_begun, is_initialized
from reconciler.planning.state.pods import PodView
from reconciler.planning.status.containers import Told, container_statuses
from reconciler.planning.status.workloads import EXPECTED_REASONS, in_words

_NO_CRASHES: Final[Mapping[str, Crashes]] = {}
_NO_RUNS: Final[Mapping[str, Runs]] = {}
_NO_FAILURES: Final[Mapping[str, Backoff]] = {}
_SCHEDULED: Final = Condition("PodScheduled", True)
_MOST_NODES: Final = 5
"""That the status of each pod without a node tells of: the Deployment's status and the event tell of all."""
_ALL_WELL: Final = (
    _SCHEDULED,
    Condition("Initialized", True),
    Condition("ContainersReady", True),
    Condition("Ready", True),
)


def pod_statuses(
    pods: Mapping[Uid, PodView], unplaced: Sequence[Unplaced], progress: Progress
) -> dict[Ref, PodStatus]:
    """Of two pods of one name the one that stays is shown."""
    statuses = {status.ref: status for one in unplaced for status in pending_statuses(one)}
    for uid, pod in pods.items():
        crashes, runs = progress.crashes.get(uid, _NO_CRASHES), progress.runs.get(uid, _NO_RUNS)
        told = Told(
            progress.backoffs.get(uid), progress.failures.get(uid, _NO_FAILURES), crashes, runs, progress.now
        )
        status = pod_status(pod, told)
        if pod.intent.wanted == "run" or status.ref not in statuses:
            statuses[status.ref] = status
    return statuses


def pending_statuses(unplaced: Unplaced) -> Iterable[PodStatus]:
    """The pods that no node can have now: each is Pending, with the reasons of some nodes."""
    why = in_words(unplaced, _MOST_NODES)
    conditions = (Condition("PodScheduled", False, "Unschedulable", why),)
    owner = None if unplaced.owner.kind == "Pod" else unplaced.owner
    for pod in unplaced.pods:
        yield PodStatus(
            pod.ref,
            pod.uid,
            "",
            "",
            "Pending",
            False,
            pod.hash,
            owner,
            reason="Unschedulable",
            message=why,
            containers=tuple(ContainerStatus(name, image, "waiting") for name, image in pod.images.items()),
            conditions=conditions,
        )


def done_status(intent: PodIntent) -> PodStatus:
    """A bare Pod that ran to its end on a node that is gone: all that is known of it is that it did."""
    why = f"it ran to its end on {intent.node}, which is not in this revision"
    conditions = (_SCHEDULED, Condition("Ready", False, _completed(intent.ended == "Succeeded"), why))
    return PodStatus(
        intent.ref,
        intent.uid,
        intent.node,
        intent.ip,
        intent.ended or "Unknown",
        False,
        intent.hash,
        reason=intent.end_reason,
        message=why,
        conditions=conditions,
    )


def pod_status(pod: PodView, told: Told) -> PodStatus:
    intent = pod.intent
    containers = container_statuses(pod, told)
    well = pod.ready and intent.wanted == "run"
    stays = stays_until(intent.succeeded_by) if intent.succeeded_by else ""
    reason, message = ("", stays) if well else _why(pod, told, containers)
    return PodStatus(
        intent.ref,
        intent.uid,
        intent.node,
        intent.ip,
        "Running" if well else _phase(pod),
        pod.ready,
        intent.hash,
        intent.owner,
        reason,
        message,
        containers,
        _ALL_WELL if pod.ready and not pod.shape.gated else tuple(_conditions(pod, containers)),
        pod.shape.qos,
        made=pod.created,
    )


def _phase(pod: PodView) -> Phase:
    """As upstream, a pod is Pending until each of its main containers has been started once."""
    if pod.node.silent is not None:
        return "Unknown"
    if pod.intent.wanted == "leave":
        return "Terminating"
    if pod.finished:
        return pod.finished
    if pod.running:
        return "Running"
    spec = pod.intent.spec
    names = {one.name for one in spec.containers} if spec else pod.containers.keys() - {SANDBOX}
    begun = all(has_begun(pod.containers.get(name)) or name in pod.told.runs for name in names)
    return "Running" if names and begun else "Pending"


def _why(pod: PodView, told: Told, containers: Iterable[ContainerStatus]) -> tuple[str, str]:
    """Of the pod as a whole. First match wins."""
    intent, silent = pod.intent, pod.node.silent
    if silent is not None:
        return "NodeLost" if pod.node.lost else "NodeUnreachable", silent.why
    if intent.wanted == "leave":
        return "Leaving", f"{intent.reason}; {told.backoff.message}" if told.backoff else intent.reason
    if intent.end_reason:
        return intent.end_reason, _end_message(intent)
    if pod.running:
        return "", ""
    troubled = [one for one in containers if one.reason and one.state != "running" and not _is_done(one)]
    if pod.finished:
        troubled = [one for one in containers if one.reason and one.kind == "container"] or troubled
    first = next(
        (one for one in troubled if one.reason not in EXPECTED_REASONS), troubled[0] if troubled else None
    )
    if first is None:
        return ("", told.backoff.message) if told.backoff else ("", "")
    return first.reason, first.message or (told.backoff.message if told.backoff else "")


def _is_done(one: ContainerStatus) -> bool:
    return one.kind == "init" and one.ready


def _end_message(intent: PodIntent) -> str:
    if intent.spec is None or intent.spec.active_deadline_seconds is None:
        return ""
    return f"it was active for longer than its activeDeadlineSeconds, {intent.spec.active_deadline_seconds}"


def _conditions(pod: PodView, containers: Sequence[ContainerStatus]) -> Iterable[Condition]:
    yield _SCHEDULED
    yield _initialized(pod, containers)
    yield _containers_ready(pod, containers)
    yield _ready(pod, containers)
    spec = pod.intent.spec
    for gate in spec.readiness_gates if spec else ():
        yield Condition(gate.condition_type, gate.condition_type not in pod.gates)


def _initialized(pod: PodView, containers: Iterable[ContainerStatus]) -> Condition:
    spec = pod.intent.spec
    if pod.finished == "Succeeded":
        return Condition("Initialized", True, "PodCompleted")
    if spec is None or not spec.init_containers or pod.running or _is_initialized(pod, spec):
        return Condition("Initialized", True)
    undone = [one.name for one in containers if one.kind == "init" and not one.ready]
    undone += [one.name for one in containers if one.kind == "sidecar" and not one.started]
    message = f"containers with incomplete status: [{' '.join(undone)}]"
    return Condition("Initialized", False, "ContainersNotInitialized", message)


def _is_initialized(pod: PodView, spec: PodSpec) -> bool:
    return is_initialized(spec, pod.containers, pod.told.runs, sandbox_needed=pod.shape.sandbox)


def _containers_ready(pod: PodView, containers: Iterable[ContainerStatus]) -> Condition:
    if pod.finished:
        return Condition("ContainersReady", False, _finished(pod))
    if pod.node.silent is not None:
        return Condition("ContainersReady", False, "NodeUnreachable", pod.node.silent.why)
    unready = [one.name for one in containers if one.kind != "init" and not one.ready]
    if unready or not pod.running:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return Condition("ContainersReady", False, "ContainersNotReady", message)
    return Condition("ContainersReady", True)


def _ready(pod: PodView, containers: Iterable[ContainerStatus]) -> Condition:
    if pod.ready:
        return Condition("Ready", True)
    rest = _containers_ready(pod, containers)
    if not rest.status:
        return Condition("Ready", False, rest.reason, rest.message)
    if pod.gates:
        gates = "; ".join(f'the status of pod readiness gate "{gate}" is not "True"' for gate in pod.gates)
        return Condition("Ready", False, "ReadinessGatesNotReady", gates)
    return Condition("Ready", False, "PortsNotAnswering", "a port that a service uses has not answered yet")


def _finished(pod: PodView) -> str:
    return _completed(pod.finished == "Succeeded")


def _completed(well: bool) -> str:
    return "PodCompleted" if well else "PodFailed"
