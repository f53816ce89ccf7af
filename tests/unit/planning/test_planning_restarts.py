"""Restarts: counted run by run, and held back longer after each crash."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from reconciler.model.api.core.container import Container
from reconciler.model.api.core.container_status import ContainerState, ContainerStateTerminated, ContainerStatus
from reconciler.model.api.core.pod import Pod
from reconciler.model.memory import Memory
from reconciler.model.names import SANDBOX, Ref
from reconciler.model.observed import Ended, Observed, Reachable
from reconciler.model.operations import (
    HoldContainer,
    Operation,
    Outcome,
    RenameContainer,
    SetRestartPolicy,
    StartContainer,
)
from reconciler.planning.kubelet.backoff import after_failure
from reconciler.planning.state.restarts import delay_of
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
    job = world.plan().statuses[Ref("Pod", "default", "job")]
    assert isinstance(job, Pod)
    return job.status.container_statuses[-1]


def policy(world: World) -> str | None:
    return next(each.restart_policy for each in world.containers() if each.container == "app")


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
        while not any(isinstance(done, StartContainer) for work in world.step().work for done in work.operations):
            pass
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
    name = name_of(world)
    assert [work.operations for work in step.work] == [(SetRestartPolicy(name, "Never"), HoldContainer(name))]
    assert world.plan().work == ()
    assert world.plan().wake_at == 10.0
    assert app(world).state.reason == "CrashLoopBackOff"
    assert app(world).state.message.startswith("back-off 10s restarting failed container=app pod=job_default(")
    world.now = 10.0
    assert operations(world) == [StartContainer(name_of(world))]


def test_what_has_crashed_twice_is_started_without_dockers_policy_until_it_has_run_as_long_as_it_waited() -> None:
    """Docker's own restarts come after 0.1, 0.2, 0.4 s: no cancelling is quick enough for each of them."""
    world = running()
    name = name_of(world)
    ends(world)
    assert operations(world) == [StartContainer(name)], "once is no loop"
    world.settle()
    assert policy(world) == "Always"
    ends(world)
    world.step()
    world.step()
    assert world.now == 10
    assert operations(world) == [SetRestartPolicy(name, "Never"), StartContainer(name)]
    world.step()
    world.step()
    assert (policy(world), world.containers()[0].state) == ("Never", "running")
    assert not world.plan().converged, "it may end any moment, and nobody but us would start it"
    assert world.plan().wake_at == 20
    world.now = 20
    assert operations(world) == [SetRestartPolicy(name, "Always")]
    assert world.plan().changes == (), "nothing that a user must be told"
    world.settle()
    assert policy(world) == "Always"
    assert world.plan().converged


def test_dockers_policy_is_given_back_after_a_restart_of_the_master_and_after_a_hand_took_it() -> None:
    for alone in (True, False):
        world = running(containers=(container("app"),) if alone else (container("app"), container("other")))
        name = next(each.name for each in world.containers() if each.container == "app")
        world.change(lambda each: replace(each, restart_policy="Never"), container=name)
        assert operations(world) == [SetRestartPolicy(name, "Always")]
        world.settle()
        assert world.plan().converged


def test_a_policy_that_is_not_told_or_never_was_dockers_is_left() -> None:
    world = running(restart_policy="Never")
    assert policy(world) == "Never"
    world.change(lambda each: replace(each, restart_policy=None), container=name_of(world))
    assert operations(world) == []


def test_one_made_anew_is_watched_as_the_one_before_it() -> None:
    world = running()
    name = name_of(world)
    for _ in range(2):
        ends(world)
        world.step()
    world.now = 10
    world.change(lambda _: None, container=name)
    assert [type(each).__name__ for each in operations(world)] == [
        "CreateContainer",
        "SetRestartPolicy",
        "StartContainer",
    ]


def test_a_crash_between_two_looks_counts() -> None:
    world = running()
    for moment in ("~1", "~2"):
        is_started_by_docker(world, moment)
        world.step()
    assert app(world).restart_count == 2
    ends(world)
    world.step()
    assert operations(world) == []
    assert world.plan().wake_at == 10.0, "two: the third was Docker's own haste"


def test_restarts_that_docker_made_between_two_looks_are_all_counted() -> None:
    world = running()
    is_started_by_docker(world, "~1")
    world.change(lambda each: replace(each, started_at="~2", restart_count=3), container=name_of(world))
    world.step()
    assert app(world).restart_count == 3
    ends(world, state="restarting", restart_count=4)
    world.step()
    assert app(world).restart_count == 3, "it is still to come"
    is_started_by_docker(world, "~3")
    world.step()
    assert app(world).restart_count == 4
    ends(world, restart_count=0)
    world.settle()
    assert app(world).restart_count == 5, "started by us: Docker counts anew"


def test_ten_minutes_of_running_forget_the_crashes() -> None:
    world = running()
    for _ in range(3):
        ends(world)
        world.settle()
    assert world.now == 10 + 10 + 20 + 20, "each wait, and as long again until it is trusted"
    world.now += 600 - 20
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
    assert app(world).restart_count == 1
    world.change(lambda _: None, container=name_of(world))
    world.settle()
    assert app(world).restart_count == 2


