"""A pod's page."""

from collections.abc import Mapping, Sequence

from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec, Toleration
from reconciler.model.memory import PodIntent
from reconciler.model.plan import Condition, PodStatus
from reconciler.model.records import Event
from reconciler.reporting.describing.containers import container_entry
from reconciler.reporting.describing.page import (
    NONE,
    Entry,
    entry,
    events_entry,
    heading,
    known,
    moment,
    page,
    pairs,
    rows,
)
from reconciler.reporting.describing.volumes import volume_entry
from reconciler.reporting.lines import Line


def describe_pod(
    pod: PodStatus,
    intent: PodIntent | None,
    annotations: Mapping[str, str],
    events: Sequence[Event],
    now: float,
) -> list[Line]:
    """`intent` None: it fits on no node yet. `now` is Unix seconds."""
    spec = intent.spec if intent else None
    return page(
        [
            entry("Name", pod.ref.name),
            entry("Namespace", pod.ref.namespace),
            entry("Node", pod.node or NONE),
            *known("Start Time", moment(pod.created)),
            pairs("Labels", intent.labels if intent else {}),
            pairs("Annotations", annotations, ": "),
            entry("Status", pod.phase),
            *known("Reason", pod.reason),
            *known("Message", pod.message),
            entry("IP", pod.ip),
            *known("Controlled By", pod.owner.as_label() if pod.owner else ""),
            *_containers("Init Containers", pod, spec, main=False),
            *_containers("Containers", pod, spec, main=True),
            *([_conditions(pod.conditions)] if pod.conditions else []),
            *_volumes(spec),
            entry("QoS Class", pod.qos),
            pairs("Node-Selectors", spec.node_selector if spec else {}),
            Entry(
                "Tolerations",
                tuple(_toleration(one) for one in spec.tolerations) if spec and spec.tolerations else (NONE,),
            ),
            events_entry(events, now),
        ]
    )


def _containers(label: str, pod: PodStatus, spec: PodSpec | None, *, main: bool) -> list[Entry]:
    wanted: dict[str, Container] = (
        {one.name: one for one in (*spec.init_containers, *spec.containers)} if spec else {}
    )
    shown = [
        container_entry(one, wanted.get(one.name)) for one in pod.containers if (one.kind == "container") == main
    ]
    return [heading(label, shown)] if shown else []


def _conditions(conditions: Sequence[Condition]) -> Entry:
    """kubectl's two columns, and why where it is known."""
    told = [(one.type, str(one.status), ": ".join(filter(None, (one.reason, one.message)))) for one in conditions]
    return heading("Conditions", [rows([("Type", "Status", ""), *told])])


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
