"""The kubelet's part: which operations a pod needs, from what is seen of it."""

from functools import partial

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import holds
from reconciler.model.container_config import PodAddress, SharedNetwork
from reconciler.model.limits import ContainerLimits
from reconciler.model.names import Ref
from reconciler.model.observed import DockerState, NetworkState, Observed, Reachable
from reconciler.model.operations import (
    ConnectPod,
    CreateContainer,
    Operation,
    Outcome,
    PodWork,
    PullImage,
    RemoveContainer,
    SetLimits,
    StartContainer,
    StopContainers,
    UnpauseContainer,
)
from reconciler.model.plan import Action
from reconciler.planning import after_failure
from tests.simulated import World, container, deployment, desired, pod, service


def told(operation: Operation) -> tuple[str, str]:
    """An operation in short: the verb, and the container's name in its pod."""
    match operation:
        case PullImage(image):
            return "pull", image
        case CreateContainer(config):
            return "create", config.name.split("_")[3]
        case StartContainer(name):
            return "start", name.split("_")[3]
        case UnpauseContainer(name):
            return "unpause", name.split("_")[3]
        case StopContainers(stops, _):
            return "stop", "+".join(stop.container.split("_")[3] for stop in stops)
        case RemoveContainer(name, _):
            return "remove", name.split("_")[3]
        case _:
            return type(operation).__name__, ""


def one_pod(thing: Deployment | Pod) -> World:
    return World(desired(thing, nodes=1))


def steps(world: World) -> list[tuple[str, str]]:
    work = world.plan().work
    return [told(operation) for operation in work[0].operations] if work else []


def becomes(world: World, name: str, state: DockerState, exit_code: int = 0) -> None:
    one = next(each for each in world.containers() if each.container == name)
    world.change(lambda each: replace(each, state=state, exit_code=exit_code), container=one.name)


def vanishes(world: World, name: str) -> None:
    world.change(
        lambda _: None, container=next(each.name for each in world.containers() if each.container == name)
    )


def settled(thing: Deployment | Pod) -> World:
    world = one_pod(thing)
    world.settle()
    return world


SEVERAL = (container("app"), container("sidecar", "lab/web:2.0"))


def test_one_container_owns_its_pods_network_and_needs_no_sandbox() -> None:
    work = one_pod(pod("job")).plan().work[0]
    create, start = work.operations
    assert isinstance(create, CreateContainer)
    assert create.config.network == PodAddress("10.244.0.2")
    assert create.config.hostname == "job"
    assert start == StartContainer(create.config.name)


def test_several_containers_share_the_network_of_a_sandbox_that_comes_first() -> None:
    world = one_pod(pod("job", SEVERAL))
    assert steps(world) == [
        ("create", "POD"),
        ("start", "POD"),
        ("create", "app"),
        ("start", "app"),
        ("create", "sidecar"),
        ("start", "sidecar"),
    ]
    configs = [each.config for each in world.plan().work[0].operations if isinstance(each, CreateContainer)]
    assert configs[0].stop_signal == "SIGKILL"
    assert {each.network for each in configs[1:]} == {SharedNetwork(configs[0].name)}


def test_an_image_that_is_missing_is_pulled_once_and_before_what_it_is_for() -> None:
    world = one_pod(pod("job", (container("a", "other:1"), container("b", "other:1"))))
    assert steps(world)[2:4] == [("pull", "other:1"), ("create", "a")]
    assert [verb for verb, _ in steps(world)].count("pull") == 1


def test_the_tag_latest_is_always_pulled() -> None:
    world = one_pod(pod("job", (container(image="lab/web"),)))
    assert steps(world)[0] == ("pull", "lab/web")


def test_an_image_never_to_be_pulled_and_not_there_is_reported() -> None:
    world = one_pod(pod("job", (container(image="other:1", image_pull_policy="Never"),)))
    assert steps(world) == []
    status = world.plan().statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, Pod)
    assert status.status.reason == "ErrImageNeverPull"


