"""Deployments: what each step of a rollout does."""

from collections import Counter

import pytest
from msgspec.structs import replace

from reconciler.kinds.apps.rollout import Fenceposts, fenceposts_of
from reconciler.model.api.apps import (
    Deployment,
    DeploymentStatus,
    DeploymentStrategy,
    RollingUpdateDeployment,
)
from reconciler.model.api.meta import Condition
from reconciler.model.names import Ref
from reconciler.model.plan import Action, Plan
from tests.planner import forecast
from tests.simulated import World, deployment, desired, service

WEB = Ref("Deployment", "default", "web")


def rolling(surge: int | str, unavailable: int | str) -> DeploymentStrategy:
    return DeploymentStrategy("RollingUpdate", RollingUpdateDeployment(surge, unavailable))


def running(first: Deployment) -> World:
    world = World(desired(first, service(), nodes=3))
    world.settle()
    return world


def revise(world: World, second: Deployment) -> None:
    world.wanted = desired(second, service(), nodes=3, revision="r2")


def actions(step: Plan) -> list[str]:
    return sorted(change.action for change in step.changes)


def status(step: Plan) -> Deployment:
    found = step.statuses[WEB]
    assert isinstance(found, Deployment)
    return found


def test_a_surge_is_rounded_up_and_unavailability_down() -> None:
    assert fenceposts_of(deployment(replicas=10, strategy=rolling("25%", "25%"))) == Fenceposts(3, 2)


def test_where_both_limits_come_to_nothing_one_pod_may_be_missing() -> None:
    assert fenceposts_of(deployment(replicas=3, strategy=rolling(0, "10%"))) == Fenceposts(0, 1)


def test_replicas_are_created_at_once_and_spread() -> None:
    step = World(desired(deployment(replicas=3), nodes=3)).plan()
    assert actions(step) == ["create"] * 3
    assert sorted(change.node for change in step.changes) == ["node-000", "node-001", "node-002"]
    assert step.changes[0].reason == "0 of 3 replicas exist"


def test_with_a_surge_only_new_pods_come_before_old_ones_go() -> None:
    world = running(deployment(replicas=4, strategy=rolling(1, 0)))
    revise(world, deployment(replicas=4, version="2.0", strategy=rolling(1, 0)))
    steps = [world.step(), *world.settle()]
    orders = [actions(step) for step in steps if step.changes]
    assert orders == [["create"], *[["create", "delete"]] * 3, ["delete"]], "each successor in the same step"


def test_without_a_surge_the_next_pod_goes_only_when_the_successor_of_the_one_before_is_available() -> None:
    world = running(deployment(replicas=4, strategy=rolling(0, 1)))
    revise(world, deployment(replicas=4, version="2.0", strategy=rolling(0, 1)))
    steps = [world.step(), *world.settle()]
    assert [actions(step) for step in steps if step.changes] == [["create", "delete"]] * 4


def test_a_new_version_that_crashes_halts_the_rollout() -> None:
    world = running(deployment(replicas=4))
    revise(world, deployment(replicas=4, version="2.0"))
    for _ in range(30):
        world.step()
        for each in world.containers():
            if each.image == "lab/web:2.0":
                crashed = replace(each, state="restarting", restart_count=5, exit_code=1)
                world.change(lambda _, crashed=crashed: crashed, container=each.name)  # type: ignore[misc]
    old = [each for each in world.containers() if each.image == "lab/web:1.0" and each.state == "running"]
    assert len(old) == 3, "replicas - maxUnavailable"
    assert status(world.plan()).status.available_replicas == 3


def test_a_pod_that_crashes_in_between_does_not_count_while_it_happens_to_run() -> None:
    world = World(desired(deployment(replicas=4), nodes=3))
    world.settle()
    world.wanted = desired(deployment(replicas=4, version="2.0"), nodes=3, revision="r2")
    for _ in range(20):
        world.step()
        for each in world.containers():
            if each.image == "lab/web:2.0":
                restarted = replace(each, restart_count=each.restart_count + 1)
                world.change(lambda _, restarted=restarted: restarted, container=each.name)  # type: ignore[misc]
        world.forget_volatile()
    assert sum(each.image == "lab/web:1.0" for each in world.containers()) == 3


