"""How each pod stands: its phase, its conditions and its containers, as `kubectl` shows them.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.container_status import ContainerState, ContainerStateWaiting, ContainerStatus
from reconciler.model.api.core.pod import Pod, PodIP, PodPhase, PodSpec, PodStatus
from reconciler.model.api.meta import Condition, ObjectMeta, OwnerReference, ref_of
from reconciler.model.desired import Desired
from reconciler.model.memory import Backoff, Crashes, PodIntent, RestartRecord
from reconciler.model.moments import rfc3339
from reconciler.model.names import SANDBOX, Ref, Uid
from reconciler.model.plan import Unschedulable
from reconciler.planning.controllers.succession import stays_until
from reconciler.planning.progress import Progress
from reconciler.planning.state.pod_containers import has_begun, is_initialized
from reconciler.planning.state.pod_info import pod_info_of
from reconciler.planning.state.pods import PodView
from reconciler.planning.status.containers import ContainerStatuses, Recorded, container_statuses
from reconciler.planning.status.troubles import EXPECTED_REASONS, in_words
from reconciler.planning.workload import Workloads
from reconciler.planning.world import World

_NO_CRASHES: Final[Mapping[str, Crashes]] = {}
_NO_RUNS: Final[Mapping[str, RestartRecord]] = {}
_NO_ANNOTATIONS: Final[dict[str, str]] = {}
_NO_FAILURES: Final[Mapping[str, Backoff]] = {}
_SCHEDULED: Final = Condition("PodScheduled", "True")
_NOTHING: Final = PodSpec(containers=())
"""Of a pod that was adopted from a host, and whose template nobody knows any more."""
_MOST_NODES: Final = 5
"""How many nodes the status of a pod without a node names; the Deployment's status and the event name all."""
_ALL_WELL: Final = (
    _SCHEDULED,
    Condition("Initialized", "True"),
    Condition("ContainersReady", "True"),
    Condition("Ready", "True"),
)
_MOST_SPECS: Final = 1 << 16
_specs: Final[dict[tuple[int, str], tuple[PodSpec, PodSpec]]] = {}
"""By the identity of a template's spec, which is kept alive with it, and node."""


def pod_statuses(
    world: World, pods: Mapping[Uid, PodView], unplaced: Sequence[Unschedulable], progress: Progress
) -> dict[Ref, Pod]:
    """Every pod with its status; of two pods of one name the one that stays."""
    workloads = world.rules.workloads
    statuses = {ref_of(pod): pod for one in unplaced for pod in pending_pods(one, workloads)}
    for uid, pod in pods.items():
        ref = pod.intent.ref
        if pod.intent.wanted == "run" or ref not in statuses:
            crashes, runs = progress.crashes.get(uid, _NO_CRASHES), progress.runs.get(uid, _NO_RUNS)
            failures = progress.failures.get(uid, _NO_FAILURES)
            recorded = Recorded(progress.backoffs.get(uid), failures, crashes, runs, progress.now)
            owners = _owners_of(pod.owner, pod.intent.hash, workloads)
            statuses[ref] = pod_with_status(pod, recorded, _annotations(world.desired, pod.owner), owners)
    return statuses


def pending_pods(unplaced: Unschedulable, workloads: Workloads) -> Iterable[Pod]:
    """The pods that no node can have now: each is Pending, with the reasons of some nodes."""
    why = in_words(unplaced, _MOST_NODES)
    conditions = (Condition("PodScheduled", "False", "Unschedulable", why),)
    waiting = ContainerState(waiting=ContainerStateWaiting())
    for pod in unplaced.pods:
        owners = _owners_of(unplaced.owner, pod.hash, workloads)
        yield Pod(
            ObjectMeta(pod.ref.name, pod.ref.namespace, uid=pod.uid, owner_references=owners),
            PodSpec(tuple(Container(name, image) for name, image in pod.images.items())),
            PodStatus(
                "Pending",
                "BestEffort",
                conditions,
                why,
                "Unschedulable",
                container_statuses=tuple(
                    ContainerStatus(name, image, state=waiting) for name, image in pod.images.items()
                ),
            ),
        )


def done_pod(intent: PodIntent) -> Pod:
    """A bare Pod that ran to its end on a node that is gone: all that is known of it is that it did."""
    why = f"it ran to its end on {intent.node}, which is not in this revision"
    conditions = (_SCHEDULED, Condition("Ready", "False", _completed(intent.ended == "Succeeded"), why))
    status = PodStatus(
        intent.ended or "Unknown",
        pod_info_of(intent.spec).qos,
        conditions,
        why,
        intent.end_reason,
        pod_ip=intent.ip,
        pod_ips=_ips(intent.ip),
    )
    return Pod(_metadata(intent, _NO_ANNOTATIONS), spec_on_node(intent.spec, intent.node), status)


