"""What goes is pruned when what comes in its place is there."""

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import Deployment, DeploymentStrategy, RollingUpdateDeployment
from reconciler.model.api.core.config import ConfigMap
from reconciler.model.api.core.container import ContainerPort
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.volume import ConfigMapVolumeSource, PersistentVolumeClaimVolumeSource, Volume
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.names import Ref
from reconciler.model.operations import RemoveContainer, RemoveFiles, StartContainer, StopContainers
from reconciler.model.plan import Action
from tests.planner import forecast
from tests.simulated import World, container, deployment, desired, pod, service

WEB = Ref("Deployment", "default", "web")
NEW = Ref("Deployment", "default", "web-new")
BEHIND = Ref("Service", "default", "web")
PORTS = (ContainerPort(8080, "http"),)


def named(name: str, made: Deployment) -> Deployment:
    """The same pods, by their labels, of a Deployment with another name."""
    return replace(made, metadata=ObjectMeta(name, "default"))


def running(*objects: Object, nodes: int = 3) -> World:
    world = World(desired(*objects, service(), nodes=nodes))
    world.settle()
    return world


def revise(world: World, *objects: Object, nodes: int = 3, revision: str = "r2") -> None:
    world.wanted = desired(*objects, nodes=nodes, revision=revision)


def ready(world: World) -> int:
    return sum(one.ready for one in world.plan().endpoints[BEHIND])


def owners(world: World) -> set[str]:
    return {each.owner or each.pod for each in world.containers()}


@pytest.mark.fault(21)
def test_a_renamed_deployment_never_has_fewer_pods_behind_its_service_than_its_rollout_allows() -> None:
    world = running(deployment())
    revise(world, named("web-new", deployment()), service())
    first = world.plan()
    assert [change.action for change in first.changes] == [Action.CREATE] * 3
    assert not first.converged
    pods = [one for one in first.statuses.values() if isinstance(one, Pod)]
    stays = [one for one in pods if one.metadata.uid in world.memory.pods]
    assert stays
    assert {one.status.message for one in stays} == {f"stays until {NEW} can do without it"}
    fewest = []
    world.settle(look=lambda step: fewest.append(sum(one.ready for one in step.endpoints[BEHIND])))
    assert min(fewest) == 3
    assert owners(world) == {"Deployment/web-new"}
    assert world.plan().converged


def test_the_dry_run_says_when_it_goes() -> None:
    world = running(deployment())
    revise(world, named("web-new", deployment()), service())
    expected = forecast(world.wanted, world.observed(), world.memory, world.now)
    assert [change.action for change in expected.changes] == [Action.CREATE] * 3 + [Action.DELETE] * 3
    assert {change.reason for change in expected.changes[3:]} == {
        f"{WEB} is not in revision r2, and {NEW} is in its place"
    }


def test_one_that_never_comes_up_keeps_the_old_ones_and_a_later_revision_lets_them_go() -> None:
    world = running(deployment())
    broken = deployment(containers=(container(image="lab/absent:9", ports=PORTS),))
    revise(world, named("web-new", broken), service())
    for _ in range(30):
        step = world.plan()
        world.memory = step.memory  # Nothing of its work is ever done.
        world.now += 1
    assert ready(world) == 3
    assert not world.plan().converged
    revise(world, named("web-new", deployment()), service(), revision="r3")
    world.settle()
    assert owners(world) == {"Deployment/web-new"}
    revise(world, service(), revision="r4")
    world.settle()
    assert world.containers() == []


@pytest.mark.parametrize("others", [(), (deployment("other"),)])
def test_where_nothing_comes_in_its_place_it_goes_at_once(others: tuple[Deployment, ...]) -> None:
    world = running(deployment())
    revise(world, *others, service())
    assert [change.action for change in world.plan().changes].count(Action.DELETE) == 3


def test_one_that_was_there_before_keeps_nothing_however_it_does() -> None:
    stable = named("stable", deployment())
    world = running(deployment(replicas=1), stable)
    world.unplug("node-001")
    revise(world, stable, service())
    assert [change.action for change in world.plan().changes] == [Action.DELETE]


def test_without_its_service_it_goes_at_once() -> None:
    world = running(deployment())
    revise(world, named("web-new", deployment()))
    assert [change.action for change in world.plan().changes].count(Action.DELETE) == 3


def test_a_bare_pod_gives_way_to_a_deployment() -> None:
    alone = pod("web", (container(ports=PORTS),))
    world = running(alone)
    revise(world, deployment(replicas=2), service())
    fewest = []
    world.settle(look=lambda step: fewest.append(sum(one.ready for one in step.endpoints[BEHIND])))
    assert min(fewest) == 1
    assert owners(world) == {"Deployment/web"}


