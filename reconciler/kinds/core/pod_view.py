"""How pods are shown: the columns of `kubectl get pods`, and the page of one.

Rules: https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go (printPod)
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.container_status import ContainerStateTerminated, ContainerStatus
from reconciler.model.api.core.pod import Pod, PodSpec, Toleration, is_pod_ready, is_terminating
from reconciler.model.api.meta import Condition, controller_of, holds
from reconciler.model.moments import unix_seconds
from reconciler.reporting.ages import age
from reconciler.reporting.describing.containers import container_entry
from reconciler.reporting.describing.page import (
    Entry,
    entry,
    events_entry,
    heading,
    known,
    moment_of,
    page,
    pairs,
    rows,
)
from reconciler.reporting.describing.volumes import volume_entry
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, age_column, name_column

STANDARD_CONDITIONS: Final = frozenset({"PodScheduled", "Initialized", "ContainersReady", "Ready"})
"""The types of conditions that every pod has; every other one is a readiness gate."""
_EXPECTED: Final = frozenset({"", "PodInitializing", "ContainerCreating"})


def pod_state(pod: Pod) -> str:
    """The word in kubectl's column STATUS: the phase, unless a container has more to say."""
    status = pod.status
    if status.phase == "Unknown":
        return "Unknown"
    if is_terminating(pod):
        return "Terminating"
    if words := _initializing(pod):
        return words
    words = status.phase if status.reason == "Unschedulable" else status.reason or status.phase
    running = False
    for container in reversed(status.container_statuses):
        running = running or (container.state.running is not None and container.ready)
        if container.state.waiting is not None and container.state.waiting.reason:
            words = container.state.waiting.reason
        elif container.state.terminated is not None:
            words = _end(container.state.terminated)
    if words == "Completed" and running:
        return "Running" if is_pod_ready(pod) else "NotReady"
    return words


def pods_entry(pods: Iterable[Pod], *, namespaces: bool = False) -> Entry:
    """The pods of another object on its page, with how they stand and where they are."""
    ordered = sorted(pods, key=lambda pod: (pod.metadata.namespace, pod.metadata.name))
    if not ordered:
        return entry("Pods", NONE)
    header = (*(("Namespace",) if namespaces else ()), "Name", "Status", "Node")
    listed = [
        (
            *((pod.metadata.namespace,) if namespaces else ()),
            pod.metadata.name,
            pod_state(pod),
            pod.spec.node_name or NONE,
        )
        for pod in ordered
    ]
    return heading("Pods", [rows([header, *listed])])


def _sidecars(pod: Pod) -> frozenset[str]:
    return frozenset(one.name for one in pod.spec.init_containers if is_sidecar(one))


def _ready(pod: Pod, _: Context) -> str:
    sidecars = _sidecars(pod)
    staying = [one for one in pod.status.init_container_statuses if one.name in sidecars]
    counted = [*staying, *pod.status.container_statuses]
    return f"{sum(one.ready for one in counted)}/{len(counted)}"


def _initializing(pod: Pod) -> str:
    """What holds the main containers up; empty where nothing does."""
    if holds(pod.status.conditions, "Initialized"):
        return ""
    before, sidecars = pod.status.init_container_statuses, _sidecars(pod)
    for number, container in enumerate(before):
        state, stays = container.state, container.name in sidecars
        if container.started if stays else state.terminated is not None and state.terminated.exit_code == 0:
            continue
        if state.terminated is not None:
            return f"Init:{_end(state.terminated)}"
        if state.waiting is not None and state.waiting.reason not in _EXPECTED:
            return f"Init:{state.waiting.reason}"
        return f"Init:{number}/{len(before)}"
    return ""


def _end(end: ContainerStateTerminated) -> str:
    code = end.exit_code or 0
    return end.reason or (f"Signal:{code - 128}" if code > 128 else f"ExitCode:{code}")


