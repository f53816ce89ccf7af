"""The law of back-off: however a container crashes, it is started once for each crash, never before its time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.observed import DockerState
from reconciler.model.operations import StartContainer
from reconciler.model.plan import Plan
from tests.simulated import World, desired, pod

seconds = st.integers(0, 2800).map(lambda quarters: quarters / 4)
"""Sums of them are exact: a container that ran for 600 s did, however late it was started."""
crashes = st.tuples(seconds, st.sampled_from(["exited", "restarting"]))


@pytest.mark.fault(54)
@settings(max_examples=60, deadline=None)
@given(story=st.lists(crashes, max_size=9))
def test_each_crash_is_answered_by_one_start_and_never_before_its_time(
    story: list[tuple[float, DockerState]],
) -> None:
    world = World(desired(pod("job"), nodes=1))
    world.settle()
    failures, delay = 0, 0.0
    for ran, state in story:
        assert _policy(world) == ("Never" if delay else "Always"), "it may not come back before we start it"
        world.now += ran
        world.carry_out(world.plan())
        assert _policy(world) == ("Never" if ran < delay else "Always")
        failures = 1 if ran >= 600 else failures + 1
        _crashes(world, "exited" if failures == 1 else state)  # The first restart is Docker's own.
        crashed_at = world.now
        delay = 0.0 if failures == 1 else min(300.0, 10.0 * 2 ** (failures - 2))
        assert _started_at(world) == [crashed_at + delay]


def _started_at(world: World) -> list[float]:
    """When it was started, once it is seen to run."""
    started: list[float] = []

    def note_starts(step: Plan) -> None:
        starts = [each for work in step.work for each in work.operations if isinstance(each, StartContainer)]
        started.extend(world.now for _ in starts)

    while not started:
        world.step(note_starts)
    world.carry_out(world.plan())
    return started


def _policy(world: World) -> str | None:
    (container,) = world.containers()
    return container.restart_policy


def _crashes(world: World, state: DockerState) -> None:
    for each in world.containers():
        world.change(lambda one: replace(one, state=state, exit_code=1), container=each.name)