def test_a_deployment_gives_way_to_a_bare_pod() -> None:
    world = running(deployment(replicas=1))
    revise(world, Pod(ObjectMeta("single", "default", {"app": "web"}), deployment().spec.template.spec), service())
    fewest = []
    world.settle(look=lambda step: fewest.append(sum(one.ready for one in step.endpoints[BEHIND])))
    assert min(fewest) == 1
    assert owners(world) == {"single"}


def on_host_port(name: str) -> Deployment:
    ports = (ContainerPort(8080, "http", host_port=8099),)
    return named(name, deployment(replicas=2, containers=(container(ports=ports),)))


def test_what_holds_a_host_port_that_its_successor_needs_makes_room_one_by_one() -> None:
    world = running(on_host_port("web"), nodes=2)
    revise(world, on_host_port("web-new"), service(), nodes=2)
    step = world.plan()
    assert [change.action for change in step.changes] == [Action.DELETE]
    assert step.changes[0].reason == f"{WEB} is not in revision r2, and {NEW} has no room beside it"
    fewest = []
    world.settle(look=lambda step: fewest.append(sum(one.ready for one in step.endpoints[BEHIND])))
    assert min(fewest) == 1
    assert owners(world) == {"Deployment/web-new"}


def test_where_a_full_host_has_room_for_one_more_they_change_places_one_by_one() -> None:
    big = deployment(replicas=3, containers=(container(cpu="2", ports=PORTS),))
    world = running(big, nodes=1)
    revise(world, named("web-new", big), service(), nodes=1)
    fewest = []
    world.settle(look=lambda step: fewest.append(sum(one.ready for one in step.endpoints[BEHIND])))
    assert min(fewest) == 3
    assert owners(world) == {"Deployment/web-new"}


def claiming(name: str) -> Deployment:
    volumes = (Volume("data", persistent_volume_claim=PersistentVolumeClaimVolumeSource("data")),)
    return named(name, deployment(replicas=1, volumes=volumes))


def test_two_that_write_to_one_claim_do_not_wait_for_each_other() -> None:
    claim = PersistentVolumeClaim(ObjectMeta("data", "default"))
    world = running(claiming("web"), claim)
    revise(world, claiming("web-new"), claim, service())
    assert Action.DELETE in [change.action for change in world.plan().changes]
    world.settle()
    assert owners(world) == {"Deployment/web-new"}


def test_one_whose_config_map_went_with_it_keeps_its_files() -> None:
    def configured(name: str) -> tuple[Deployment, ConfigMap]:
        volumes = (Volume("conf", config_map=ConfigMapVolumeSource(name=name)),)
        return named(name, deployment(volumes=volumes)), ConfigMap(ObjectMeta(name, "default"), {"key": name})

    world = running(*configured("web"))
    before = {each.uid for each in world.containers()}
    revise(world, *configured("web-new"), service())
    while before <= {each.uid for each in world.containers()}:
        step = world.step()
        assert all(
            isinstance(each, StopContainers | RemoveContainer | RemoveFiles)
            for work in step.work
            if work.uid in before
            for each in work.operations
        )
    world.settle()
    assert owners(world) == {"Deployment/web-new"}


def test_one_that_is_recreated_has_no_floor() -> None:
    recreated = named("web-new", deployment(strategy=DeploymentStrategy("Recreate", None)))
    world = running(deployment())
    revise(world, recreated, service())
    assert [change.action for change in world.plan().changes].count(Action.DELETE) == 3


def test_as_much_as_may_be_missing_goes_at_once() -> None:
    lax = named("web-new", deployment(strategy=DeploymentStrategy("RollingUpdate", RollingUpdateDeployment(0, 1))))
    world = running(deployment())
    revise(world, lax, service())
    assert [change.action for change in world.plan().changes].count(Action.DELETE) == 1


def test_one_that_comes_back_stays_for_good() -> None:
    world = running(deployment())
    revise(world, named("web-new", deployment()), service())
    world.memory = world.plan().memory
    revise(world, deployment(), service(), revision="r3")
    world.settle()
    assert owners(world) == {"Deployment/web"}
    assert world.plan().converged


def test_one_that_came_back_is_kept_up_like_any_other() -> None:
    world = running(deployment())
    revise(world, named("web-new", deployment()), service())
    world.memory = world.plan().memory
    revise(world, deployment(), service(), revision="r3")
    world.settle()
    crashed = world.containers()[0]
    world.change(lambda each: replace(each, state="exited", exit_code=1), container=crashed.name)
    step = world.plan()
    assert [work.operations for work in step.work] == [(StartContainer(crashed.name),)]
    assert not any(intent.succeeded_by for intent in step.memory.pods.values())