def _annotations(desired: Desired, owner: Ref) -> Mapping[str, str]:
    """The annotations of the template that an owner has now."""
    template = desired.templates.get(owner)
    return template.annotations if template is not None else _NO_ANNOTATIONS


def pod_with_status(
    pod: PodView, recorded: Recorded, annotations: Mapping[str, str], owners: tuple[OwnerReference, ...]
) -> Pod:
    """A pod as it is published, but for what only a clock can tell."""
    intent = pod.intent
    containers = container_statuses(pod, recorded)
    well = pod.ready and intent.wanted == "run"
    stays = stays_until(intent.succeeded_by) if intent.succeeded_by else ""
    reason, message = ("", stays) if well else _why(pod, recorded, containers)
    last = pod.node.last
    return Pod(
        _metadata(intent, annotations, rfc3339(pod.created), owners),
        spec_on_node(intent.spec, intent.node),
        PodStatus(
            "Running" if well else _phase(pod),
            pod.shape.qos,
            _ALL_WELL if pod.ready and not pod.shape.gated else tuple(_conditions(pod, containers)),
            message,
            reason,
            last.facts.address if last is not None else "",
            intent.ip,
            _ips(intent.ip),
            init_container_statuses=containers.init,
            container_statuses=containers.main,
        ),
    )


def spec_on_node(spec: PodSpec | None, node: str) -> PodSpec:
    """The spec of a template with the node that one of its pods was given to; the same object for the same."""
    if spec is None:
        spec = _NOTHING
    known = _specs.get((id(spec), node))
    if known is not None and known[0] is spec:
        return known[1]
    if len(_specs) >= _MOST_SPECS:
        _specs.clear()
    placed = replace(spec, node_name=node)
    _specs[id(spec), node] = (spec, placed)
    return placed


def _metadata(
    intent: PodIntent,
    annotations: Mapping[str, str],
    created: str = "",
    owners: tuple[OwnerReference, ...] = (),
) -> ObjectMeta:
    """`created`: when its first container was made, which is the latest moment that it can have come at."""
    leaves = intent.wanted == "leave"
    grace = (intent.spec or _NOTHING).termination_grace_period_seconds if leaves else None
    return ObjectMeta(
        intent.name,
        intent.namespace,
        _as_dict(intent.labels),
        _as_dict(annotations),
        intent.uid,
        creation_timestamp=created,
        owner_references=owners,
        deletion_grace_period_seconds=grace,
    )


def _as_dict(values: Mapping[str, str]) -> dict[str, str]:
    """The same mapping, where it is a dict already."""
    return values if isinstance(values, dict) else dict(values)


def _owners_of(owner: Ref, template_hash: str, workloads: Workloads) -> tuple[OwnerReference, ...]:
    """What a pod belongs to, from the object that it exists for and the hash of its template."""
    workload = workloads.get(owner.kind)
    return () if workload is None else _owned_by(workload.pod_owner, owner, template_hash)


@lru_cache(maxsize=1 << 14)
def _owned_by(
    pod_owner: Callable[[Ref, str], OwnerReference | None], owner: Ref, template_hash: str
) -> tuple[OwnerReference, ...]:
    found = pod_owner(owner, template_hash)
    return () if found is None else (found,)


def _ips(ip: str) -> tuple[PodIP, ...]:
    return (PodIP(ip),) if ip else ()


def _phase(pod: PodView) -> PodPhase:
    """As upstream, a pod is Pending until each of its main containers has been started once."""
    if pod.node.silent is not None:
        return "Unknown"
    if pod.intent.wanted == "leave":
        return "Running"
    if pod.finished:
        return pod.finished
    if pod.running:
        return "Running"
    spec = pod.intent.spec
    names = {one.name for one in spec.containers} if spec else pod.containers.keys() - {SANDBOX}
    begun = all(has_begun(pod.containers.get(name)) or name in pod.told.runs for name in names)
    return "Running" if names and begun else "Pending"


