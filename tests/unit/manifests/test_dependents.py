"""Objects that come with another one, where no manifest holds them: here each Namespace brings two claims."""

from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from reconciler.kinds import ADMITTED
from reconciler.manifests.admission import AdmittedKind, AdmittedKinds
from reconciler.manifests.loader import Loader
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.desired import Desired, Rejected
from reconciler.model.names import Ref
from tests.good_revision import GOOD, SnapshotOf

SHOP = Ref("Namespace", "", "shop")
FIRST, SECOND = (Ref("PersistentVolumeClaim", "shop", name) for name in ("first", "second"))
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: first, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
USER = """\
apiVersion: v1
kind: Pod
metadata: {name: user, namespace: shop}
spec:
  containers: [{name: app, image: "app:1", volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: second}}]
"""


def two_claims(namespace: Namespace) -> Sequence[Object]:
    name = namespace.metadata.name
    return [PersistentVolumeClaim(ObjectMeta(one, name)) for one in ("first", "second")]


@pytest.fixture
def loader() -> Loader:
    known = ADMITTED.by_kind["Namespace"]
    kind = AdmittedKind(known.names, replace(known.admission, dependents=two_claims))
    return Loader(AdmittedKinds({**ADMITTED.by_kind, "Namespace": kind}, ADMITTED.instead))


def load(loader: Loader, snapshot: SnapshotOf, files: Mapping[str, str]) -> Desired:
    result = loader.load(snapshot({**GOOD, **files}))
    assert isinstance(result, Desired), [str(problem) for problem in result.problems]
    return result


def test_they_are_there_and_nobody_has_written_them(loader: Loader, snapshot: SnapshotOf) -> None:
    desired = load(loader, snapshot, {"shop.yaml": NAMESPACE})
    assert desired.owners == {FIRST: SHOP, SECOND: SHOP}
    assert desired.of(PersistentVolumeClaim).keys() == {FIRST, SECOND}
    assert desired.places[FIRST] == desired.places[SHOP]
    assert FIRST not in desired.manifests


def test_they_stay_the_same_objects_and_go_with_their_owner(loader: Loader, snapshot: SnapshotOf) -> None:
    before = load(loader, snapshot, {"shop.yaml": NAMESPACE})
    same = load(loader, snapshot, {"shop.yaml": f"# read anew\n{NAMESPACE}"})
    assert same.of(PersistentVolumeClaim) is before.of(PersistentVolumeClaim)
    assert same.owners is before.owners
    gone = load(loader, snapshot, {})
    assert (gone.of(PersistentVolumeClaim), gone.owners) == ({}, {})


def test_a_manifest_of_the_name_takes_the_place(loader: Loader, snapshot: SnapshotOf) -> None:
    for _ in range(2):
        written = load(loader, snapshot, {"shop.yaml": NAMESPACE, "claim.yaml": CLAIM})
        assert written.owners == {SECOND: SHOP}
        assert written.of(PersistentVolumeClaim)[FIRST].spec.access_modes == ("ReadWriteOnce",)
        assert FIRST in written.manifests
        without = load(loader, snapshot, {"shop.yaml": NAMESPACE})
        assert without.owners == {FIRST: SHOP, SECOND: SHOP}
        assert without.of(PersistentVolumeClaim)[FIRST].spec.access_modes == ()
        assert FIRST not in without.manifests


def test_others_may_refer_to_them_while_they_are_there(loader: Loader, snapshot: SnapshotOf) -> None:
    assert load(loader, snapshot, {"shop.yaml": NAMESPACE, "user.yaml": USER})
    bare = Loader(ADMITTED).load(snapshot({**GOOD, "shop.yaml": NAMESPACE, "user.yaml": USER}))
    assert isinstance(bare, Rejected)
    assert [problem.message for problem in bare.problems] == ["there is no PersistentVolumeClaim shop/second"]