def stuck(replicas: int, strategy: DeploymentStrategy) -> World:
    """A rollout to 2.0, of which no pod becomes ready, as far as it goes."""
    world = running(deployment(replicas=replicas, strategy=strategy))
    revise(world, deployment(replicas=replicas, version="2.0", strategy=strategy))
    go_on(world)
    return world


def go_on(world: World) -> None:
    for _ in range(20):
        world.step()
        for each in world.containers():
            if each.image == "lab/web:2.0":
                crashed = replace(each, state="restarting", restart_count=5, exit_code=1)
                world.change(lambda _, crashed=crashed: crashed, container=each.name)  # type: ignore[misc]


def images(world: World) -> Counter[str]:
    return Counter(each.image.removeprefix("lab/web:") for each in world.containers() if each.pod)


@pytest.mark.parametrize(
    ("strategy", "before", "after", "expected"),
    [
        (rolling(1, 0), 4, 8, {"1.0": 7, "2.0": 2}),
        (rolling("25%", "25%"), 8, 4, {"1.0": 3, "2.0": 2}),
        (rolling("25%", "25%"), 8, 16, {"1.0": 12, "2.0": 8}),
        (rolling(1, 0), 8, 4, {"1.0": 4, "2.0": 1}),
        (rolling(0, 1), 4, 5, {"1.0": 4, "2.0": 1}),
        (rolling(2, 0), 4, 3, {"1.0": 3, "2.0": 2}),
        (rolling(2, 1), 4, 2, {"1.0": 1, "2.0": 2}),
        (rolling(1, 0), 4, 0, {}),
    ],
)
def test_a_stuck_rollout_is_scaled_in_proportion(
    strategy: DeploymentStrategy, before: int, after: int, expected: dict[str, int]
) -> None:
    world = stuck(before, strategy)
    revise(world, deployment(replicas=after, version="2.0", strategy=strategy))
    go_on(world)
    assert images(world) == expected
    revise(world, deployment(replicas=after, version="3.0", strategy=strategy))
    world.settle()
    assert images(world) == ({"3.0": after} if after else {})


def test_scaled_up_with_a_third_template_the_one_that_serves_grows() -> None:
    world = stuck(4, rolling(1, 0))
    revise(world, deployment(replicas=8, version="3.0", strategy=rolling(1, 0)))
    assert [change.reason for change in world.step().changes] == [
        "scaled up to 8 during a rollout: each template in proportion"
    ] * 4
    world.settle()
    assert images(world) == {"3.0": 8}


def test_of_a_rollout_that_begins_with_the_scaling_all_that_is_missing_is_new() -> None:
    world = running(deployment(replicas=2, strategy=rolling(1, 0)))
    revise(world, deployment(replicas=4, version="2.0", strategy=rolling(1, 0)))
    world.step()
    assert images(world) == {"1.0": 2, "2.0": 3}


def test_unhealthy_old_pods_go_first() -> None:
    world = running(deployment(replicas=4))
    broken = world.containers()[0]
    world.change(lambda each: replace(each, state="restarting", restart_count=3), container=broken.name)
    revise(world, deployment(replicas=4, version="2.0"))
    gone = [change.uid for change in world.step().changes if change.action is Action.DELETE]
    assert gone == [broken.uid]


def test_a_change_of_scale_keeps_the_pods() -> None:
    world = running(deployment(replicas=2))
    before = {each.id for each in world.containers()}
    revise(world, deployment(replicas=4))
    assert actions(world.step()) == ["create", "create"]
    world.settle()
    assert before <= {each.id for each in world.containers()}