def test_the_end_of_the_run_before_is_told() -> None:
    world = running()
    end = Ended(137, oom_killed=True, at="2026-11-23T09:22:46Z", log="out of memory")
    ends(world, exit_code=137, oom_killed=True, last_end=end)
    ended = app(world).state.terminated
    assert ended is not None
    assert (ended.reason, ended.exit_code) == ("OOMKilled", 137)
    world.settle()
    last = app(world).last_state
    assert last == ContainerState(
        terminated=ContainerStateTerminated(137, "OOMKilled", end.log, finished_at=end.at)
    )


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
    assert app(world).restart_count == 4


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
    world.change(lambda each: replace(each, name="look-alike", id="another", ip=""), container=name)
    assert [one for one in operations(world) if isinstance(one, RenameContainer)] == []
    assert world.plan().orphans == ("node-000/look-alike",)


@pytest.mark.parametrize(
    "containers", [(container(),), (container(), container("beside"))], ids=["alone", "with a sandbox"]
)
@pytest.mark.parametrize("number", [0, -1])
def test_a_container_renamed_before_it_was_ever_seen_gets_its_name_back_and_no_second_is_made(
    containers: tuple[Container, ...], number: int
) -> None:
    world = World(desired(pod("job", containers), nodes=1))
    world.step()
    made = world.containers()
    assert world.memory.runs == {}
    world.change(lambda each: replace(each, name="by-hand", id="1"), container=made[number].name)
    assert operations(world) == [RenameContainer("1", made[number].name)]
    world.settle()
    assert {each.name for each in world.containers()} == {each.name for each in made}
    assert "1" in {each.id for each in world.containers()}


def test_a_container_made_anew_and_renamed_before_it_was_seen_is_known_by_its_pods_address() -> None:
    world = running()
    name = name_of(world)
    world.change(lambda each: replace(each, name="by-hand", id="another"), container=name)
    assert operations(world) == [RenameContainer("another", name)]


def test_a_sandbox_that_was_renamed_and_stopped_is_known_by_its_id() -> None:
    world = World(desired(pod("job", (container(), container("beside"))), nodes=1))
    world.settle()
    (sandbox,) = (each for each in world.containers() if each.container == SANDBOX)
    world.change(lambda each: replace(each, name="by-hand", state="exited", ip=""), container=sandbox.name)
    assert operations(world) == [RenameContainer(sandbox.id, sandbox.name)]


def copied(world: World, **copy: object) -> str:
    """Beside the pod's container: another with all of its labels, as `docker run` by hand makes one."""
    (made,) = world.containers()
    like = replace(made, **{"name": "copy", "id": "9", "ip": "", "created": made.created + 1, **copy})
    world.real = Observed({"node-000": replace(world.real.nodes["node-000"], containers=(like, made))})
    return made.name


@pytest.mark.fault(56)
@pytest.mark.rule(9)
@pytest.mark.parametrize("seen", [False, True])
def test_of_two_with_the_same_labels_the_one_with_the_name_is_ours(*, seen: bool) -> None:
    world = World(desired(pod("job"), nodes=1))
    world.step()
    if seen:
        world.settle()
    copied(world)
    assert operations(world) == []
    assert world.plan().orphans == ("node-000/copy",)


@pytest.mark.fault(56)
@pytest.mark.rule(9)
def test_of_two_under_other_names_the_one_that_was_made_first_is_ours() -> None:
    world = World(desired(pod("job"), nodes=1))
    world.step()
    world.change(lambda each: replace(each, ip=""), container=name_of(world))
    name = copied(world)
    world.change(lambda each: replace(each, name="by-hand", id="1"), container=name)
    assert operations(world) == [RenameContainer("1", name)]
    assert world.plan().orphans == ("node-000/copy",)


@pytest.mark.fault(56)
@pytest.mark.rule(9)
@pytest.mark.parametrize("other", [{"ip": "10.244.0.99"}, {"container": "debug"}, {"container": ""}])
def test_what_no_pod_of_ours_could_have_been_made_as_is_left_alone(other: dict[str, str]) -> None:
    world = World(desired(pod("job"), nodes=1))
    world.step()
    world.change(lambda each: replace(each, name="by-hand", id="1", **other), container=name_of(world))
    assert not any(isinstance(one, RenameContainer) for one in operations(world))
    assert world.plan().orphans == ("node-000/by-hand",)


@pytest.mark.parametrize("part", ["app", SANDBOX])
def test_a_lost_store_takes_over_a_pod_though_one_of_its_containers_was_renamed(part: str) -> None:
    world = World(desired(pod("job", (container(), container("beside"))), nodes=1))
    world.settle()
    (one,) = (each for each in world.containers() if each.container == part)
    world.change(lambda each: replace(each, name="by-hand"), container=one.name)
    world.memory = Memory()
    assert operations(world) == [RenameContainer(one.id, one.name)]
    assert world.plan().orphans == ()


@pytest.mark.fault(56)
def test_a_lost_store_takes_over_a_pod_though_one_of_its_containers_was_copied() -> None:
    world = running()
    copied(world)
    known, world.memory = world.memory.pods, Memory()
    assert (operations(world), world.plan().orphans) == ([], ("node-000/copy",))
    assert world.plan().memory.pods == known


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


def test_what_fails_of_a_pod_that_is_fine_is_tried_again_ever_later() -> None:
    world = running()
    world.change(lambda each: replace(each, restart_policy="Never"), container=name_of(world))
    waits: list[float] = []
    while len(waits) < 4:
        step = world.plan()
        assert step.wake_at is None or not step.work
        world.memory = step.memory
        for work in step.work:
            failed = Outcome(work, work.operations[0], "refused", "RunContainerError")
            world.memory = after_failure(world.memory, failed, world.now)
            waits += [held.not_before - world.now for held in world.memory.failures[work.uid].values()]
        world.now = max(world.now, step.wake_at or 0.0)
    assert all(later > 1.5 * before for before, later in pairwise(waits))
    world.settle()
    assert not world.memory.failures
