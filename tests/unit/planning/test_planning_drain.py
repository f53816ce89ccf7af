"""A node with a taint NoExecute: its pods go, as a rollout takes them."""

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import Deployment, DeploymentStrategy, RollingUpdateDeployment
from reconciler.model.api.core.node import NodeSpec, Taint
from reconciler.model.api.core.pod import Pod, Toleration
from reconciler.model.names import SANDBOX, Ref
from reconciler.model.plan import Action, Plan
from reconciler.planning import without_node
from tests.planner import forecast
from tests.simulated import PLAIN_NODE, World, container, deployment, desired, node, pod, service

LEAVE = NodeSpec(taints=(Taint("maintenance", effect="NoExecute"),))
NAMES = ("node-000", "node-001", "node-002")
JOB = Ref("Pod", "default", "job")
ONE_BY_ONE = DeploymentStrategy("RollingUpdate", RollingUpdateDeployment(1, 0))


def settled(*objects: Deployment) -> World:
    world = World(desired(*objects, service(), nodes=[node(name) for name in NAMES]))
    world.settle()
    return world


def drain(
    world: World, *objects: Deployment, names: tuple[str, ...] = ("node-001",), spec: NodeSpec = LEAVE
) -> None:
    nodes = [node(name, spec if name in names else PLAIN_NODE) for name in NAMES]
    world.wanted = desired(*objects, service(), nodes=nodes, revision="r2")


def job(alone: bool = True) -> Pod:
    containers = (container(),) if alone else (container(), container("other"))
    return pod("job", containers, restart_policy="Never")


def ended(alone: bool = True, exit_code: int = 0) -> tuple[World, str]:
    """A bare pod that has run to its end, and its node; of two nodes."""
    world = World(desired(job(alone), nodes=2))
    world.settle()
    for each in world.containers():
        if each.container != SANDBOX:
            world.change(lambda one: replace(one, state="exited", exit_code=exit_code), container=each.name)
    world.settle()
    (there,) = world.memory.pods.values()
    assert there.ended == ("Failed" if exit_code else "Succeeded")
    return world, there.node


def spread(world: World) -> list[str]:
    return sorted(each.node for each in world.memory.pods.values() if each.wanted == "run")


def actions(step: Plan) -> list[str]:
    return sorted(change.action for change in step.changes)


@pytest.mark.fault(80)
def test_each_pod_goes_when_another_one_elsewhere_has_taken_its_place() -> None:
    web = deployment(replicas=6, strategy=ONE_BY_ONE)
    world = settled(web)
    drain(world, web)
    first = world.step()
    assert [(change.action, change.reason) for change in first.changes] == [
        (Action.CREATE, "in place of a pod on node-001, which evicts it")
    ]
    steps = [first, *world.settle()]
    orders = [actions(step) for step in steps if step.changes]
    assert orders == [["create"], ["create", "delete"], ["delete"]]
    gone = [change for step in steps for change in step.changes if change.action is Action.DELETE]
    assert {(change.node, change.reason) for change in gone} == {
        ("node-001", "node-001 evicts it: taint maintenance:NoExecute is not tolerated")
    }
    assert spread(world) == ["node-000"] * 3 + ["node-002"] * 3
    assert world.plan().converged


def test_a_forecast_tells_of_the_drain() -> None:
    web = deployment(replicas=3, strategy=ONE_BY_ONE)
    world = settled(web)
    drain(world, web)
    told = forecast(world.wanted, world.observed(), world.memory, world.now)
    assert sorted((change.action, change.node) for change in told.changes)[1] == (Action.DELETE, "node-001")
    assert len(told.changes) == 2


def test_who_tolerates_the_taint_stays() -> None:
    web = deployment(replicas=3, tolerations=(Toleration("maintenance", "Exists"),))
    world = settled(web)
    drain(world, web)
    assert not world.plan().changes


@pytest.mark.parametrize(
    "taint", [Taint("maintenance", effect="NoSchedule"), Taint("maintenance", effect="PreferNoSchedule")]
)
def test_other_effects_leave_what_is_there(taint: Taint) -> None:
    web = deployment(replicas=3)
    world = settled(web)
    drain(world, web, spec=NodeSpec(taints=(taint,)))
    assert not world.plan().changes


def test_a_paused_deployment_is_drained_too_and_keeps_its_template() -> None:
    world = settled(deployment(replicas=3))
    drain(world, deployment(replicas=3, version="2.0", paused=True))
    world.settle()
    assert [each.image for each in world.containers()] == ["lab/web:1.0"] * 3
    assert "node-001" not in spread(world)


