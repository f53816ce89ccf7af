"""Which run of its sandbox a container is in: by what was seen, whatever the clock of the host says."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from reconciler.model.api.core.pod import Pod
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import ObservedContainer
from reconciler.model.operations import Operation, StartContainer, StopContainers
from reconciler.model.plan import Plan
from reconciler.planning.allocation.identity import container_of
from tests.simulated import World, container, desired, ignore, pod

LONG_AGO = "2020-01-01T00:00:00Z"
"""Before every moment that the simulated hosts tell."""
SEVERAL = pod("job", (container("app"), container("other")))
PREPARED = pod("job", init_containers=(container("one"), container("two")))


class StoppedClock(World):
    """Its host's clock was set back: what is started from now on began before everything that is there."""

    back = False
    starts = 0

    def step(self, look: Callable[[Plan], None] = ignore) -> Plan:
        before = {each.name: each.started_at for each in self.containers()}
        step = super().step(look)
        for each in self.containers():
            if self.back and each.started_at and before.get(each.name) != each.started_at:
                self.starts += 1
                self.happens(each.container, started_at=f"2020-01-01T00:00:{self.starts:02}Z")
        return step

    def happens(self, name: str, **fields: object) -> None:
        self.change(lambda each: replace(each, **fields), container=self.one(name).name)

    def one(self, name: str) -> ObservedContainer:
        return next(each for each in self.containers() if each.container == name)

    def operations(self) -> list[Operation]:
        return [each for work in self.plan().work for each in work.operations]

    def restarts(self) -> list[str]:
        """The containers that are stopped and started now."""
        found = self.operations()
        stopped = [one.container for each in found if isinstance(each, StopContainers) for one in each.containers]
        assert stopped == [each.container for each in found if isinstance(each, StartContainer)]
        return [container_of(name) for name in stopped]


def settled(thing: Pod = SEVERAL) -> StoppedClock:
    world = StoppedClock(desired(thing, nodes=1))
    world.settle()
    return world


def test_what_docker_starts_after_its_hosts_clock_was_set_back_runs_on() -> None:
    world = settled()
    world.happens("app", started_at=LONG_AGO, restart_count=1)
    assert world.operations() == []
    assert world.plan().converged
    world.settle()
    assert (world.operations(), world.plan().converged) == ([], True)


def test_a_crash_is_counted_and_held_back_whatever_the_clock_says() -> None:
    world = settled()
    for number in range(3):
        world.happens("app", started_at=f"2020-01-01T00:00:0{number}Z")
        world.step()
    world.happens("app", state="exited", exit_code=1)
    step = world.plan()
    assert (step.work, step.wake_at) == ((), world.now + 10)
    status = step.statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, Pod)
    assert (status.status.reason, status.status.container_statuses[0].restart_count) == ("CrashLoopBackOff", 3)


def test_what_we_start_after_the_clock_was_set_back_is_started_once() -> None:
    world = settled()
    world.back = True
    world.happens("app", state="exited", exit_code=1)
    world.settle()
    assert world.starts == 1
    assert world.plan().converged


def test_init_containers_are_done_after_the_clock_was_set_back() -> None:
    world = StoppedClock(desired(PREPARED, nodes=1))
    world.step()
    world.back = True
    world.settle()
    assert world.starts == 2, "the second init container, and the main one"
    assert world.plan().converged


def test_the_restart_of_a_sandbox_is_seen_though_the_clock_was_set_back() -> None:
    world = settled()
    world.happens("POD", started_at=LONG_AGO)
    assert world.restarts() == ["app", "other"]
    world.settle()
    assert world.plan().converged
    assert world.memory.crashes == {}


def test_a_sandbox_that_was_restarted_while_no_master_ran_is_seen() -> None:
    world = settled()
    world.forget_volatile()
    world.happens("POD", started_at="~9999")
    assert world.restarts() == ["app", "other"]


@pytest.mark.parametrize("lost", [True, False])
def test_where_nobody_saw_which_was_first_one_start_too_many_is_the_most(lost: bool) -> None:
    """The store was lost; or both have begun since the last look."""
    world = settled()
    world.back = True
    if lost:
        world.memory = Memory()
    else:
        world.happens("POD", started_at="~9999")
    world.happens("app", started_at=LONG_AGO)
    assert "app" in world.restarts()
    world.settle()
    assert world.one("app").started_at < world.one("POD").started_at
    assert (world.operations(), world.plan().converged) == ([], True)


def test_a_store_of_before_learns_which_sandbox_each_container_is_in() -> None:
    world = settled()
    (uid,) = world.memory.runs
    runs = {name: replace(one, sandbox="") for name, one in world.memory.runs[uid].items() if name != "POD"}
    before, world.memory = world.memory.runs, replace(world.memory, runs={uid: runs})
    assert world.operations() == []
    world.settle()
    assert world.memory.runs == before


def test_a_look_that_tells_no_moment_accuses_nobody() -> None:
    world = settled()
    moments = {each.container: each.started_at for each in world.containers()}
    for name in moments:
        world.happens(name, started_at="")
        assert world.operations() == []
        world.settle()
        world.happens(name, started_at=moments[name])
        assert world.operations() == []
        world.settle()
