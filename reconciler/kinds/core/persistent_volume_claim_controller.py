"""What planning says of a PersistentVolumeClaim. Where its data is, the scheduler decides with the first pod."""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec.structs import replace

from reconciler.model.api.core.persistent_volume_claim import (
    ANNOTATION_SELECTED_NODE,
    PersistentVolumeClaim,
    PersistentVolumeClaimStatus,
)
from reconciler.model.api.meta import Condition, ref_of
from reconciler.model.memory import ClaimRecord
from reconciler.model.plan import Status
from reconciler.planning.controller import ClusterState, Controller
from reconciler.planning.state.volume_binding import undecided, unlisted

_WAITS: Final = "waits for the first pod that uses it"
_WAY_OUT: Final = (
    "its data is on {node}, which is not in the manifests: put the Node back; or copy the data into the Docker "
    "volume {volume} of another node and give the claim up on this one by `reconciler node reset {node} SOURCE`, "
    "with --forget where the host is gone: then it is found where the volume is, or begins anew, empty"
)


def _status(claim: PersistentVolumeClaim, state: ClusterState) -> Iterator[Status]:
    """A claim with the volume and the node that have its data."""
    record = state.memory.claims.get(ref_of(claim))
    yield _pending(claim, state) if record is None else _bound(claim, record, state)


def _pending(claim: PersistentVolumeClaim, state: ClusterState) -> PersistentVolumeClaim:
    cluster = state.desired.cluster.metadata.name
    why = undecided(cluster, ref_of(claim), unlisted(state.nodes), state.volumes) or _WAITS
    return replace(claim, status=PersistentVolumeClaimStatus("Pending", conditions=(_condition("False", why),)))


def _bound(claim: PersistentVolumeClaim, record: ClaimRecord, state: ClusterState) -> PersistentVolumeClaim:
    metadata, spec = claim.metadata, replace(claim.spec, volume_name=record.volume)
    given = {**metadata.annotations, ANNOTATION_SELECTED_NODE: record.node}
    if record.node not in state.nodes:
        why = _WAY_OUT.format(node=record.node, volume=record.volume)
        status = PersistentVolumeClaimStatus("Lost", conditions=(_condition("False", why),))
    else:
        others = [name for name in state.volumes.get(record.volume, ()) if name != record.node]
        message = f"there is a volume of it on {' and on '.join(others)} too, which is not used" if others else ""
        requests = spec.resources.requests
        capacity = {"storage": requests["storage"]} if "storage" in requests else {}
        conditions = (_condition("True", message),)
        status = PersistentVolumeClaimStatus("Bound", spec.access_modes, capacity, conditions)
    return replace(claim, metadata=replace(metadata, annotations=given), spec=spec, status=status)


def _condition(status: Literal["True", "False"], message: str) -> Condition:
    return Condition("Bound", status, message=message)


PERSISTENT_VOLUME_CLAIM_CONTROLLER = Controller(type=PersistentVolumeClaim, status=_status)