BAD = container("bad", "other:1")
FINE = container("fine")


@pytest.mark.parametrize("containers", [(BAD, FINE), (FINE, BAD)])
@pytest.mark.parametrize("failing", ["pull", "create", "start"])
def test_a_container_that_cannot_start_keeps_no_other_from_it(
    containers: tuple[Container, ...], failing: str
) -> None:
    world = one_pod(pod("job", containers))
    for _ in range(3):
        fail_at(world, failing, "bad", "other:1")
        world.carry_out(world.plan())
    states = {each.container: each.state for each in world.containers() if each.pod == "job"}
    assert states["fine"] == "running"
    assert states.get("bad") in ((None, "created") if failing == "start" else (None,))
    held = world.plan()
    assert held.work == (), "the other one waits for its own time"
    assert held.wake_at is not None
    vanishes(world, "fine")
    assert steps(world) == [("create", "fine"), ("start", "fine")]
    world.settle()
    world.now += 400
    world.settle()
    assert world.memory.failures == {}


def fail_at(world: World, *failing: str) -> None:
    """The next work ends at the first operation of this verb on one of these."""
    verb, *names = failing
    world.failing.clear()
    for number, (what, name) in enumerate(steps(world)):
        if what == verb and name in names:
            world.failing["node-000"] = number
            return


def test_a_sidecar_that_cannot_start_keeps_what_needs_it_waiting() -> None:
    inits = (replace(BAD, restart_policy="Always"), container("init"))
    world = one_pod(pod("job", (FINE,), init_containers=inits))
    fail_at(world, "create", "bad")
    world.carry_out(world.plan())
    assert world.plan().work == ()
    world.settle()
    assert {each.container for each in world.containers() if each.pod == "job"} >= {"bad", "init", "fine"}


def test_where_there_are_no_init_containers_the_pod_is_initialized() -> None:
    world = one_pod(pod("job", (replace(BAD, image_pull_policy="Never"), FINE)))
    world.settle()
    status = world.plan().statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, Pod)
    assert holds(status.status.conditions, "Initialized")
    bad, fine = status.status.container_statuses
    assert bad.state.waiting is not None
    assert (bad.name, bad.state.waiting.reason) == ("bad", "ErrImageNeverPull")
    assert (fine.name, fine.state.running is not None) == ("fine", True)


def test_nothing_is_created_before_the_nodes_network_is_set_up() -> None:
    world = one_pod(pod("job"))
    bare = world.real.nodes["node-000"]
    assert isinstance(bare, Reachable)
    world.real = Observed({"node-000": replace(bare, network=NetworkState())})
    step = world.plan()
    assert step.work == ()
    assert len(step.memory.pods) == 1


def test_a_container_that_was_stopped_by_hand_is_started_and_told() -> None:
    world = settled(pod("job"))
    becomes(world, "app", "exited", 137)
    step = world.plan()
    assert steps(world) == [("start", "app")]
    assert [(change.action, change.reason) for change in step.changes] == [
        (Action.RESTART, "container app exited with code 137")
    ]


def test_a_container_removed_by_hand_is_made_again_and_told() -> None:
    world = settled(pod("job"))
    vanishes(world, "app")
    assert steps(world) == [("create", "app"), ("start", "app")]
    assert [change.reason for change in world.plan().changes] == ["a container of it is gone"]


def test_a_paused_container_goes_on() -> None:
    world = settled(pod("job"))
    becomes(world, "app", "paused")
    assert steps(world) == [("unpause", "app")]


def test_docker_itself_restarts_what_crashes() -> None:
    world = settled(pod("job"))
    becomes(world, "app", "restarting", 1)
    assert steps(world) == []
    status = world.plan().statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, Pod)
    assert status.status.reason == "CrashLoopBackOff"


def test_a_container_that_is_being_removed_is_waited_for_and_made_again() -> None:
    world = settled(pod("job"))
    becomes(world, "app", "removing")
    assert steps(world) == [("remove", "app"), ("create", "app"), ("start", "app")]


