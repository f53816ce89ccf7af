"""How Deployments are shown."""

from collections.abc import Sequence
from typing import Final

from reconciler.kinds.apps.replica_set_view import in_words, pods_of, replica_sets_of, template_of
from reconciler.kinds.apps.template_view import template_entries
from reconciler.kinds.core.pod_view import pods_entry
from reconciler.model.api.apps import Deployment, ReplicaSet, RollingUpdateDeployment
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import message_of
from reconciler.reporting.describing.page import (
    Entry,
    entry,
    events_entry,
    heading,
    joined,
    known,
    named,
    page,
)
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, name_column


def _message(deployment: Deployment) -> str:
    """What keeps its pods from being available."""
    return message_of(deployment.status.conditions, "Available")


def _describe(deployment: Deployment, context: Context) -> list[Line]:
    metadata, spec, status = deployment.metadata, deployment.spec, deployment.status
    replica_sets = replica_sets_of(deployment, context)
    old, new = _old_and_new(deployment, replica_sets)
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
            entry("OldReplicaSets", in_words(old)),
            entry("NewReplicaSet", in_words(new)),
            pods_entry(pods_of(replica_sets, context.of(Pod))),
            events_entry(context.events, context.now),
        ]
    )


def _old_and_new(
    deployment: Deployment, replica_sets: Sequence[ReplicaSet]
) -> tuple[list[ReplicaSet], list[ReplicaSet]]:
    """Those of templates before, and the one of the present template: there is none while that is held back."""
    present = deployment.spec.template
    new = [one for one in replica_sets[-1:] if template_of(one) == present]
    return [one for one in replica_sets if one not in new], new


def _rolling(deployment: Deployment) -> tuple[Entry, ...]:
    rolling = deployment.spec.strategy.rolling_update or RollingUpdateDeployment()
    words = f"{rolling.max_unavailable} max unavailable, {rolling.max_surge} max surge"
    return (entry("RollingUpdateStrategy", words),)


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
