"""The ReplicaSets of a Deployment: one for each template, to which its pods belong."""

from collections.abc import Mapping

from reconciler.control.timestamps import with_timestamps
from reconciler.model.api.apps import (
    ANNOTATION_REVISION,
    LABEL_TEMPLATE_HASH,
    Deployment,
    DeploymentStrategy,
    ReplicaSet,
    RollingUpdateDeployment,
)
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import OwnerReference, controller_of
from reconciler.model.names import Ref
from reconciler.model.plan import Plan, Status
from tests.simulated import World, container, deployment, desired

WEB = Ref("Deployment", "default", "web")


def replica_sets(step: Plan) -> dict[int, ReplicaSet]:
    """By the number of the revision."""
    found = [one for one in step.statuses.values() if isinstance(one, ReplicaSet)]
    return {int(one.metadata.annotations[ANNOTATION_REVISION]): one for one in found}


def counts(step: Plan) -> dict[int, tuple[int, int, int]]:
    """Pods wanted, there and ready, of each revision."""
    return {
        number: (one.spec.replicas, one.status.replicas, one.status.ready_replicas)
        for number, one in replica_sets(step).items()
    }


def revise(world: World, version: str, **more: object) -> None:
    number = len(world.wanted.revision.id)
    world.wanted = desired(deployment(version=version, **more), revision="r" * (number + 1))  # type: ignore[arg-type]


def rolled_out(*versions: str) -> World:
    world = World(desired())
    for version in versions:
        revise(world, version)
        world.settle()
    return world


def published(world: World, at: float = 1_700_000_000.0) -> Mapping[Ref, Status]:
    return with_timestamps({}, world.plan().statuses, at)


def test_a_deployment_has_one_for_each_template_that_it_has_had() -> None:
    step = rolled_out("1.0", "2.0").plan()
    assert counts(step) == {1: (0, 0, 0), 2: (3, 3, 3)}
    web = step.statuses[WEB]
    assert isinstance(web, Deployment)
    assert web.metadata.annotations[ANNOTATION_REVISION] == "2"


def test_it_is_owned_by_its_deployment_and_owns_the_pods_of_its_template() -> None:
    world = rolled_out("1.0")
    objects = published(world)
    (one,) = (each for each in objects.values() if isinstance(each, ReplicaSet))
    template_hash = next(iter(world.memory.pods.values())).hash
    assert one.metadata.name == f"web-{template_hash}"
    assert one.metadata.labels == {"app": "web", LABEL_TEMPLATE_HASH: template_hash}
    assert one.spec.selector.match_labels == one.metadata.labels
    assert one.spec.template.metadata.labels == one.metadata.labels
    owner = OwnerReference("apps/v1", "Deployment", "web", objects[WEB].metadata.uid, True, True)
    assert one.metadata.owner_references == (owner,)
    assert one.status.observed_generation == one.metadata.generation == 1
    pods = [each for each in objects.values() if isinstance(each, Pod)]
    assert len(pods) == 3
    mine = OwnerReference("apps/v1", "ReplicaSet", one.metadata.name, one.metadata.uid, True, True)
    assert [pod.metadata.owner_references for pod in pods] == [(mine,)] * 3
    assert all(pod.metadata.name.startswith(f"{one.metadata.name}-") for pod in pods)


def test_a_template_that_returns_keeps_its_replica_set() -> None:
    world = rolled_out("1.0")
    first = replica_sets(world.plan())[1]
    revise(world, "2.0")
    world.settle()
    revise(world, "1.0")
    world.settle()
    again = replica_sets(world.plan())[3]
    assert again.metadata.name == first.metadata.name
    assert counts(world.plan()) == {2: (0, 0, 0), 3: (3, 3, 3)}


def test_what_a_rollout_has_come_to_is_in_both() -> None:
    world = rolled_out("1.0")
    rolling = DeploymentStrategy(rolling_update=RollingUpdateDeployment(max_surge=1, max_unavailable=0))
    revise(world, "2.0", strategy=rolling)
    seen: list[dict[int, tuple[int, int, int]]] = []
    world.settle(look=lambda step: seen.append(counts(step)))
    assert seen[0] == {1: (3, 3, 3), 2: (1, 1, 0)}
    assert seen[-1] == {1: (0, 0, 0), 2: (3, 3, 3)}
    assert all(sum(wanted for wanted, _, _ in each.values()) <= 4 for each in seen)


def test_a_deployment_that_is_paused_from_the_beginning_has_none_and_one_that_scales_has_one() -> None:
    world = World(desired(deployment("web", 0, paused=True)))
    world.settle()
    step = world.plan()
    web = step.statuses[WEB]
    assert isinstance(web, Deployment)
    assert (replica_sets(step), ANNOTATION_REVISION in web.metadata.annotations) == ({}, False)
    world.wanted = desired(deployment("web", 2, paused=True), revision="r2")
    world.settle()
    assert counts(world.plan()) == {1: (2, 2, 2)}


def test_pods_that_fit_nowhere_are_wanted_and_not_there() -> None:
    world = World(desired(deployment("web", 3, containers=(container(cpu="3"),)), nodes=1))
    world.settle()
    assert counts(world.plan()) == {1: (3, 2, 2)}


def test_a_pod_whose_place_is_taken_elsewhere_is_wanted_once() -> None:
    world = World(desired(deployment("web", 2, containers=(container(cpu="5"),)), nodes=2))
    world.settle()
    world.unplug("node-001")
    world.settle()
    assert counts(world.plan()) == {1: (2, 2, 1)}


def test_a_deployment_that_goes_leaves_none() -> None:
    world = rolled_out("1.0", "2.0")
    world.wanted = desired(revision="gone")
    world.settle()
    assert replica_sets(world.plan()) == {}
    assert world.memory.template_revisions == {}


def test_a_pod_that_leaves_keeps_the_uid_of_what_it_belonged_to() -> None:
    world = rolled_out("1.0")
    before = published(world)
    world.wanted = desired(revision="gone")
    after = with_timestamps(before, world.plan().statuses, 1_700_000_005.0)
    leaving = [one for one in after.values() if isinstance(one, Pod)]
    assert leaving
    assert not any(isinstance(one, ReplicaSet) for one in after.values())
    for pod in leaving:
        owner = controller_of(pod.metadata)
        assert owner is not None
        assert owner.uid == before[Ref("ReplicaSet", "default", owner.name)].metadata.uid
