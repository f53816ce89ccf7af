"""The ReplicaSets of a Deployment: one for each template that it has, or has had."""

from collections.abc import Collection, Sequence

from reconciler.model.api.apps import (
    ANNOTATION_REVISION,
    LABEL_TEMPLATE_HASH,
    Deployment,
    MatchLabelsSelector,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
)
from reconciler.model.api.core.pod import PodSpec, PodTemplateSpec, TemplateMeta
from reconciler.model.api.meta import ObjectMeta, OwnerReference
from reconciler.model.memory import TemplateRevision
from reconciler.model.names import Ref, Uid
from reconciler.planning.state.pods import PodView
from reconciler.planning.workload import Standing

API_VERSION = "apps/v1"


def replica_set_of(owner: Ref, template_hash: str) -> OwnerReference:
    """Name the ReplicaSet that the pods of one template of a Deployment belong to."""
    return _controller("ReplicaSet", f"{owner.name}-{template_hash}")


def replica_sets(standing: Standing[Deployment], available: Collection[Uid]) -> tuple[ReplicaSet, ...]:
    """Return the ReplicaSets of a Deployment, the oldest first. `available` are the pods that count as such."""
    by_hash: dict[str, list[PodView]] = {}
    for pod in standing.owned.staying:
        by_hash.setdefault(pod.intent.hash, []).append(pod)
    return tuple(_replica_set(standing, one, by_hash.get(one.hash, ()), available) for one in standing.revisions)


def newest_revision(standing: Standing[Deployment]) -> int:
    """Return the number of the template that was taken up last; 0 for a Deployment that has taken up none."""
    return max((one.number for one in standing.revisions), default=0)


def _replica_set(
    standing: Standing[Deployment], revision: TemplateRevision, pods: Sequence[PodView], available: Collection[Uid]
) -> ReplicaSet:
    owned = standing.owned
    deployment, name = owned.object, replica_set_of(owned.ref, revision.hash).name
    labels = {**revision.labels, LABEL_TEMPLATE_HASH: revision.hash}
    selector = {**deployment.spec.selector.match_labels, LABEL_TEMPLATE_HASH: revision.hash}
    template = PodTemplateSpec(
        revision.spec or PodSpec(containers=()), TemplateMeta(labels, dict(revision.annotations))
    )
    pending = sum(one.hash == revision.hash for unplaced in standing.unplaced for one in unplaced.pods)
    kept = sum(not pod.node.lost for pod in pods)  # Others take the place of those on lost nodes.
    return ReplicaSet(
        ObjectMeta(
            name,
            owned.ref.namespace,
            labels,
            {ANNOTATION_REVISION: str(revision.number)},
            owner_references=(_controller("Deployment", owned.ref.name),),
        ),
        ReplicaSetSpec(MatchLabelsSelector(selector), template, kept + pending, deployment.spec.min_ready_seconds),
        ReplicaSetStatus(
            replicas=len(pods),
            fully_labeled_replicas=sum(labels.items() <= pod.intent.labels.items() for pod in pods),
            ready_replicas=sum(pod.ready for pod in pods),
            available_replicas=sum(pod.uid in available for pod in pods),
        ),
    )


def _controller(kind: str, name: str) -> OwnerReference:
    return OwnerReference(API_VERSION, kind, name, controller=True, block_owner_deletion=True)
