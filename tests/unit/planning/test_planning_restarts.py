"""Restarts: counted run by run, and held back longer after each crash."""

from msgspec.structs import replace

from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import Ended, Observed, Reachable
from reconciler.model.operations import HoldContainer, Operation, Outcome, RenameContainer, StartContainer
from reconciler.model.plan import ContainerStatus, PodStatus
from reconciler.planning.backoff import after_failure
from reconciler.planning.runs import delay_of
from tests.simulated import World, container, desired, pod


def running(**more: object) -> World:
    world = World(desired(pod("job", **more), nodes=1))  # type: ignore[arg-type]
    world.settle()
    return world


def ends(world: World, *, state: str = "exited", exit_code: int = 1, **more: object) -> None:
    name = next(each.name for each in world.containers() if each.container == "app")
    world.change(lambda each: replace(each, state=state, exit_code=exit_code, **more), container=name)


def is_started_by_docker(world: World, moment: str) -> None:
    ends(world, state="running", exit_code=0, started_at=moment)


def operations(world: World) -> list[Operation]:
    return [operation for work in world.plan().work for operation in work.operations]


def app(world: World) -> ContainerStatus:
    status = world.plan().statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, PodStatus)
    return status.containers[-1]


def name_of(world: World) -> str:
    return world.containers()[0].name


def test_delays_are_upstreams() -> None:
    assert [delay_of(failures) for failures in range(1, 9)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_the_first_restart_is_at_once_and_each_later_one_waits_longer() -> None:
    world = running()
    waited = []
    for _ in range(4):
        ends(world)
        began = world.now
        while not (step := world.step()).work:
            pass
        assert step.work[0].operations == (StartContainer(name_of(world)),)
        waited.append(world.now - began)
    assert waited == [0, 10, 20, 40]


def test_a_restart_that_docker_has_pending_is_held_back_while_the_back_off_lasts() -> None:
    world = running()
    ends(world, state="restarting")
    assert operations(world) == [], "the first one is Docker's"
    world.step()
    is_started_by_docker(world, "~1")
    world.step()
    ends(world, state="restarting")
    step = world.step()
    assert [work.operations for work in step.work] == [(HoldContainer(name_of(world)),)]
    assert world.plan().work == ()
    assert world.plan().wake_at == 10.0
    assert app(world).reason == "CrashLoopBackOff"
    assert app(world).message.startswith("back-off 10s restarting failed container=app pod=job_default(")
    world.now = 10.0
    assert operations(world) == [StartContainer(name_of(world))]


def test_a_crash_between_two_looks_counts() -> None:
    world = running()
    for moment in ("~1", "~2"):
        is_started_by_docker(world, moment)
        world.step()
    assert app(world).restarts == 2
    ends(world)
    world.step()
    assert operations(world) == []
    assert world.plan().wake_at == 20.0


def test_ten_minutes_of_running_forget_the_crashes() -> None:
    world = running()
    for _ in range(3):
        ends(world)
        world.settle()
    assert world.now == 30
    world.now += 600
    world.step()
    assert world.memory.crashes == {}
    ends(world)
    assert operations(world) == [StartContainer(name_of(world))]


def test_restarts_are_counted_over_a_restart_of_the_master_and_a_container_made_anew() -> None:
    world = running()
    ends(world)
    world.settle()
    world.forget_volatile()
    world.step()
    assert app(world).restarts == 1
    world.change(lambda _: None, container=name_of(world))
    world.settle()
    assert app(world).restarts == 2


def test_the_end_of_the_run_before_is_told() -> None:
    world = running()
    end = Ended(137, oom_killed=True, at="2026-11-23T09:22:46Z", log="out of memory")
    ends(world, exit_code=137, oom_killed=True, last_end=end)
    assert (app(world).reason, app(world).exit_code) == ("OOMKilled", 137)
    world.settle()
    assert app(world).last_end == end


def test_a_master_that_was_restarted_tries_again_at_once() -> None:
    world = running()
    for _ in range(2):
        ends(world)
        world.step()
    world.step()
    ends(world)
    world.step()
    assert operations(world) == []
    world.forget_volatile()
    world.step()
    assert operations(world) == [] or world.containers()[0].state == "running"
    world.settle()
    assert world.containers()[0].state == "running"


def test_a_container_that_ended_well_is_not_restarted_on_failure() -> None:
    world = running(containers=(container("app"), container("other")), restart_policy="OnFailure")
    ends(world, exit_code=0)
    assert operations(world) == []
    assert world.memory.crashes == {}
    world.settle()
    ends(world, exit_code=1)
    assert [type(each) for each in operations(world)] == [StartContainer]


def test_what_lost_its_sandbox_has_not_crashed() -> None:
    world = running(containers=(container("app"), container("other")))
    sandbox = next(each.name for each in world.containers() if each.container == "POD")
    world.change(lambda each: replace(each, state="exited"), container=sandbox)
    world.settle()
    assert world.memory.crashes == {}
    assert world.plan().converged


def test_nothing_is_counted_while_the_pod_is_worked_on() -> None:
    world = running()
    ends(world)
    node = world.real.nodes["node-000"]
    assert isinstance(node, Reachable)
    world.real = Observed({"node-000": replace(node, busy=frozenset(world.memory.pods))})
    assert world.plan().memory.crashes == {}


def test_a_look_that_tells_no_moment_counts_nothing() -> None:
    """Docker listed the container, and its inspect hung."""
    world = running()
    moment = world.containers()[0].started_at
    before = world.memory.runs
    for told in ("", moment):
        is_started_by_docker(world, told)
        world.step()
    assert (world.memory.runs, world.memory.crashes) == (before, {})


def test_what_is_counted_goes_with_the_pod() -> None:
    world = running()
    ends(world)
    world.settle()
    assert world.memory.runs
    world.wanted = desired(nodes=1, revision="r2")
    world.settle()
    assert (world.memory.runs, world.memory.crashes) == ({}, {})


def test_a_lost_store_takes_dockers_count_over() -> None:
    world = running()
    ends(world, state="running", exit_code=0, restart_count=4)
    world.memory = Memory()
    world.settle()
    assert app(world).restarts == 4


def test_a_container_renamed_by_hand_gets_its_name_back_and_runs_on() -> None:
    world = running()
    name = name_of(world)
    known = world.containers()[0]
    world.change(lambda each: replace(each, name="by-hand"), container=name)
    assert operations(world) == [RenameContainer(known.id, name)]
    world.step()
    assert [(each.name, each.id, each.state) for each in world.containers()] == [(name, known.id, "running")]
    assert operations(world) == []


def test_another_container_with_our_labels_under_another_name_is_listed_and_left_alone() -> None:
    world = running()
    name = name_of(world)
    world.change(lambda each: replace(each, name="look-alike", id="another"), container=name)
    assert [one for one in operations(world) if isinstance(one, RenameContainer)] == []
    assert world.plan().orphans == ("node-000/look-alike",)


def test_a_name_that_cannot_be_given_back_is_tried_again_later() -> None:
    world = running()
    name = name_of(world)
    world.change(lambda each: replace(each, name="by-hand"), container=name)
    (work,) = world.plan().work
    failed = Outcome(work, work.operations[0], "the name is taken", "CreateContainerError")
    world.memory = after_failure(world.memory, failed, world.now)
    assert operations(world) == []
    world.now += 2
    assert len(operations(world)) == 1
