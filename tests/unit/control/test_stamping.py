"""Times are written where statuses are published, and only where something has changed."""

from msgspec.structs import replace

from reconciler.control.stamping import stamped
from reconciler.model.names import Ref
from reconciler.model.plan import Condition, DeploymentStatus, IngressStatus, PodStatus, ServiceStatus

REF = Ref("Pod", "shop", "web-0")


def pod(ready: bool, uid: str = "u1") -> PodStatus:
    conditions = (Condition("PodScheduled", True), Condition("Ready", ready))
    return PodStatus(REF, uid, "node-1", "", "Running", ready, conditions=conditions)


def test_a_new_pod_begins_now() -> None:
    status = stamped({}, {REF: pod(False)}, 100.0)[REF]
    assert isinstance(status, PodStatus)
    assert status.created == 100.0
    assert [one.since for one in status.conditions] == [100.0, 100.0]


def test_only_what_changed_has_another_time() -> None:
    first = stamped({}, {REF: pod(False)}, 100.0)
    status = stamped(first, {REF: pod(True)}, 160.0)[REF]
    assert isinstance(status, PodStatus)
    assert status.created == 100.0
    assert [one.since for one in status.conditions] == [100.0, 160.0]


def test_what_is_unchanged_is_the_same_object() -> None:
    deployment = Ref("Deployment", "shop", "web")
    first = stamped({}, {REF: pod(True), deployment: DeploymentStatus(deployment, 1, 1, 1, 1, 1)}, 100.0)
    again = stamped(first, {REF: pod(True), deployment: DeploymentStatus(deployment, 1, 1, 1, 1, 1)}, 200.0)
    assert all(again[ref] is first[ref] for ref in first)


def test_an_ingress_keeps_the_time_it_was_first_seen() -> None:
    ref = Ref("Ingress", "shop", "web")
    first = stamped({}, {ref: IngressStatus(ref, "", (), (), (80,))}, 100.0)
    later = stamped(first, {ref: IngressStatus(ref, "", (), ("192.0.2.7",), (80,))}, 160.0)[ref]
    assert isinstance(later, IngressStatus)
    assert (later.created, later.addresses) == (100.0, ("192.0.2.7",))


def test_with_what_was_planned_before_at_hand_the_times_are_the_same() -> None:
    first = stamped({}, {REF: pod(False)}, 100.0)
    same = stamped(first, {REF: pod(False)}, 160.0, {REF: pod(False)})
    assert same[REF] is first[REF]
    assert stamped(first, {REF: pod(True)}, 160.0, {REF: pod(False)}) == stamped(first, {REF: pod(True)}, 160.0)


def test_another_pod_of_the_name_begins_anew() -> None:
    first = stamped({}, {REF: pod(True)}, 100.0)
    status = stamped(first, {REF: pod(True, "u2")}, 200.0)[REF]
    assert isinstance(status, PodStatus)
    assert (status.created, status.conditions[0].since) == (200.0, 200.0)


def test_what_is_gone_is_gone() -> None:
    assert stamped(stamped({}, {REF: pod(True)}, 100.0), {}, 200.0) == {}


def test_a_service_is_as_old_as_its_first_status() -> None:
    web = Ref("Service", "shop", "web")
    first = stamped({}, {web: ServiceStatus(web, "ClusterIP", "10.96.0.2", (), ())}, 100.0)
    status = stamped(first, {web: ServiceStatus(web, "NodePort", "10.96.0.2", (), ())}, 200.0)[web]
    assert isinstance(status, ServiceStatus)
    assert (status.type, status.created) == ("NodePort", 100.0)


def test_a_pod_that_was_there_before_us_is_as_old_as_its_first_container() -> None:
    (there,) = stamped({}, {REF: replace(pod(True), made=40.0)}, at=100.0).values()
    assert isinstance(there, PodStatus)
    assert there.created == 40.0
    (ahead,) = stamped({}, {REF: replace(pod(True), made=140.0)}, at=100.0).values()
    assert isinstance(ahead, PodStatus)
    assert ahead.created == 100.0, "a host's clock may be ahead of ours"
    (known,) = stamped({REF: there}, {REF: replace(pod(False), made=90.0)}, at=200.0).values()
    assert isinstance(known, PodStatus)
    assert known.created == 40.0
