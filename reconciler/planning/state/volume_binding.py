"""Claims: which node has a claim's data. Bound with the first pod that is placed, and remembered for good.

Should the memory be lost, a claim is bound where its Docker volume is found. Data is never passed over silently: a
claim that no record binds waits for every node that was never seen.
"""

from collections.abc import Mapping, Sequence

from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, PodIntent
from reconciler.model.names import ANNOTATION_RECLAIM, Ref, Uid
from reconciler.planning.kubelet.volumes import claim_of_volume, claim_volume
from reconciler.planning.state.nodes import NodeView

_DELETE = "Delete"
VolumeLocations = Mapping[str, Sequence[str]]
"""The nodes that have each claim's volume, by the volume's name."""


def claims_of(namespace: str, spec: PodSpec | None) -> tuple[Ref, ...]:
    if spec is None or not spec.volumes:
        return ()
    return tuple(
        Ref("PersistentVolumeClaim", namespace, volume.persistent_volume_claim.claim_name)
        for volume in spec.volumes
        if volume.persistent_volume_claim is not None
    )


def claim_records(
    desired: Desired,
    known: Mapping[Ref, ClaimRecord],
    pods: Mapping[Uid, PodIntent],
    found: VolumeLocations,
) -> Mapping[Ref, ClaimRecord]:
    """Return where the data of each claim is: as remembered, as pods just placed or taken over have it, or on the
    node that is found to have it, whether the claim is in the revision or not. It is the mapping given if nothing
    changes.
    """
    cluster = desired.cluster.metadata.name
    fresh: dict[Ref, ClaimRecord] = {}
    for intent in pods.values() if desired.of(PersistentVolumeClaim) else ():
        if intent.spec is None or not intent.spec.volumes:
            continue
        for ref in claims_of(intent.namespace, intent.spec):
            if ref not in known and ref not in fresh:
                fresh[ref] = ClaimRecord(intent.node, claim_volume(cluster, ref.namespace, ref.name))
    for volume, homes in found.items():
        claim_ref = claim_of_volume(cluster, volume)
        if claim_ref is not None and claim_ref not in known and claim_ref not in fresh and len(homes) == 1:
            fresh[claim_ref] = ClaimRecord(homes[0], volume)
    bound = {**known, **fresh} if fresh else known
    wanted, policies = desired.of(PersistentVolumeClaim), {}
    for ref, claim in wanted.items():
        record = bound.get(ref)
        policy = _policy(claim, desired.owners.get(ref))
        policies[policy[1]] = policy
        if record is not None and policy != (record.delete, record.owner, record.delete_with_owner):
            fresh[ref] = ClaimRecord(record.node, record.volume, *policy)
    for ref, record in bound.items() if policies else ():
        if ref not in wanted and record.owner is not None and record.owner in policies:
            # An owner that keeps data from now on keeps also what it has left behind; never the other way round.
            delete, owner, with_owner = policies[record.owner]
            kept = (record.delete and delete, owner, record.delete_with_owner and with_owner)
            if kept != (record.delete, record.owner, record.delete_with_owner):
                fresh[ref] = ClaimRecord(record.node, record.volume, *kept)
    return {**known, **fresh} if fresh else known


def released(desired: Desired, claims: Mapping[Ref, ClaimRecord]) -> Mapping[Ref, ClaimRecord]:
    """The claims that are gone, and whose data is to go with them: by their own reclaim policy, or by what is to
    become of it with the object that they came with."""
    there, owners = desired.of(PersistentVolumeClaim), desired.templates
    return {
        ref: record
        for ref, record in claims.items()
        if ref not in there
        and (record.delete if record.owner is None or record.owner in owners else record.delete_with_owner)
    }


def unlisted(nodes: Mapping[str, NodeView]) -> NodeView | None:
    """Find the first node that may have volumes that nobody knows of; None: there is none.

    What a node that has been seen before has is on record: the state is as old as that.
    """
    for node in nodes.values():
        if node.last is None and not node.record.engine_id:
            return node
        if node.last is not None and node.last.volumes is None:
            return node
    return None


def undecided(cluster: str, ref: Ref, unlisted: NodeView | None, found: VolumeLocations) -> str:
    """Say why a claim without a record must not be bound yet, in words; empty: no node can have data of it."""
    homes = found.get(claim_volume(cluster, ref.namespace, ref.name), [])
    if len(homes) > 1:
        where = " and on ".join(homes)
        return f"its claim {ref.name} has data on {where}: remove the Docker volume that is not wanted"
    if unlisted is None:
        return ""
    why = "which has not been seen yet" if unlisted.last is None else "whose Docker does not list its volumes"
    return f"its claim {ref.name} may have data on {unlisted.name}, {why}"


def volumes_found(nodes: Mapping[str, NodeView]) -> VolumeLocations:
    """Return which nodes have each volume, as they were last seen."""
    found: dict[str, list[str]] = {}
    for node in nodes.values():
        for volume in (node.last.volumes if node.last else None) or ():
            found.setdefault(volume, []).append(node.name)
    return found


def _policy(claim: PersistentVolumeClaim, owner: Ref | None) -> tuple[bool, Ref | None, bool]:
    """Whether the data goes with the claim, what the claim came with, and whether the data goes with that: as
    upstream, the claim then has it among its owners."""
    deleted = claim.metadata.annotations.get(ANNOTATION_RECLAIM) == _DELETE
    owned = owner is not None and any(
        (one.kind, one.name) == (owner.kind, owner.name) for one in claim.metadata.owner_references
    )
    return deleted, owner, owned
