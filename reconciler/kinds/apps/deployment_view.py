"""How Deployments are shown."""

from typing import Final

from reconciler.kinds.core.pod_view import pods_entry
from reconciler.model.api.apps import Deployment, RollingUpdateDeployment
from reconciler.model.api.core.pod import Pod, PodTemplateSpec
from reconciler.model.api.meta import controller_of, message_of
from reconciler.reporting.describing.page import (
    Entry,
    entry,
    events_entry,
    heading,
    joined,
    known,
    named,
    page,
    pairs,
)
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, name_column


def _message(deployment: Deployment) -> str:
    """What keeps its pods from being available."""
    return message_of(deployment.status.conditions, "Available")


def _describe(deployment: Deployment, context: Context) -> list[Line]:
    metadata, spec, status = deployment.metadata, deployment.spec, deployment.status
    return page(
        [
            *named(metadata),
            entry("Selector", joined(spec.selector.match_labels)),
            entry(
                "Replicas",
                f"{spec.replicas} desired | {status.updated_replicas} updated | {status.replicas} total | "
                f"{status.available_replicas} available | {status.unavailable_replicas} unavailable",
            ),
            entry("StrategyType", spec.strategy.type),
            entry("MinReadySeconds", str(spec.min_ready_seconds)),
            *(_rolling(deployment) if spec.strategy.type == "RollingUpdate" else ()),
            *known("Message", _message(deployment)),
            heading("Pod Template", template_entries(spec.template)),
            pods_entry(pod for pods in context.pods.values() for pod in pods if _owns(deployment, pod)),
            events_entry(context.events, context.now),
        ]
    )


def _owns(deployment: Deployment, pod: Pod) -> bool:
    owner = controller_of(pod.metadata)
    return (
        owner is not None
        and (owner.kind, owner.name) == ("Deployment", deployment.metadata.name)
        and pod.metadata.namespace == deployment.metadata.namespace
    )


def _rolling(deployment: Deployment) -> tuple[Entry, ...]:
    rolling = deployment.spec.strategy.rolling_update or RollingUpdateDeployment()
    words = f"{rolling.max_unavailable} max unavailable, {rolling.max_surge} max surge"
    return (entry("RollingUpdateStrategy", words),)


def template_entries(template: PodTemplateSpec) -> list[Entry]:
    """The labels and the images that pods of a template have."""
    shown = [pairs("Labels", template.metadata.labels)]
    for label, containers in (
        ("Init Containers", template.spec.init_containers),
        ("Containers", template.spec.containers),
    ):
        if containers:
            shown.append(heading(label, [entry(one.name, one.image) for one in containers]))
    return shown


DEPLOYMENT_VIEW: Final = View[Deployment](
    columns=(
        name_column(),
        Column("READY", lambda one, _: f"{one.status.ready_replicas}/{one.spec.replicas}"),
        Column("UP-TO-DATE", lambda one, _: str(one.status.updated_replicas), "integer"),
        Column("AVAILABLE", lambda one, _: str(one.status.available_replicas), "integer"),
        Column("MESSAGE", lambda one, _: _message(one) or NONE, priority=1),
    ),
    describe=_describe,
)
