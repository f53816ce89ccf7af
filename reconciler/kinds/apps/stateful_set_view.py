"""How StatefulSets are shown."""

from typing import Final

from reconciler.kinds.apps.stateful_set_rollout import max_unavailable
from reconciler.kinds.apps.template_view import template_entries
from reconciler.kinds.core.pod_view import pods_entry
from reconciler.model.api.apps import RollingUpdateStatefulSetStrategy, StatefulSet
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import controller_of, message_of
from reconciler.reporting.describing.page import Entry, entry, events_entry, heading, joined, known, named, page
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, age_column, name_column


def _describe(wanted: StatefulSet, context: Context) -> list[Line]:
    spec, status = wanted.spec, wanted.status
    pods = [pod for pod in context.of(Pod) if _owns(wanted, pod)]
    phases = [pod.status.phase for pod in pods]
    return page(
        [
            *named(wanted.metadata),
            entry("Selector", joined(spec.selector.match_labels)),
            entry("Replicas", f"{spec.replicas} desired | {status.replicas} total"),
            entry("Update Strategy", spec.update_strategy.type),
            *(_rolling(wanted) if spec.update_strategy.type == "RollingUpdate" else ()),
            entry("Pod Management", spec.pod_management_policy),
            entry("Service", spec.service_name or NONE),
            entry("Revision", _revisions(wanted)),
            entry(
                "Pods Status",
                f"{phases.count('Running')} Running / {phases.count('Pending')} Waiting / "
                f"{phases.count('Succeeded')} Succeeded / {phases.count('Failed')} Failed",
            ),
            *known("Message", message_of(status.conditions, "Available")),
            heading("Pod Template", template_entries(spec.template)),
            _claims(wanted),
            pods_entry(pods),
            events_entry(context.events, context.now),
        ]
    )


def _owns(wanted: StatefulSet, pod: Pod) -> bool:
    owner = controller_of(pod.metadata)
    return (
        owner is not None
        and (owner.kind, owner.name) == ("StatefulSet", wanted.metadata.name)
        and pod.metadata.namespace == wanted.metadata.namespace
    )


def _rolling(wanted: StatefulSet) -> tuple[Entry, ...]:
    rolling = wanted.spec.update_strategy.rolling_update or RollingUpdateStatefulSetStrategy()
    return (entry("  Partition", str(rolling.partition)), entry("  Max Unavailable", str(max_unavailable(wanted))))


def _revisions(wanted: StatefulSet) -> str:
    status = wanted.status
    if status.current_revision == status.update_revision:
        return status.update_revision or NONE
    return f"{status.current_revision} to {status.update_revision}, {status.updated_replicas} updated"


def _claims(wanted: StatefulSet) -> Entry:
    templates = wanted.spec.volume_claim_templates
    if not templates:
        return entry("Volume Claims", NONE)
    policy = wanted.spec.persistent_volume_claim_retention_policy
    shown = [
        heading(
            one.metadata.name,
            [
                entry("Capacity", one.spec.resources.requests["storage"].text),
                entry("Access Modes", ",".join(one.spec.access_modes)),
            ],
        )
        for one in templates
    ]
    retention = entry("Retention", f"{policy.when_scaled} when scaled, {policy.when_deleted} when deleted")
    return heading("Volume Claims", [*shown, retention])


def _containers(wanted: StatefulSet, _: Context) -> str:
    return ",".join(one.name for one in wanted.spec.template.spec.containers)


def _images(wanted: StatefulSet, _: Context) -> str:
    return ",".join(one.image for one in wanted.spec.template.spec.containers)


STATEFUL_SET_VIEW: Final = View[StatefulSet](
    columns=(
        name_column(),
        Column("READY", lambda one, _: f"{one.status.ready_replicas}/{one.spec.replicas}"),
        age_column(),
        Column("CONTAINERS", _containers, priority=1),
        Column("IMAGES", _images, priority=1),
        Column("MESSAGE", lambda one, _: message_of(one.status.conditions, "Available") or NONE, priority=1),
    ),
    describe=_describe,
)