def _why(pod: PodView, recorded: Recorded, containers: ContainerStatuses) -> tuple[str, str]:
    """The reason and the message of the pod as a whole. First match wins."""
    intent, silent = pod.intent, pod.node.silent
    backoff = recorded.backoff
    if silent is not None:
        return "NodeLost" if pod.node.lost else "NodeUnreachable", silent.why
    if intent.wanted == "leave":
        return "Leaving", f"{intent.reason}; {backoff.message}" if backoff else intent.reason
    if intent.end_reason:
        return intent.end_reason, _end_message(intent)
    if pod.running:
        return "", ""
    undone = [one for one, ends in _init_statuses(pod, containers) if not (ends and one.ready)]
    troubled = [one.state for one in (*undone, *containers.main) if one.state.reason]
    if pod.finished:
        troubled = [one.state for one in containers.main if one.state.reason] or troubled
    first = next(
        (state for state in troubled if state.reason not in EXPECTED_REASONS), troubled[0] if troubled else None
    )
    if first is None:
        return ("", backoff.message) if backoff else ("", "")
    return first.reason, first.message or (backoff.message if backoff else "")


def _init_statuses(pod: PodView, containers: ContainerStatuses) -> Iterable[tuple[ContainerStatus, bool]]:
    """Each init container and sidecar, and whether it is one that ends before the others begin."""
    spec = pod.intent.spec
    for status, one in zip(containers.init, spec.init_containers if spec else (), strict=True):
        yield status, not is_sidecar(one)


def _end_message(intent: PodIntent) -> str:
    if intent.spec is None or intent.spec.active_deadline_seconds is None:
        return ""
    return f"it was active for longer than its activeDeadlineSeconds, {intent.spec.active_deadline_seconds}"


def _conditions(pod: PodView, containers: ContainerStatuses) -> Iterable[Condition]:
    yield _SCHEDULED
    yield _initialized(pod, containers)
    yield _containers_ready(pod, containers)
    yield _ready(pod, containers)
    spec = pod.intent.spec
    for gate in spec.readiness_gates if spec else ():
        yield Condition(gate.condition_type, "False" if gate.condition_type in pod.gates else "True")


def _initialized(pod: PodView, containers: ContainerStatuses) -> Condition:
    spec = pod.intent.spec
    if pod.finished == "Succeeded":
        return Condition("Initialized", "True", "PodCompleted")
    if spec is None or not spec.init_containers or pod.running or _is_initialized(pod, spec):
        return Condition("Initialized", "True")
    initial = list(_init_statuses(pod, containers))
    undone = [one.name for one, ends in initial if ends and not one.ready]
    undone += [one.name for one, ends in initial if not ends and not one.started]
    message = f"containers with incomplete status: [{' '.join(undone)}]"
    return Condition("Initialized", "False", "ContainersNotInitialized", message)


def _is_initialized(pod: PodView, spec: PodSpec) -> bool:
    return is_initialized(spec, pod.containers, pod.told.runs, sandbox_needed=pod.shape.sandbox)


def _containers_ready(pod: PodView, containers: ContainerStatuses) -> Condition:
    if pod.finished:
        return Condition("ContainersReady", "False", _finished(pod))
    if pod.node.silent is not None:
        return Condition("ContainersReady", "False", "NodeUnreachable", pod.node.silent.why)
    staying = [one for one, ends in _init_statuses(pod, containers) if not ends]
    unready = [one.name for one in (*staying, *containers.main) if not one.ready]
    if unready or not pod.running:
        notes = (note for name in unready if (note := _note(pod, name)))
        message = "; ".join([f"containers with unready status: [{' '.join(unready)}]", *notes])
        return Condition("ContainersReady", "False", "ContainersNotReady", message)
    return Condition("ContainersReady", "True")


def _note(pod: PodView, name: str) -> str:
    """Why a container that runs is not ready, as far as that is known."""
    found = pod.containers.get(name)
    if found is None:
        return ""
    if found.state == "paused":
        return f"{name}: paused"
    probed = found.probed if found.state == "running" else None
    return f"{name}: {probed.message}" if probed is not None and not probed.ready and probed.message else ""


def _ready(pod: PodView, containers: ContainerStatuses) -> Condition:
    if pod.ready:
        return Condition("Ready", "True")
    rest = _containers_ready(pod, containers)
    if rest.status == "False":
        return Condition("Ready", "False", rest.reason, rest.message)
    if pod.gates:
        gates = "; ".join(f'the status of pod readiness gate "{gate}" is not "True"' for gate in pod.gates)
        return Condition("Ready", "False", "ReadinessGatesNotReady", gates)
    return Condition("Ready", "False", "PortsNotAnswering", "a port that a service uses has not answered yet")


def _finished(pod: PodView) -> str:
    return _completed(pod.finished == "Succeeded")


def _completed(well: bool) -> str:
    return "PodCompleted" if well else "PodFailed"
