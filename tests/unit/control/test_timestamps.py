"""Times are written where objects are published, and only where something has changed."""

from msgspec.structs import replace

from reconciler.control.timestamps import with_timestamps
from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import LoadBalancerIngress, LoadBalancerStatus, Service
from reconciler.model.api.meta import ManifestMetadata, ObjectMeta
from reconciler.model.api.networking import Ingress, IngressSpec, IngressStatus
from reconciler.model.moments import rfc3339
from reconciler.model.names import Ref
from tests import published
from tests.published import condition

REF = Ref("Pod", "shop", "web-0")


def pod(ready: bool, uid: str = "u1", made: float = 0.0) -> Pod:
    conditions = (condition("PodScheduled", True), condition("Ready", ready))
    return published.pod(REF, uid=uid, conditions=conditions, created=made)


def created(thing: object) -> str:
    metadata: ObjectMeta = thing.metadata  # type: ignore[attr-defined]
    return metadata.creation_timestamp


def since(thing: object) -> list[str]:
    assert isinstance(thing, Pod)
    return [one.last_transition_time for one in thing.status.conditions]


def test_a_new_pod_begins_now() -> None:
    found = with_timestamps({}, {REF: pod(False)}, 100.0)[REF]
    assert isinstance(found, Pod)
    assert (created(found), found.status.start_time) == (rfc3339(100), rfc3339(100))
    assert since(found) == [rfc3339(100), rfc3339(100)]


def test_only_what_changed_has_another_time() -> None:
    first = with_timestamps({}, {REF: pod(False)}, 100.0)
    found = with_timestamps(first, {REF: pod(True)}, 160.0)[REF]
    assert created(found) == rfc3339(100)
    assert since(found) == [rfc3339(100), rfc3339(160)]


def test_what_is_unchanged_is_the_same_object() -> None:
    web = Ref("Deployment", "shop", "web")
    first = with_timestamps({}, {REF: pod(True), web: published.deployment(web, 1, 1, 1, 1, 1)}, 100.0)
    again = with_timestamps(first, {REF: pod(True), web: published.deployment(web, 1, 1, 1, 1, 1)}, 200.0)
    assert all(again[ref] is first[ref] for ref in first)


def test_an_ingress_keeps_the_time_it_was_first_seen() -> None:
    ref = Ref("Ingress", "shop", "web")
    ingress = Ingress(ObjectMeta("web", "shop"), IngressSpec())
    heard = IngressStatus(LoadBalancerStatus((LoadBalancerIngress("192.0.2.7"),)))
    first = with_timestamps({}, {ref: ingress}, 100.0)
    later = with_timestamps(first, {ref: replace(ingress, status=heard)}, 160.0)[ref]
    assert isinstance(later, Ingress)
    assert (created(later), later.status) == (rfc3339(100), heard)


def test_with_what_was_planned_before_at_hand_the_times_are_the_same() -> None:
    first = with_timestamps({}, {REF: pod(False)}, 100.0)
    same = with_timestamps(first, {REF: pod(False)}, 160.0, {REF: pod(False)})
    assert same[REF] is first[REF]
    known = with_timestamps(first, {REF: pod(True)}, 160.0, {REF: pod(False)})
    assert known == with_timestamps(first, {REF: pod(True)}, 160.0)


def test_another_pod_of_the_name_begins_anew() -> None:
    first = with_timestamps({}, {REF: pod(True)}, 100.0)
    found = with_timestamps(first, {REF: pod(True, "u2")}, 200.0)[REF]
    assert (created(found), since(found)[0]) == (rfc3339(200), rfc3339(200))


def test_what_is_gone_is_gone() -> None:
    assert with_timestamps(with_timestamps({}, {REF: pod(True)}, 100.0), {}, 200.0) == {}


def test_a_service_is_as_old_as_its_first_status() -> None:
    web = Ref("Service", "shop", "web")
    first = with_timestamps({}, {web: published.service(web)}, 100.0)
    found = with_timestamps(first, {web: published.service(web, "NodePort")}, 200.0)[web]
    assert isinstance(found, Service)
    assert (found.spec.type, created(found)) == ("NodePort", rfc3339(100))


