"""How a pod leaves: nobody sends to it, then short connections end, then it is stopped."""

import pytest
from msgspec.structs import replace

from reconciler.model.observed import Observed, ProxyState, Reachable
from reconciler.model.operations import Outcome, StopContainers, UnpauseContainer
from reconciler.model.plan import Plan
from reconciler.planning import after_failure
from tests.simulated import World, deployment, desired, pod, service


@pytest.fixture
def world() -> World:
    """A settled cluster, of which the only pod is to leave."""
    world = World(desired(deployment(replicas=1), service(), nodes=2))
    world.settle()
    world.wanted = desired(deployment(replicas=0), service(), nodes=2, revision="r2")
    return world


def says(world: World, proxy: ProxyState) -> Plan:
    """The plan, when this is what one proxy says, and the other has nothing to do with the pod."""
    first, second = world.real.nodes.values()
    assert isinstance(first, Reachable)
    assert isinstance(second, Reachable)
    hosts = (replace(first, proxy=ProxyState()), replace(second, proxy=proxy))
    world.real = Observed(dict(zip(world.real.nodes, hosts, strict=True)))
    step = world.plan()
    world.memory = step.memory
    return step


def stops(step: Plan) -> bool:
    return any(isinstance(each, StopContainers) for work in step.work for each in work.operations)


def ip(world: World) -> frozenset[str]:
    return frozenset({next(iter(world.memory.pods.values())).ip})


def test_it_runs_on_while_a_proxy_sends_it_connections(world: World) -> None:
    step = says(world, ProxyState(routed=ip(world)))
    assert not stops(step)
    assert step.wake_at == world.now + 10


def test_it_is_stopped_at_once_when_no_proxy_has_anything_to_do_with_it(world: World) -> None:
    says(world, ProxyState(routed=ip(world)))
    assert stops(says(world, ProxyState()))


def test_their_second_begins_when_the_last_proxy_has_let_go(world: World) -> None:
    says(world, ProxyState(routed=ip(world)))
    world.now += 5
    step = says(world, ProxyState(connected=ip(world)))
    assert not stops(step)
    assert step.wake_at == world.now + 1
    world.now += 0.9
    assert not stops(says(world, ProxyState(connected=ip(world))))
    world.now += 0.1
    assert stops(says(world, ProxyState(connected=ip(world))))


def test_short_connections_have_a_second_to_end(world: World) -> None:
    step = says(world, ProxyState(connected=ip(world)))
    assert not stops(step)
    assert step.wake_at == world.now + 1
    world.now += 1
    assert stops(says(world, ProxyState(connected=ip(world))))


def test_a_paused_container_that_cannot_go_on_to_be_stopped_is_tried_again_later() -> None:
    world = World(desired(pod("job"), nodes=1))
    world.settle()
    (one,) = world.containers()
    world.change(lambda each: replace(each, state="paused"), container=one.name)
    world.wanted = desired(nodes=1, revision="r2")
    step = world.plan()
    (work,) = step.work
    assert isinstance(work.operations[0], UnpauseContainer)
    world.memory = after_failure(step.memory, Outcome(work, work.operations[0], "no"), world.now)
    assert world.plan().work == ()
    world.now += 2
    assert world.plan().work == (work,)
