"""How pods stand, in Kubernetes' own words."""

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.container import Container, ResourceRequirements
from reconciler.model.api.core.pod import Pod, PodStatus, is_pod_ready
from reconciler.model.api.meta import ref_of
from reconciler.model.names import Ref
from reconciler.model.observed import DockerState, Observed, Reachable
from reconciler.model.operations import CreateContainer, Outcome, PullImage, StartContainer, WriteFiles
from reconciler.model.quantities import Quantity
from reconciler.planning import after_failure
from tests.published import message_of
from tests.simulated import World, container, deployment, desired, host, pod

JOB = Ref("Pod", "default", "job")


def world_of(*containers: Container, **more: object) -> World:
    return World(desired(pod("job", containers or None, **more), nodes=1))


def settled(*containers: Container, **more: object) -> World:
    world = world_of(*containers, **more)
    world.settle()
    return world


def published(world: World) -> Pod:
    found = world.plan().statuses[JOB]
    assert isinstance(found, Pod)
    return found


def status(world: World) -> PodStatus:
    return published(world).status


def becomes(world: World, state: DockerState, name: str = "app", **more: object) -> None:
    (one,) = [each.name for each in world.containers() if each.container == name]
    world.change(lambda each: replace(each, state=state, **more), container=one)


def test_a_pod_that_runs() -> None:
    seen = published(settled())
    now = seen.status
    assert (now.phase, is_pod_ready(seen), now.reason) == ("Running", True, "")
    assert [(each.type, each.status) for each in now.conditions] == [
        ("PodScheduled", "True"),
        ("Initialized", "True"),
        ("ContainersReady", "True"),
        ("Ready", "True"),
    ]
    (one,) = now.container_statuses
    assert one.state.running is not None
    assert (now.init_container_statuses, one.ready, one.started, one.restart_count) == ((), True, True, 0)


def test_how_far_a_pull_has_come_is_told() -> None:
    world = world_of(container(image="other:1"))
    step = world.plan()
    world.memory = step.memory
    node = world.real.nodes["node-000"]
    assert isinstance(node, Reachable)
    pulling = replace(node, busy=frozenset(step.memory.pods), pulling={"other:1": "41 of 120 MB"})
    world.real = Observed({"node-000": pulling})
    now = status(world)
    assert (now.phase, now.reason, now.message) == (
        "Pending",
        "ContainerCreating",
        "pulling other:1: 41 of 120 MB",
    )


def test_a_failed_pull_is_told_of_the_containers_of_that_image_alone() -> None:
    world = world_of(container("a"), container("b", "other:1"))
    step = world.plan()
    (work,) = step.work
    memory = step.memory
    for failures, reason in ((1, "ErrImagePull"), (2, "ImagePullBackOff")):
        outcome = Outcome(work, PullImage("other:1"), "cannot pull other:1: not found", "ErrImagePull")
        memory = after_failure(memory, outcome, now=0.0)
        world.memory = memory
        now = status(world)
        assert (now.reason, now.message) == (reason, "cannot pull other:1: not found"), failures
        assert [each.state.reason for each in now.container_statuses] == ["ContainerCreating", reason]


def test_a_volume_that_cannot_be_made_leaves_the_pod_creating_with_the_reason() -> None:
    world = world_of()
    step = world.plan()
    (work,) = step.work
    outcome = Outcome(work, WriteFiles(work.uid, "texts", (), ""), "no space left on device", "FailedMount")
    world.memory = after_failure(step.memory, outcome, now=0.0)
    now = status(world)
    assert (now.phase, now.reason, now.message) == ("Pending", "ContainerCreating", "no space left on device")


def test_a_container_whose_command_is_not_there() -> None:
    world = settled()
    becomes(world, "created", error="exec: no-such-command: not found", exit_code=127)
    (one,) = status(world).container_statuses
    assert one.state.waiting is not None
    assert one.state.reason == "RunContainerError"
    assert one.state.message == "exec: no-such-command: not found"
    assert one.last_state is not None
    assert one.last_state.terminated is not None
    assert one.last_state.terminated.exit_code == 127


def test_a_container_that_cannot_be_started_again_says_why_and_how_its_last_run_ended() -> None:
    world = settled()
    becomes(world, "exited", exit_code=3)
    step = world.plan()
    (work,) = step.work
    failed = next(each for each in work.operations if isinstance(each, StartContainer))
    outcome = Outcome(work, failed, "subPath 'a' leads out of its volume", "CreateContainerConfigError")
    world.memory = after_failure(step.memory, outcome, now=world.now)
    (one,) = status(world).container_statuses
    assert one.state.waiting is not None
    assert one.state.reason == "CreateContainerConfigError"
    assert one.state.message == "subPath 'a' leads out of its volume"
    assert one.last_state is not None
    assert one.last_state.terminated is not None
    assert one.last_state.terminated.exit_code == 3


def test_a_container_whose_command_is_not_there_fails_a_pod_that_is_never_restarted() -> None:
    world = settled(restart_policy="Never")
    becomes(world, "created", error="exec: no-such-command: not found", exit_code=127)
    world.settle()
    now = status(world)
    assert (now.phase, now.reason) == ("Failed", "ContainerCannotRun")
    assert world.plan().work == ()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"exit_code": 0}, "Completed"),
        ({"exit_code": 2}, "Error"),
        ({"exit_code": 137, "oom_killed": True}, "OOMKilled"),
        ({"exit_code": 128, "error": "cannot start"}, "StartError"),
    ],
)
def test_ends_have_upstreams_words(fields: dict[str, object], reason: str) -> None:
    world = settled(restart_policy="Never")
    becomes(world, "exited", "app", finished_at="2026-11-23T09:22:46Z", **fields)
    (one,) = status(world).container_statuses
    end = one.state.terminated
    assert end is not None
    assert (end.reason, end.exit_code) == (reason, fields["exit_code"])
    assert end.finished_at == "2026-11-23T09:22:46Z"


