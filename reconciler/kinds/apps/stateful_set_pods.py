"""What each pod of a StatefulSet has for itself: a name with its number, a host name, labels, and claims.

Rules: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from reconciler.model.api.apps import StatefulSet
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.volume import PersistentVolumeClaimVolumeSource, Volume
from reconciler.model.api.meta import ObjectMeta, OwnerReference
from reconciler.model.desired import Template
from reconciler.model.names import ANNOTATION_RECLAIM, Ref

LABEL_POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
LABEL_POD_INDEX: Final = "apps.kubernetes.io/pod-index"
LABEL_REVISION: Final = "controller-revision-hash"


def ordinals(wanted: StatefulSet) -> range:
    """Return the numbers of the pods that a StatefulSet asks for."""
    start = wanted.spec.ordinals.start
    return range(start, start + wanted.spec.replicas)


def pod_name(wanted: StatefulSet, ordinal: int) -> str:
    """Return the name of the pod of this number."""
    return f"{wanted.metadata.name}-{ordinal}"


def pod_names(wanted: StatefulSet) -> Sequence[str]:
    """Return the names of the pods that a StatefulSet asks for."""
    return [pod_name(wanted, ordinal) for ordinal in ordinals(wanted)]


def ordinal_of(wanted: StatefulSet, pod: str) -> int | None:
    """Return the number of a pod by its name; None for a name that no pod of the StatefulSet can have."""
    name, _, number = pod.rpartition("-")
    if name != wanted.metadata.name or not (number.isascii() and number.isdigit()):
        return None
    return int(number) if str(int(number)) == number else None


def revision_name(wanted: StatefulSet, template_hash: str) -> str:
    """Return the name of one version of a StatefulSet's template, as its status and its pods' labels have it."""
    return f"{wanted.metadata.name}-{template_hash}"


def owner_of_pods(wanted: Ref, _: str) -> OwnerReference:
    """Return what pods of any template belong to: the StatefulSet itself."""
    return OwnerReference("apps/v1", wanted.kind, wanted.name, controller=True)


def template_of_pod(wanted: StatefulSet, template: Template, pod: str) -> Template:
    """Return what the pod of this name is made from."""
    ordinal = ordinal_of(wanted, pod)
    if ordinal is None:
        return template
    labels = {**template.labels, **own_labels(wanted, ordinal)}
    labels[LABEL_REVISION] = revision_name(wanted, template.hash)
    return replace(template, spec=_own_spec(wanted, template.spec, ordinal), labels=labels)


def own_labels(wanted: StatefulSet, ordinal: int) -> Mapping[str, str]:
    """Return the labels that no other pod of the StatefulSet has."""
    return {LABEL_POD_NAME: pod_name(wanted, ordinal), LABEL_POD_INDEX: str(ordinal)}


def with_claims(wanted: StatefulSet, spec: PodSpec, ordinal: int) -> PodSpec:
    """Return a pod's spec with its claims as volumes, which take the place of volumes of the same names."""
    if not wanted.spec.volume_claim_templates:
        return spec
    claims = {one.metadata.name: one for one in wanted.spec.volume_claim_templates}
    others = [volume for volume in spec.volumes if volume.name not in claims]
    own = [
        Volume(name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(_claim_name(wanted, name, ordinal)))
        for name in claims
    ]
    return replace(spec, volumes=(*others, *own))


def claims_of(wanted: StatefulSet) -> Sequence[PersistentVolumeClaim]:
    """Return the claims of all pods, as upstream makes them: with the labels by which the pods are selected.

    What becomes of their data is on each of them: with the pod by its reclaim policy, and with the StatefulSet,
    which it has among its owners then."""
    metadata, policy = wanted.metadata, wanted.spec.persistent_volume_claim_retention_policy
    owners = (OwnerReference("apps/v1", "StatefulSet", metadata.name),) if policy.when_deleted == "Delete" else ()
    reclaim = {ANNOTATION_RECLAIM: "Delete"} if policy.when_scaled == "Delete" else {}
    return [
        PersistentVolumeClaim(
            ObjectMeta(
                _claim_name(wanted, template.metadata.name, ordinal),
                metadata.namespace,
                labels={**template.metadata.labels, **wanted.spec.selector.match_labels},
                annotations={**template.metadata.annotations, **reclaim},
                owner_references=owners,
            ),
            template.spec,
        )
        for template in wanted.spec.volume_claim_templates
        for ordinal in ordinals(wanted)
    ]


def _claim_name(wanted: StatefulSet, template: str, ordinal: int) -> str:
    return f"{template}-{pod_name(wanted, ordinal)}"


def _own_spec(wanted: StatefulSet, spec: PodSpec, ordinal: int) -> PodSpec:
    named = replace(spec, hostname=pod_name(wanted, ordinal), subdomain=wanted.spec.service_name)
    return with_claims(wanted, named, ordinal)