@pytest.mark.fault(80)
def test_where_no_other_node_has_room_the_last_ones_stay_and_the_plan_says_so() -> None:
    web = deployment(replicas=3, strategy=ONE_BY_ONE)
    world = settled(web)
    drain(world, web, names=NAMES)
    world.settle()
    assert spread(world) == list(NAMES)
    assert "taint maintenance:NoExecute is not tolerated" in world.plan().unplaced[0].reasons["node-000"]


def test_with_recreate_all_new_ones_wait_for_the_last_evicted_one() -> None:
    web = deployment(replicas=6, strategy=DeploymentStrategy("Recreate"))
    world = settled(web)
    drain(world, web)
    steps = [world.step(), *world.settle()]
    assert [actions(step) for step in steps if step.changes] == [["delete"] * 2, ["create"] * 2]


def test_a_bare_pod_ends_there_and_begins_elsewhere() -> None:
    world = World(desired(pod("job"), nodes=[node("node-000"), node("node-001")]))
    world.settle()
    (there,) = world.memory.pods.values()
    other = ({"node-000", "node-001"} - {there.node}).pop()
    world.wanted = desired(pod("job"), nodes=[node(there.node, LEAVE), node(other)], revision="r2")
    steps = [world.step(), *world.settle()]
    assert [actions(step) for step in steps if step.changes] == [["delete"], ["create"]]
    assert spread(world) == [other]


@pytest.mark.parametrize("exit_code", [0, 1])
@pytest.mark.parametrize("alone", [True, False])
def test_a_bare_pod_that_ran_to_its_end_stays_where_it_ended(exit_code: int, alone: bool) -> None:
    world, there = ended(alone=alone, exit_code=exit_code)
    other = ({"node-000", "node-001"} - {there}).pop()
    world.wanted = desired(job(alone), nodes=[node(there, LEAVE), node(other)], revision="r2")
    first, memory = world.plan(), world.memory
    assert (first.changes, first.work, first.converged) == ((), (), True)
    world.settle()
    assert world.memory.pods == memory.pods


def test_its_end_need_not_have_been_looked_at_before_the_drain() -> None:
    """It ended while nobody looked, and the revision that drains its node is there at the first look."""
    world = World(desired(job(), nodes=2))
    world.settle()
    (there,) = world.memory.pods.values()
    world.change(lambda each: replace(each, state="exited", exit_code=0), container=world.containers()[0].name)
    nodes = [node(name, LEAVE if name == there.node else PLAIN_NODE) for name in NAMES[:2]]
    world.wanted = desired(job(), nodes=nodes, revision="r2")
    assert world.plan().changes == ()
    world.settle()
    assert {each.ended for each in world.memory.pods.values()} == {"Succeeded"}


def test_a_bare_pod_that_ran_to_its_end_on_a_node_that_is_gone_does_not_begin_again() -> None:
    world, there = ended()
    other = ({"node-000", "node-001"} - {there}).pop()
    (before,) = world.memory.pods.values()
    world.wanted = desired(job(), nodes=[node(other)], revision="r2")
    step = world.plan()
    assert (step.changes, step.work, step.unplaced, step.converged) == ((), (), (), True)
    gone = step.statuses[JOB]
    assert isinstance(gone, Pod)
    assert (gone.status.phase, gone.spec.node_name, gone.metadata.uid) == ("Succeeded", there, before.uid)
    assert gone.status.message == f"it ran to its end on {there}, which is not in this revision"
    world.settle()
    world.memory = without_node(world.memory, there)
    world.settle()
    assert list(world.memory.pods.values()) == [before]
    world.wanted = desired(job(), nodes=[node(other), node(there)], revision="r3")
    assert (world.plan().changes, world.plan().work) == ((), ())


def test_another_template_of_it_begins_and_so_does_one_that_was_gone_from_the_manifests() -> None:
    world, there = ended()
    other = ({"node-000", "node-001"} - {there}).pop()
    world.wanted = desired(pod("job", (container(image="lab/web:2.0"),)), nodes=[node(other)], revision="r2")
    assert actions(world.plan()) == ["create", "forget"]
    world.wanted = desired(nodes=[node(other)], revision="r3")
    assert actions(world.step()) == ["forget"]
    world.wanted = desired(job(), nodes=[node(other)], revision="r4")
    assert actions(world.step()) == ["create"]


def test_the_pods_of_a_lost_node_are_moved_and_not_drained_as_well() -> None:
    web = deployment(replicas=3)
    world = settled(web)
    world.unplug("node-001")
    world.now += 60
    drain(world, web)
    world.real = replace(world.real, nodes={n: replace(e, at=world.now) for n, e in world.real.nodes.items()})
    step = world.plan()
    assert actions(step) == ["move"]
