"""A master that dies after any of its calls to hosts: the next one finishes, and nothing is there twice."""

from collections import Counter
from itertools import count

import pytest

from reconciler.model.api.meta import Object
from reconciler.model.desired import Desired
from reconciler.planning import after_success
from tests.simulated import World, deployment, desired, service


def version(number: str) -> Desired:
    objects: list[Object] = []
    for name in ("web", "other"):
        objects += [deployment(name, 3, number), service(name)]
    return desired(*objects, revision=f"r{number}")


def dies(world: World, calls: int) -> bool:
    """A master lives for so many calls, and stores what it has decided before each. False: it needs no more."""
    while True:
        before, memory = world.real, world.memory
        step = world.plan()
        world.memory = step.memory
        for work in step.work:
            if calls < len(work.operations):
                world.cluster.carry_out(work, world.memory.pods, most=calls)
                return True
            calls -= len(work.operations)
            world.memory = after_success(world.memory, world.cluster.carry_out(work, world.memory.pods))
        world.cluster.follow(step, silent=world.cut)
        if world.real == before and world.memory is memory:
            if step.wake_at is None:
                return False
            world.now = max(world.now, step.wake_at)


@pytest.mark.fault(55)
def test_killed_after_any_call_of_a_rollout_it_leaves_nothing_behind_and_nothing_twice() -> None:
    world = World(version("1.0"))
    world.settle()
    real, memory = world.real, world.memory
    for calls in count():
        world.real, world.memory, world.now = real, memory, 100.0
        world.wanted = version("2.0")
        if not dies(world, calls):
            break
        world.forget_volatile()
        world.settle()
        there = world.containers()
        assert {each.state for each in there} == {"running"}, calls
        assert Counter(each.owner for each in there) == {"Deployment/web": 3, "Deployment/other": 3}, calls
        assert {each.image for each in there} == {"lab/web:2.0"}, calls
        assert len({each.uid for each in there}) == 6, calls
        assert {each.uid for each in there} == world.memory.pods.keys(), calls
    assert calls > 20, "a rollout is more calls than that"