def _restarts(pod: Pod, context: Context) -> str:
    """While it initializes, of init containers; later, of all that stay."""
    before, sidecars = pod.status.init_container_statuses, _sidecars(pod)
    staying = [one for one in before if one.name in sidecars]
    counted = before if _initializing(pod) else (*staying, *pod.status.container_statuses)
    number = sum(one.restart_count for one in counted)
    last = max(_ends(counted), default=0.0)
    now = context.now
    return f"{number} ({age(now - last)} ago)" if number and last and now else str(number)


def _ends(containers: Iterable[ContainerStatus]) -> list[float]:
    ends = [one.last_state.terminated for one in containers if one.last_state is not None]
    return [unix_seconds(end.finished_at) for end in ends if end is not None]


def _gates(pod: Pod, _: Context) -> str:
    gates = [one.status == "True" for one in pod.status.conditions if one.type not in STANDARD_CONDITIONS]
    return f"{sum(gates)}/{len(gates)}" if gates else NONE


def _describe(pod: Pod, context: Context) -> list[Line]:
    status, metadata = pod.status, pod.metadata
    owner = controller_of(metadata)
    spec = pod.spec if pod.spec.node_name and pod.spec.containers else None
    return page(
        [
            entry("Name", metadata.name),
            entry("Namespace", metadata.namespace),
            entry("Node", pod.spec.node_name or NONE),
            *known("Start Time", moment_of(metadata.creation_timestamp)),
            pairs("Labels", metadata.labels),
            pairs("Annotations", metadata.annotations, ": "),
            entry("Status", "Terminating" if pod_state(pod) == "Terminating" else status.phase),
            *known("Reason", status.reason),
            *known("Message", status.message),
            entry("IP", status.pod_ip),
            *known("Controlled By", f"{owner.kind}/{owner.name}" if owner else ""),
            *_containers("Init Containers", status.init_container_statuses, spec),
            *_containers("Containers", status.container_statuses, spec),
            *([_conditions(status.conditions)] if status.conditions else []),
            *_volumes(spec),
            entry("QoS Class", status.qos_class),
            pairs("Node-Selectors", spec.node_selector if spec else {}),
            Entry(
                "Tolerations",
                tuple(_toleration(one) for one in spec.tolerations) if spec and spec.tolerations else (NONE,),
            ),
            events_entry(context.events, context.now),
        ]
    )


def _containers(label: str, statuses: Sequence[ContainerStatus], spec: PodSpec | None) -> list[Entry]:
    declared: dict[str, Container] = (
        {one.name: one for one in chain(spec.init_containers, spec.containers)} if spec else {}
    )
    shown = [container_entry(one, declared.get(one.name)) for one in statuses]
    return [heading(label, shown)] if shown else []


def _conditions(conditions: Sequence[Condition]) -> Entry:
    """kubectl's two columns, and why where it is known."""
    listed = [(one.type, one.status, ": ".join(filter(None, (one.reason, one.message)))) for one in conditions]
    return heading("Conditions", [rows([("Type", "Status", ""), *listed])])


def _volumes(spec: PodSpec | None) -> list[Entry]:
    if spec is None:
        return []
    if not spec.volumes:
        return [entry("Volumes", NONE)]
    return [heading("Volumes", [volume_entry(one) for one in spec.volumes])]


def _toleration(toleration: Toleration) -> str:
    """`key=value:NoSchedule op=Exists`, as kubectl writes it."""
    words = toleration.key
    if toleration.value:
        words += f"={toleration.value}"
    if toleration.effect:
        words += f":{toleration.effect}"
    if toleration.operator == "Exists":
        words += " op=Exists"
    return words.strip()


POD_VIEW: Final = View[Pod](
    columns=(
        name_column(),
        Column("READY", _ready),
        Column("STATUS", lambda pod, _: pod_state(pod)),
        Column("RESTARTS", _restarts),
        age_column(),
        Column("IP", lambda pod, _: pod.status.pod_ip or NONE, priority=1),
        Column("NODE", lambda pod, _: pod.spec.node_name or NONE, priority=1),
        Column("READINESS GATES", _gates, priority=1),
        Column("MESSAGE", lambda pod, _: pod.status.message or NONE, priority=1),
    ),
    describe=_describe,
)