def test_a_dead_container_is_removed_and_made_again() -> None:
    world = settled(pod("job"))
    becomes(world, "app", "dead")
    assert steps(world) == [("remove", "app"), ("create", "app"), ("start", "app")]


def test_a_lost_sandbox_takes_all_with_it() -> None:
    world = settled(pod("job", SEVERAL))
    vanishes(world, "POD")
    assert [verb for verb, _ in steps(world)] == [
        "stop",
        *["remove"] * 2,
        *["create", "start"] * 3,
    ]


def test_a_stopped_sandbox_is_started_and_its_apps_join_it_again() -> None:
    world = settled(pod("job", SEVERAL))
    becomes(world, "POD", "exited")
    assert steps(world) == [
        ("stop", "app+sidecar"),
        ("start", "POD"),
        ("start", "app"),
        ("start", "sidecar"),
    ]


@pytest.mark.parametrize(
    ("sandbox", "app", "rejoins"),
    [
        ("2026-11-23T09:22:45.1Z", "2026-11-23T09:22:45.12Z", False),
        ("2026-11-23T09:22:45Z", "2026-11-23T09:22:45.12Z", False),
        ("2026-11-23T09:22:45.12Z", "2026-11-23T09:22:45.1Z", True),
        ("2026-11-23T09:22:46Z", "2026-11-23T09:22:45.9Z", True),
        ("2026-11-23T09:22:46Z", "", False),
        ("", "2026-11-23T09:22:45.9Z", False),
    ],
)
def test_by_their_moments_an_app_that_started_before_its_sandbox_is_in_a_network_that_is_gone(
    sandbox: str, app: str, rejoins: bool
) -> None:
    """Nothing else is known, after the store was lost."""
    world = settled(pod("job", SEVERAL))
    world.memory = replace(world.memory, runs={})
    name = {one.container: one.name for one in world.containers()}
    world.change(lambda each: replace(each, started_at=sandbox), container=name["POD"])
    world.change(lambda each: replace(each, started_at=app), container=name["app"])
    assert steps(world) == ([("stop", "app"), ("start", "app")] if rejoins else [])
    if rejoins:
        change = world.plan().changes[0]
        assert (change.action, "restarted" in change.reason) == (Action.RESTART, True)
        assert not world.plan().converged


def test_a_pod_that_ran_to_its_end_stays_as_it_is() -> None:
    world = settled(pod("job", restart_policy="OnFailure"))
    becomes(world, "app", "exited", 0)
    step = world.plan()
    assert step.work == ()
    assert step.converged
    status = step.statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, Pod)
    assert (status.status.phase, status.status.reason) == ("Succeeded", "Completed")


def test_a_pod_that_is_never_restarted_may_fail() -> None:
    world = settled(pod("job", restart_policy="Never"))
    becomes(world, "app", "exited", 3)
    status = world.plan().statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, Pod)
    assert (status.status.phase, status.status.reason) == ("Failed", "Error")


def test_a_bare_pod_of_another_spec_comes_after_the_one_before_is_gone() -> None:
    world = settled(pod("job"))
    first = world.containers()[0].uid
    world.wanted = desired(pod("job", (container(image="lab/web:2.0"),)), nodes=1, revision="r2")
    step = world.plan()
    assert [change.action for change in step.changes] == [Action.DELETE]
    assert step.objects[0].sign == "-/+"
    assert steps(world) == [("stop", "app"), ("remove", "app")]
    world.settle()
    (left,) = world.containers()
    assert (left.pod, left.image) == ("job", "lab/web:2.0")
    assert left.uid != first


def test_a_busy_pod_gets_no_further_work() -> None:
    world = one_pod(pod("job"))
    first = world.plan()
    world.memory = first.memory
    idle = world.real.nodes["node-000"]
    assert isinstance(idle, Reachable)
    world.real = Observed({"node-000": replace(idle, busy=frozenset(first.memory.pods))})
    assert world.plan().work == ()
    assert world.plan().converged is False


