"""What becomes of the data of a claim that came with another object, once one of the two is gone."""

import pytest
from msgspec.structs import replace

from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.meta import ObjectMeta, OwnerReference, ref_of
from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord
from reconciler.model.names import ANNOTATION_RECLAIM
from reconciler.planning.state.volume_binding import claim_records, released
from tests.simulated import deployment, desired

OWNER = deployment("web")
REF = ref_of(OWNER)
CLAIM = PersistentVolumeClaim(ObjectMeta("data-web-0", "default"))
OWNED = replace(CLAIM.metadata, owner_references=(OwnerReference("apps/v1", "Deployment", "web"),))
AMONG_ITS_OWNERS = replace(CLAIM, metadata=OWNED)
TO_BE_DELETED = replace(CLAIM, metadata=replace(CLAIM.metadata, annotations={ANNOTATION_RECLAIM: "Delete"}))
KEPT = ClaimRecord("node-000", "lab_default_data-web-0", owner=REF)


def with_claim(claim: PersistentVolumeClaim) -> Desired:
    return replace(desired(OWNER, claim), owners={ref_of(claim): REF})


@pytest.mark.parametrize(
    ("claim", "record"),
    [
        (CLAIM, KEPT),
        (TO_BE_DELETED, replace(KEPT, delete=True)),
        (AMONG_ITS_OWNERS, replace(KEPT, delete_with_owner=True)),
    ],
)
def test_what_is_to_become_of_the_data_is_remembered(claim: PersistentVolumeClaim, record: ClaimRecord) -> None:
    known = {ref_of(CLAIM): ClaimRecord(KEPT.node, KEPT.volume)}
    found = claim_records(with_claim(claim), known, {}, {})
    assert found == {ref_of(CLAIM): record}
    assert claim_records(with_claim(claim), found, {}, {}) is found


@pytest.mark.parametrize("delete", [False, True])
@pytest.mark.parametrize("with_owner", [False, True])
def test_the_data_goes_with_the_claim_or_with_its_owner(delete: bool, with_owner: bool) -> None:
    records = {ref_of(CLAIM): replace(KEPT, delete=delete, delete_with_owner=with_owner)}
    assert released(with_claim(CLAIM), records) == {}
    assert bool(released(desired(OWNER), records)) == delete
    assert bool(released(desired(), records)) == with_owner


@pytest.mark.parametrize("delete", [False, True])
def test_a_claim_of_a_manifest_goes_by_its_own_policy_alone(delete: bool) -> None:
    records = {ref_of(CLAIM): replace(KEPT, owner=None, delete=delete)}
    assert bool(released(desired(), records)) == delete
