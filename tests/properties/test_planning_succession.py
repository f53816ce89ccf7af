"""A law of renames: behind a Service there are never fewer ready pods than the rollout of what comes allows."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.kinds.apps.rollout import fenceposts_of
from reconciler.model.api.apps import DeploymentStrategy, RollingUpdateDeployment
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.names import Ref
from reconciler.model.plan import Plan
from tests.simulated import World, deployment, desired, service

BEHIND = Ref("Service", "default", "web")
limits = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(any)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=st.integers(1, 5),
    after=st.integers(1, 5),
    limit=limits,
    hosts=st.integers(1, 3),
    again=st.integers(0, 4),
    pause=st.floats(0, 2),
)
def test_a_rename_costs_a_service_no_more_than_a_rollout(
    before: int, after: int, limit: tuple[int, int], hosts: int, again: int, pause: float
) -> None:
    """`again`: after so many steps it is renamed once more."""
    world = World(desired(deployment(replicas=before), service(), nodes=hosts))
    world.settle()
    new = deployment(replicas=after, strategy=DeploymentStrategy("RollingUpdate", RollingUpdateDeployment(*limit)))
    floor = min(before, after - fenceposts_of(new).unavailable)

    def check(step: Plan) -> None:
        assert sum(one.ready for one in step.endpoints[BEHIND]) >= floor

    for number, name in enumerate(("second", "third")):
        renamed = replace(new, metadata=ObjectMeta(name, "default"))
        world.wanted = desired(renamed, service(), nodes=hosts, revision=f"r{number + 2}")
        for _ in range(again):
            world.step(check)
            world.now += pause
    world.settle(look=check)
    assert {each.owner for each in world.containers()} == {"Deployment/third"}
    assert len(world.containers()) == after
    assert world.plan().converged