def test_scaling_down_takes_pods_that_are_not_ready_first_and_then_from_the_fullest_node() -> None:
    world = running(deployment(replicas=5))
    sick = next(each for each in world.containers() if each.name.startswith("lab_"))
    world.change(lambda each: replace(each, state="restarting"), container=sick.name)
    revise(world, deployment(replicas=3))
    step = world.step()
    assert actions(step) == ["delete", "delete"]
    assert sick.uid in {change.uid for change in step.changes}
    world.settle()
    left = [intent.node for intent in world.memory.pods.values()]
    assert sorted(left) == ["node-000", "node-001", "node-002"]


def test_recreate_waits_until_every_old_pod_is_gone() -> None:
    world = running(deployment(replicas=2, strategy=DeploymentStrategy("Recreate")))
    revise(world, deployment(replicas=2, version="2.0", strategy=DeploymentStrategy("Recreate")))
    alive: list[set[str]] = []
    for _ in range(12):
        world.step()
        alive.append({each.image for each in world.containers()})
    assert {"lab/web:1.0", "lab/web:2.0"} not in alive
    assert alive[-1] == {"lab/web:2.0"}


def test_paused_keeps_the_template_and_follows_the_scale() -> None:
    world = running(deployment(replicas=2))
    revise(world, deployment(replicas=3, version="2.0", paused=True))
    world.settle()
    assert [each.image for each in world.containers()] == ["lab/web:1.0"] * 3


def test_going_back_in_the_middle_of_a_rollout_keeps_what_is_left_of_the_first_version() -> None:
    world = running(deployment(replicas=4))
    old = {each.hash for each in world.containers()}
    revise(world, deployment(replicas=4, version="2.0"))
    for _ in range(4):
        world.step()
    left = {uid for uid, each in world.memory.pods.items() if each.hash in old and each.wanted == "run"}
    assert left
    world.wanted = desired(deployment(replicas=4), service(), nodes=3, revision="r3")
    world.settle()
    assert {each.image for each in world.containers()} == {"lab/web:1.0"}
    assert left <= {each.uid for each in world.containers()}


def test_min_ready_seconds_hold_the_rollout_and_say_when_to_look_again() -> None:
    world = running(deployment(replicas=2, strategy=rolling(1, 0)))
    world.now = 100.0
    revise(world, deployment(replicas=2, version="2.0", strategy=rolling(1, 0), min_ready_seconds=30))
    for _ in range(4):
        world.carry_out(world.plan())
    step = world.plan()
    assert step.changes == ()
    assert step.wake_at == 130.0
    assert not status(step).is_rolled_out


def test_a_settled_deployment_is_complete_and_the_plan_converged() -> None:
    step = running(deployment()).plan()
    counts = DeploymentStatus(
        replicas=3,
        updated_replicas=3,
        ready_replicas=3,
        available_replicas=3,
        conditions=(
            Condition("Available", "True", "MinimumReplicasAvailable"),
            Condition("Progressing", "True", "NewReplicaSetAvailable"),
        ),
    )
    assert (status(step).status, status(step).is_rolled_out) == (counts, True)
    assert step.converged
    assert step.wake_at is None


def test_a_deployment_gone_from_the_manifests_takes_its_pods_along() -> None:
    world = running(deployment())
    world.wanted = desired(service(), nodes=3, revision="r2")
    step = world.plan()
    assert actions(step) == ["delete"] * 3
    assert step.changes[0].reason == "Deployment default/web is not in revision r2"
    world.settle()
    assert world.containers() == []
    assert world.memory.pods == {}


def test_the_dry_run_tells_the_whole_rollout_with_places() -> None:
    world = running(deployment(replicas=3))
    revise(world, deployment(replicas=3, version="2.0"))
    expected = forecast(world.wanted, world.observed(), world.memory, world.now)
    assert sum(change.action is Action.CREATE for change in expected.changes) == 3
    assert sum(change.action is Action.DELETE for change in expected.changes) == 3
    assert all(change.place is not None for change in expected.changes)
    assert expected.final.converged
    assert [(change.sign, change.ref) for change in expected.objects] == [("~", WEB)]