def test_a_pod_that_was_there_before_us_is_as_old_as_its_first_container() -> None:
    (there,) = with_timestamps({}, {REF: pod(True, made=40.0)}, at=100.0).values()
    assert created(there) == rfc3339(40)
    (ahead,) = with_timestamps({}, {REF: pod(True, made=140.0)}, at=100.0).values()
    assert created(ahead) == rfc3339(100), "a host's clock may be ahead of ours"
    (known,) = with_timestamps({REF: there}, {REF: pod(False, made=90.0)}, at=200.0).values()
    assert created(known) == rfc3339(40)


WEB = Ref("Deployment", "shop", "web")


def test_an_object_keeps_its_uid_until_it_goes_and_gets_another_when_it_comes_again() -> None:
    web = published.deployment(WEB, 1, 1, 1, 1, 1)
    first = with_timestamps({}, {WEB: web}, 100.0)
    later = with_timestamps(first, {WEB: published.deployment(WEB, 1, 1, 1, 1, 0)}, 200.0)
    again = with_timestamps({}, {WEB: web}, 300.0)
    uids = [found[WEB].metadata.uid for found in (first, later, again)]
    assert uids[0] == uids[1] != uids[2]
    assert all(uids)


def test_the_generation_counts_specs_and_the_status_says_which_it_is_about() -> None:
    first = with_timestamps({}, {WEB: published.deployment(WEB, 1, 1, 1, 1, 1)}, 100.0)
    same = with_timestamps(first, {WEB: published.deployment(WEB, 1, 1, 1, 1, 0)}, 200.0)
    scaled = with_timestamps(same, {WEB: published.deployment(WEB, 2, 1, 1, 1, 0)}, 300.0)
    assert [found[WEB].metadata.generation for found in (first, same, scaled)] == [1, 1, 2]
    deployment = scaled[WEB]
    assert isinstance(deployment, Deployment)
    assert deployment.status.observed_generation == 2


def test_a_pod_names_the_uid_of_its_owner_and_when_it_is_to_be_gone() -> None:
    web, owned = published.deployment(WEB, 1, 1, 1, 1, 1), published.pod(REF, owner=WEB)
    first = with_timestamps({}, {REF: owned, WEB: web}, 100.0)
    assert [one.uid for one in first[REF].metadata.owner_references] == [first[WEB].metadata.uid]
    leaving = published.pod(REF, owner=WEB, phase="Terminating")
    second = with_timestamps(first, {REF: leaving, WEB: web}, 200.0)
    third = with_timestamps(second, {REF: leaving, WEB: web}, 210.0)
    assert second[REF].metadata.deletion_timestamp == rfc3339(230)
    assert third[REF] is second[REF]


def test_an_object_without_a_status_gets_metadata_as_any_other() -> None:
    ref = Ref("NetworkPolicy", "shop", "closed")
    first = with_timestamps({}, {ref: ManifestMetadata(ObjectMeta("closed", "shop"), "a")}, 100.0)
    assert (first[ref].metadata.generation, created(first[ref])) == (1, rfc3339(100))
    assert first[ref].metadata.uid
    labelled = ManifestMetadata(ObjectMeta("closed", "shop", {"team": "shop"}), "a")
    later = with_timestamps(first, {ref: labelled}, 160.0)
    assert (later[ref].metadata.generation, later[ref].metadata.uid) == (1, first[ref].metadata.uid)
    again = with_timestamps(later, {ref: replace(labelled, digest="b")}, 170.0)
    assert (again[ref].metadata.generation, created(again[ref])) == (2, rfc3339(100))


def test_generations_are_counted_where_upstream_counts_them() -> None:
    ref = Ref("ConfigMap", "shop", "settings")
    first = with_timestamps({}, {ref: ManifestMetadata(ObjectMeta("settings", "shop"), "a", False)}, 100.0)
    later = with_timestamps(first, {ref: ManifestMetadata(ObjectMeta("settings", "shop"), "b", False)}, 160.0)
    assert (later[ref].metadata.generation, later[ref] == first[ref]) == (0, False)