def test_a_step_that_failed_waits_and_says_until_when() -> None:
    world = one_pod(pod("job"))
    step = world.plan()
    (work,) = step.work
    world.memory = after_failure(step.memory, Outcome(work, work.operations[0], "no space left"), now=100.0)
    world.now = 100.5
    held = world.plan()
    assert held.work == ()
    assert held.wake_at is not None
    assert 101.0 <= held.wake_at <= 101.1
    world.now = held.wake_at
    assert world.plan().work == (work,)


def test_a_pod_leaves_only_once_no_proxy_sends_it_connections() -> None:
    world = World(desired(deployment(replicas=1), service(), nodes=2))
    world.settle()
    world.wanted = desired(service(), nodes=2, revision="r2")
    first = world.plan()
    assert first.work == ()
    assert first.endpoints[Ref("Service", "default", "web")][0].ready is False
    assert first.wake_at == world.now + 10
    world.carry_out(first)
    (work,) = world.plan().work
    assert [told(operation)[0] for operation in work.operations] == ["stop", "remove"]


def test_a_proxy_that_cannot_let_go_delays_a_pod_only_so_long() -> None:
    world = World(desired(deployment(replicas=1), service(), nodes=2))
    world.settle()
    world.wanted = desired(service(), nodes=2, revision="r2")
    world.memory = world.plan().memory
    world.now += 9
    assert world.plan().work == ()
    world.now += 1
    assert len(world.plan().work) == 1


def test_the_work_of_one_pod_is_one_whole() -> None:
    step = World(desired(deployment(replicas=3, containers=SEVERAL), nodes=3)).plan()
    assert len(step.work) == 3
    assert all(isinstance(work, PodWork) and len(work.operations) == 6 for work in step.work)


def test_a_place_on_the_network_that_somebody_took_away_is_given_back_at_once() -> None:
    for thing, holder in ((pod("job"), "app"), (pod("job", SEVERAL), "POD")):
        world = settled(thing)
        for ip in ("", "10.244.0.199"):
            one = next(each for each in world.containers() if each.container == holder)
            world.change(partial(replace, ip=ip), container=one.name)
            plan = world.plan()
            assert plan.work[0].operations == (ConnectPod(one.name, "10.244.0.2"),)
            assert "network reconciler" in plan.changes[0].reason


def test_a_sandbox_that_docker_is_about_to_start_again_is_given_nothing() -> None:
    world = settled(pod("job", SEVERAL))
    one = next(each for each in world.containers() if each.container == "POD")
    world.change(lambda each: replace(each, state="restarting", ip=""), container=one.name)
    plan = world.plan()
    assert (plan.work, plan.changes) == ((), ())


def test_limits_that_somebody_changed_are_put_back_in_place_or_with_another_container() -> None:
    world = settled(pod("job"))
    name = world.containers()[0].name
    wanted = ContainerLimits(cpu_shares=2)
    for found, verbs in (
        (wanted, []),
        (replace(wanted, cpu_quota=5000), ["SetLimits"]),
        (replace(wanted, memory=1 << 26, memory_and_swap=1 << 26), ["stop", "remove"]),
    ):
        world.change(partial(replace, limits=found, pids_limit=1024), container=name)
        assert [verb for verb, _ in steps(world)] == verbs
    world.change(partial(replace, limits=wanted, pids_limit=9), container=name)
    assert world.plan().work[0].operations == (SetLimits(name, wanted, 1024),)


def test_a_container_that_has_mounted_what_is_gone_is_stopped_and_started_after_its_volumes_are_there() -> None:
    for thing in (pod("job"), pod("job", SEVERAL)):
        world = settled(thing)
        (name,) = [each.name for each in world.containers() if each.container == "app"]
        world.change(lambda each: replace(each, detached="/data"), container=name)
        assert [verb for verb, _ in steps(world)] == ["stop", "start"]
        (change,) = world.plan().changes
        assert change.reason.endswith("has what is not on the host any more at /data")
