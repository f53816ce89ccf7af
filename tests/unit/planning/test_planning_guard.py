"""Revisions that wait for a person, and how a revision differs from the one before."""

import pytest
from msgspec.structs import replace

from reconciler.model.api.cluster import Cluster, ClusterSpec, Guard
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.meta import Object, ObjectMeta, ref_of
from reconciler.model.names import Ref
from reconciler.model.plan import FieldChange, ObjectChange
from reconciler.model.secrets import SecretText
from reconciler.planning import Options
from tests.planner import forecast, plan
from tests.simulated import World, container, deployment, desired, pod, service, with_kinds

MANY = tuple(deployment(f"web-{number}", replicas=1) for number in range(10))
CANARY = "s3cr3t-canary"


def settled(*objects: Object, cluster: ClusterSpec | None = None) -> World:
    world = World(desired(*objects, nodes=1, cluster=cluster or ClusterSpec()))
    world.settle()
    return world


@pytest.mark.fault(4)
def test_a_revision_that_drops_most_objects_waits_and_changes_nothing() -> None:
    world = settled(*MANY)
    world.wanted = desired(MANY[0], nodes=1, revision="r2")
    step = world.plan()
    assert step.hold is not None
    assert "revision r2 drops 9 of 13 objects (Deployment default/web-1, " in step.hold.reason
    assert "--confirm r2" in step.hold.fix
    assert (step.changes, step.work) == ((), ())
    assert step.memory is world.memory
    assert sum(change.sign == "-" for change in step.objects) == 9


def test_a_confirmed_revision_goes_on() -> None:
    world = settled(*MANY)
    wanted = desired(MANY[0], nodes=1, revision="0123456789abcdef")
    for named in ("0123456789abcdef", "01234567"):
        step = plan(wanted, world.observed(), world.memory, world.now, Options(confirmed_revision=named))
        assert step.hold is None
        assert len(step.changes) == 9
    assert plan(wanted, world.observed(), world.memory, world.now, Options(confirmed_revision="0123")).hold


def test_once_begun_it_is_not_asked_about_again() -> None:
    world = settled(*MANY)
    wanted = desired(MANY[0], nodes=1, revision="r2")
    step = plan(wanted, world.observed(), world.memory, world.now, Options(confirmed_revision="r2"))
    assert plan(wanted, world.observed(), step.memory, world.now).hold is None


def test_half_of_the_objects_may_go_and_the_cluster_may_say_otherwise() -> None:
    few = MANY[:5]
    assert settled(*MANY).memory.revision == "r1"
    world = settled(*MANY)
    world.wanted = desired(*few, nodes=1, revision="r2")
    assert world.plan().hold is None
    strict = ClusterSpec(guard=Guard(max_delete_percent=10))
    world = settled(*MANY, cluster=strict)
    world.wanted = desired(*few, nodes=1, revision="r2", cluster=strict)
    assert world.plan().hold is not None


def test_a_small_cluster_may_drop_what_it_likes() -> None:
    world = settled(deployment())
    world.wanted = desired(nodes=1, revision="r2")
    assert world.plan().hold is None


@pytest.mark.fault(80)
def test_the_manifests_of_another_cluster_are_never_applied() -> None:
    world = settled(deployment())
    other = desired(deployment(), nodes=1, revision="r2")
    cluster = replace(other.cluster, metadata=ObjectMeta("other"))
    manifests = {ref: each for ref, each in other.manifests.items() if ref.kind != "Cluster"}
    other = replace(
        with_kinds(other, {Cluster: {ref_of(cluster): cluster}}),
        manifests={**manifests, Ref("Cluster", "", "other"): {}},
    )
    step = plan(other, world.observed(), world.memory, world.now, Options(confirmed_revision="r2"))
    assert step.hold is not None
    assert step.hold.reason == "this state is of cluster 'lab', and revision r2 describes 'other'"
    assert (step.changes, step.work) == ((), ())


def test_a_dry_run_tells_of_a_hold() -> None:
    world = settled(*MANY)
    wanted = desired(nodes=1, revision="r2")
    told = forecast(wanted, world.observed(), world.memory, world.now)
    assert told.hold is not None
    assert (told.steps, told.changes) == (1, ())


def test_the_first_revision_creates_everything() -> None:
    signs = {change.sign for change in World(desired(deployment(), service(), nodes=1)).plan().objects}
    assert signs == {"+"}


def test_a_change_names_each_field_with_its_path_and_place() -> None:
    world = settled(deployment(replicas=2))
    world.wanted = desired(deployment(replicas=3, version="2.0"), nodes=1, revision="r2")
    (change,) = world.plan().objects
    ref = Ref("Deployment", "default", "web")
    assert (change.sign, change.ref, change.place) == ("~", ref, world.wanted.places[ref])
    assert change.fields == (
        FieldChange("spec.replicas", 2, 3),
        FieldChange("spec.template.spec.containers[0].image", "lab/web:1.0", "lab/web:2.0"),
    )


def test_items_added_to_a_list_come_whole() -> None:
    world = settled(pod("job"))
    world.wanted = desired(pod("job", (container(), container("more"))), nodes=1, revision="r2")
    (change,) = world.plan().objects
    assert change.sign == "-/+"
    (field,) = change.fields
    assert (field.path, field.before, field.after["name"]) == ("spec.containers[1]", None, "more")


def test_keys_that_are_no_plain_words_are_quoted() -> None:
    world = settled(ConfigMap(ObjectMeta("web", "default"), {"app.conf": "a"}))
    world.wanted = desired(ConfigMap(ObjectMeta("web", "default"), {"app.conf": "b"}), nodes=1, revision="r2")
    assert world.plan().objects[0].fields == (FieldChange('data["app.conf"]', "a", "b"),)


def test_the_keys_of_a_config_map_that_gets_its_first_are_told_of_one_by_one() -> None:
    world = settled(ConfigMap(ObjectMeta("web", "default")))
    world.wanted = desired(ConfigMap(ObjectMeta("web", "default"), {"a": "1", "b": "2"}), nodes=1, revision="r2")
    manifest = dict(world.wanted.manifests[Ref("ConfigMap", "default", "web")])
    before = {key: value for key, value in manifest.items() if key != "data"}
    world.memory = replace(
        world.memory, applied={**world.memory.applied, Ref("ConfigMap", "default", "web"): before}
    )
    (change,) = world.plan().objects
    assert [(field.path, field.after) for field in change.fields] == [("data.a", "1"), ("data.b", "2")]


def test_a_secrets_values_are_never_told() -> None:
    world = settled(Secret(ObjectMeta("key", "default"), {"password": SecretText(CANARY)}))
    changed = Secret(ObjectMeta("key", "default"), {"password": SecretText(f"{CANARY}-2")})
    world.wanted = desired(changed, nodes=1, revision="r2")
    step = world.plan()
    ref = Ref("Secret", "default", "key")
    assert step.objects == (
        ObjectChange("~", ref, (FieldChange("data.password", None, None, secret=True),), world.wanted.places[ref]),
    )
    assert CANARY not in repr(step)


def test_the_same_revision_differs_in_nothing() -> None:
    world = settled(deployment())
    step = world.plan()
    assert step.objects == ()
    assert step.memory is world.memory
    assert step.memory.applied is world.memory.applied