def test_a_failed_pod_tells_the_container_that_failed() -> None:
    world = settled(container("a"), container("b"), restart_policy="Never")
    becomes(world, "exited", "a", exit_code=0)
    becomes(world, "exited", "b", exit_code=2)
    now = status(world)
    assert (now.phase, now.reason) == ("Failed", "Error")
    assert {each.type: each.reason for each in now.conditions}["Ready"] == "PodFailed"


def test_unready_containers_are_named_in_the_condition() -> None:
    world = settled(container("a"), container("b"))
    becomes(world, "exited", "b", exit_code=2)
    conditions = {each.type: each for each in status(world).conditions}
    assert conditions["ContainersReady"].message == "containers with unready status: [b]"
    assert conditions["Ready"].reason == "ContainersNotReady"


def test_the_quality_of_service_is_told() -> None:
    amounts = {"cpu": Quantity.parse("1"), "memory": Quantity.parse("1Gi")}
    whole = replace(container(), resources=ResourceRequirements(requests=amounts, limits=amounts))
    assert status(settled(whole)).qos_class == "Guaranteed"
    assert status(settled(container(cpu="1"))).qos_class == "Burstable"
    assert status(settled()).qos_class == "BestEffort"


def test_a_pod_that_fits_nowhere_is_not_scheduled() -> None:
    now = status(world_of(container(cpu="100")))
    (condition,) = now.conditions
    assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")


def test_a_pod_of_a_silent_node_is_unknown() -> None:
    world = settled()
    world.unplug("node-000")
    now = status(world)
    assert (now.phase, now.reason) == ("Unknown", "NodeUnreachable")
    assert {each.type: each.reason for each in now.conditions}["Ready"] == "NodeUnreachable"


def pending(world: World) -> list[Pod]:
    statuses = world.plan().statuses.values()
    return [each for each in statuses if isinstance(each, Pod) and each.status.phase == "Pending"]


def test_pods_that_fit_nowhere_are_pending_under_the_names_that_they_will_have() -> None:
    world = World(desired(deployment("web", 3, containers=(container(cpu="3"),)), nodes=1))
    world.settle()
    (one,) = pending(world)
    (owner,) = one.metadata.owner_references
    assert (one.spec.node_name, one.status.reason) == ("", "Unschedulable")
    assert (owner.kind, owner.controller) == ("ReplicaSet", True)
    assert one.metadata.name.startswith(f"{owner.name}-")
    assert Ref(owner.kind, "default", owner.name) in world.plan().statuses
    assert "node-000: needs 3000m CPU" in one.status.message
    assert [(each.type, each.status) for each in one.status.conditions] == [("PodScheduled", "False")]
    world.wanted = desired(deployment("web", 3, containers=(container(cpu="3"),)), nodes=2)
    world.real = Observed({**world.real.nodes, "node-001": host("node-001")})
    world.settle()
    assert pending(world) == []
    placed = world.plan().statuses[ref_of(one)]
    assert isinstance(placed, Pod)
    assert (placed.metadata.uid, placed.spec.node_name) == (one.metadata.uid, "node-001")


def test_a_rollout_that_is_stuck_says_which_pod_keeps_it_and_why() -> None:
    world = World(desired(deployment("web", 2, version="1.0"), nodes=1))
    world.settle()
    world.wanted = desired(deployment("web", 2, version="2.0"), nodes=1)
    step = world.plan()
    work = next(one for one in step.work if any(isinstance(each, CreateContainer) for each in one.operations))
    outcome = Outcome(work, PullImage("lab/web:2.0"), "no such image", "ErrImagePull")
    world.memory = after_failure(step.memory, outcome, world.now)
    status = world.plan().statuses[Ref("Deployment", "default", "web")]
    assert isinstance(status, Deployment)
    message = message_of(status, "Available")
    assert "ImagePull" in message
    assert "no such image" in message
    assert world.memory.pods[work.uid].name in message


def test_a_pod_is_pending_until_each_of_its_containers_has_been_started_once() -> None:
    world = world_of(container("fine"), container("absent", "other:1"))
    step = world.plan()
    outcome = Outcome(step.work[0], PullImage("other:1"), "no such image", "ErrImagePull")
    world.carry_out(step)
    becomes(world, "created", "absent")
    world.memory = after_failure(world.memory, outcome, world.now)
    assert status(world).phase == "Pending"
    becomes(world, "running", "absent")
    world.settle()
    becomes(world, "exited", "absent", exit_code=1)
    assert status(world).phase == "Running"


def test_what_is_told_of_each_pod_that_fits_nowhere_does_not_grow_with_the_nodes() -> None:
    large = deployment("web", 2, containers=(container(cpu="99"),))
    few, many = (pending(World(desired(large, nodes=nodes))) for nodes in (5, 40))
    assert "more nodes" not in few[0].status.message
    assert many[0].status.message.endswith("and 35 more nodes")
    whole = World(desired(large, nodes=40)).plan().statuses[Ref("Deployment", "default", "web")]
    assert isinstance(whole, Deployment)
    assert message_of(whole, "Available").count("needs 99000m CPU") == 40
