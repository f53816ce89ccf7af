"""How ReplicaSets are shown, by themselves and on the page of their Deployment."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from reconciler.kinds.apps.template_view import template_entries
from reconciler.kinds.core.pod_view import pods_entry
from reconciler.model.api.apps import ANNOTATION_REVISION, LABEL_TEMPLATE_HASH, ReplicaSet
from reconciler.model.api.core.pod import Pod, PodTemplateSpec
from reconciler.model.api.meta import Object, controller_of
from reconciler.reporting.describing.page import entry, events_entry, heading, joined, known, named, page
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, age_column, name_column


def replica_sets_of(deployment: Object, context: Context) -> list[ReplicaSet]:
    """The ReplicaSets of a Deployment, the oldest first."""
    found = [one for one in context.of(ReplicaSet) if _owns(deployment, one)]
    return sorted(found, key=revision_of)


def revision_of(replica_set: ReplicaSet) -> int:
    """How its template is counted among those of its Deployment."""
    return int(replica_set.metadata.annotations.get(ANNOTATION_REVISION, "0"))


def template_of(replica_set: ReplicaSet) -> PodTemplateSpec:
    """Its template as its Deployment has it: without the label that tells its pods from others."""
    template = replica_set.spec.template
    labels = {key: value for key, value in template.metadata.labels.items() if key != LABEL_TEMPLATE_HASH}
    return replace(template, metadata=replace(template.metadata, labels=labels))


def pods_of(replica_sets: Iterable[ReplicaSet], pods: Iterable[Pod]) -> list[Pod]:
    """The pods that belong to one of these ReplicaSets."""
    names = {(one.metadata.namespace, one.metadata.name) for one in replica_sets}
    return [
        pod
        for pod in pods
        if (owner := controller_of(pod.metadata)) is not None
        and owner.kind == "ReplicaSet"
        and (pod.metadata.namespace, owner.name) in names
    ]


def in_words(replica_sets: Iterable[ReplicaSet]) -> str:
    """Each with how many of its pods are there, as kubectl lists them."""
    shown = [
        f"{one.metadata.name} ({one.status.replicas}/{one.spec.replicas} replicas created)" for one in replica_sets
    ]
    return ", ".join(shown) or NONE


def _owns(deployment: Object, replica_set: ReplicaSet) -> bool:
    owner = controller_of(replica_set.metadata)
    return (
        owner is not None
        and owner.name == deployment.metadata.name
        and replica_set.metadata.namespace == deployment.metadata.namespace
    )


def _describe(replica_set: ReplicaSet, context: Context) -> list[Line]:
    metadata, spec, status = replica_set.metadata, replica_set.spec, replica_set.status
    owner = controller_of(metadata)
    pods = pods_of([replica_set], context.of(Pod))
    return page(
        [
            *named(metadata),
            entry("Selector", joined(spec.selector.match_labels)),
            *known("Controlled By", f"{owner.kind}/{owner.name}" if owner is not None else ""),
            entry("Replicas", f"{status.replicas} current / {spec.replicas} desired"),
            entry("Pods Status", _phases(pods)),
            heading("Pod Template", template_entries(spec.template)),
            pods_entry(pods),
            events_entry(context.events, context.now),
        ]
    )


def _phases(pods: Iterable[Pod]) -> str:
    """How many pods are in each phase, as kubectl counts them."""
    counts = Counter(pod.status.phase for pod in pods)
    return (
        f"{counts['Running']} Running / {counts['Pending']} Waiting / "
        f"{counts['Succeeded']} Succeeded / {counts['Failed']} Failed"
    )


REPLICA_SET_VIEW: Final = View[ReplicaSet](
    columns=(
        name_column(),
        Column("DESIRED", lambda one, _: str(one.spec.replicas), "integer"),
        Column("CURRENT", lambda one, _: str(one.status.replicas), "integer"),
        Column("READY", lambda one, _: str(one.status.ready_replicas), "integer"),
        age_column(),
        Column("CONTAINERS", lambda one, _: _containers(one), priority=1),
        Column("IMAGES", lambda one, _: _images(one), priority=1),
        Column("SELECTOR", lambda one, _: joined(one.spec.selector.match_labels), priority=1),
    ),
    describe=_describe,
)


def _containers(replica_set: ReplicaSet) -> str:
    return ",".join(one.name for one in replica_set.spec.template.spec.containers) or NONE


def _images(replica_set: ReplicaSet) -> str:
    return ",".join(one.image for one in replica_set.spec.template.spec.containers) or NONE
