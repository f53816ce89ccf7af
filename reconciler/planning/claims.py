"""Claims: which node has a claim's data. Bound with the first pod that is placed, and remembered for good."""

from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, PodIntent
from reconciler.model.names import ANNOTATION_RECLAIM, Ref, Uid
from reconciler.model.objects import PersistentVolumeClaim
from reconciler.model.plan import ClaimStatus
from reconciler.model.pods import PodSpec
from reconciler.planning.volumes import claim_volume

_DELETE = "Delete"
_WAITS = "waits for the first pod that uses it"


def claims_of(namespace: str, spec: PodSpec | None) -> tuple[Ref, ...]:
    if spec is None or not spec.volumes:
        return ()
    return tuple(
        Ref("PersistentVolumeClaim", namespace, volume.persistent_volume_claim.claim_name)
        for volume in spec.volumes
        if volume.persistent_volume_claim is not None
    )


def claim_records(
    desired: Desired, known: Mapping[Ref, ClaimRecord], pods: Mapping[Uid, PodIntent]
) -> Mapping[Ref, ClaimRecord]:
    """Those remembered and those of pods just placed or taken over; the mapping given where nothing changes."""
    if not desired.claims:
        return known
    cluster = desired.cluster.metadata.name
    fresh: dict[Ref, ClaimRecord] = {}
    for intent in pods.values():
        if intent.spec is None or not intent.spec.volumes:
            continue
        for ref in claims_of(intent.namespace, intent.spec):
            if ref not in known and ref not in fresh:
                fresh[ref] = ClaimRecord(intent.node, claim_volume(cluster, ref.namespace, ref.name))
    bound = {**known, **fresh} if fresh else known
    for ref, claim in desired.claims.items():
        record = bound.get(ref)
        if record is not None and record.delete != _is_deleted(claim):
            fresh[ref] = replace(record, delete=not record.delete)
    return {**known, **fresh} if fresh else known


def claim_status(ref: Ref, record: ClaimRecord | None) -> ClaimStatus:
    if record is None:
        return ClaimStatus(ref, "Pending", message=_WAITS)
    return ClaimStatus(ref, "Bound", record.node, record.volume)


def _is_deleted(claim: PersistentVolumeClaim) -> bool:
    return claim.metadata.annotations.get(ANNOTATION_RECLAIM) == _DELETE
