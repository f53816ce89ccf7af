"""The claims of a StatefulSet: one for each pod and template, and what becomes of the data."""

from typing import Literal

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import (
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetUpdateStrategy,
)
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.meta import Object
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import Reachable
from reconciler.model.operations import RemoveVolume
from reconciler.model.plan import Action, Plan
from reconciler.planning import Planner
from tests.planner import RULES, clock_at
from tests.simulated import World, desired
from tests.stateful_sets import stateful_set

Policy = Literal["Retain", "Delete"]


def retaining(when_deleted: Policy, when_scaled: Policy, replicas: int = 3, version: str = "1.0") -> StatefulSet:
    policy = StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted, when_scaled)
    return stateful_set(replicas=replicas, version=version, persistent_volume_claim_retention_policy=policy)


def running(*objects: Object) -> World:
    world = World(desired(*objects))
    world.settle()
    return world


def revise(world: World, *objects: Object, revision: str = "r2") -> None:
    world.wanted = desired(*objects, revision=revision)
    world.settle()


def volumes(world: World) -> dict[str, str]:
    """The node of each claim's volume, by the claim."""
    hosts = {name: host for name, host in world.real.nodes.items() if isinstance(host, Reachable)}
    return {
        volume.removeprefix("lab_default_"): name
        for name, host in hosts.items()
        for volume in sorted(host.volumes or ())
    }


def homes(world: World) -> dict[str, str]:
    return {pod.name: pod.node for pod in world.memory.pods.values()}


def test_each_pod_has_a_claim_of_each_template_on_its_own_node() -> None:
    world = running(stateful_set(replicas=2, claims=("data", "logs")))
    where = homes(world)
    assert volumes(world) == {
        f"{claim}-{pod}": where[pod] for claim in ("data", "logs") for pod in ("db-0", "db-1")
    }
    claims = {ref.name: one for ref, one in world.wanted.of(PersistentVolumeClaim).items()}
    assert sorted(claims) == ["data-db-0", "data-db-1", "logs-db-0", "logs-db-1"]
    assert claims["data-db-0"].metadata.labels == {"app": "db"}
    published = world.plan().statuses[Ref("PersistentVolumeClaim", "default", "data-db-0")]
    assert isinstance(published, PersistentVolumeClaim)
    assert (published.status.phase, published.metadata.owner_references) == ("Bound", ())


def test_a_pod_that_is_made_again_returns_to_its_data() -> None:
    world = running(stateful_set(replicas=3))
    before = homes(world), volumes(world)
    revise(world, stateful_set(replicas=3, version="2.0"))
    assert (homes(world), volumes(world)) == before


@pytest.mark.parametrize("lose", [False, True])
def test_a_pod_that_comes_back_after_a_scaling_finds_its_data(lose: bool) -> None:
    world = running(stateful_set(replicas=3))
    before = homes(world), volumes(world)
    revise(world, stateful_set(replicas=1))
    assert volumes(world) == before[1]
    if lose:
        world.memory = Memory()
    revise(world, stateful_set(replicas=3), revision="r3")
    assert (homes(world), volumes(world)) == before


@pytest.mark.parametrize("deleted", ["Retain", "Delete"])
@pytest.mark.parametrize("scaled", ["Retain", "Delete"])
def test_the_data_goes_by_the_retention_policy(deleted: Policy, scaled: Policy) -> None:
    world = running(retaining(deleted, scaled))
    revise(world, retaining(deleted, scaled, replicas=1))
    all_of_them = {"data-db-0", "data-db-1", "data-db-2"}
    left = {"data-db-0"} if scaled == "Delete" else all_of_them
    assert volumes(world).keys() == left
    revise(world, revision="r3")
    assert homes(world) == {}
    assert volumes(world).keys() == (set() if deleted == "Delete" else left)


def test_data_is_removed_when_nothing_of_its_pod_is_left() -> None:
    world = running(retaining("Retain", "Delete"))
    world.wanted = desired(retaining("Retain", "Delete", replicas=2), revision="r2")
    removed = [
        "db-2" in {pod.name for pod in step.memory.pods.values()}
        for step in world.settle()
        if any(isinstance(one, RemoveVolume) for work in step.work for one in work.operations)
    ]
    assert removed == [False]
    assert "data-db-2" not in volumes(world)


def test_a_lost_state_loses_no_data() -> None:
    world = running(retaining("Delete", "Delete"))
    before = volumes(world)
    world.memory = Memory()
    revise(world, revision="r2")
    assert volumes(world) == before, "nobody remembers whose it was, and what was to become of it"


def test_a_policy_that_changes_counts_from_then_on() -> None:
    world = running(retaining("Retain", "Retain"))
    revise(world, retaining("Delete", "Retain"))
    revise(world, revision="r3")
    assert volumes(world) == {}


def test_a_policy_that_keeps_data_counts_for_what_was_left_behind_too() -> None:
    world = running(retaining("Delete", "Retain"))
    before = volumes(world)
    revise(world, retaining("Delete", "Retain", replicas=1))
    revise(world, retaining("Retain", "Retain", replicas=1), revision="r3")
    revise(world, revision="r4")
    assert volumes(world) == before


def test_the_owner_is_told_where_the_data_goes_with_it() -> None:
    (claim, *_) = desired(retaining("Delete", "Retain")).of(PersistentVolumeClaim).values()
    assert [(one.kind, one.name) for one in claim.metadata.owner_references] == [("StatefulSet", "db")]


def test_a_pod_waits_for_the_node_that_has_its_data() -> None:
    world = running(stateful_set(replicas=2))
    where = homes(world)["db-1"]
    revise(world, stateful_set(replicas=1))
    world.unplug(where)
    world.wanted = desired(stateful_set(replicas=2), revision="r3")
    for _ in range(10):
        world.now += 60
        assert not [change for change in world.step().changes if change.action is Action.CREATE]
    (unplaced,) = world.plan().unplaced
    assert [one.ref.name for one in unplaced.pods] == ["db-1"]
    assert any("data-db-1" in why for why in unplaced.reasons.values())
    world.plug_in(where)
    world.settle()
    assert homes(world)["db-1"] == where


def test_one_pod_without_a_place_holds_up_no_other_in_parallel() -> None:
    parallel = {"pod_management_policy": "Parallel"}
    world = running(stateful_set(replicas=3, **parallel))
    where = homes(world)
    revise(world, stateful_set(replicas=0, **parallel))
    away = where["db-0"]
    world.unplug(away)
    world.wanted = desired(stateful_set(replicas=3, **parallel), revision="r3")
    world.now += 60
    made = {change.pod.name for change in world.step().changes if change.action is Action.CREATE}
    assert made == {name for name, node in where.items() if node != away}


def test_another_claim_in_the_template_replaces_the_pods_one_by_one() -> None:
    world = running(stateful_set(replicas=2))
    revise(world, stateful_set(replicas=2, claims=("data", "logs")))
    assert volumes(world).keys() == {"data-db-0", "data-db-1", "logs-db-0", "logs-db-1"}


def test_on_delete_and_a_new_claim_wait_for_each_other() -> None:
    on_delete = StatefulSetUpdateStrategy("OnDelete")
    world = running(stateful_set(replicas=1, update_strategy=on_delete))
    revise(world, stateful_set(replicas=1, claims=("data", "logs"), update_strategy=on_delete))
    assert volumes(world).keys() == {"data-db-0"}


class _InPart(World):
    """Its master plans what a change can reach, as the loop does."""

    def __init__(self, wanted: Desired) -> None:
        super().__init__(wanted)
        self.planner = Planner()

    def plan(self) -> Plan:
        return self.planner.plan(self.wanted, self.observed(), self.memory, clock_at(self.now), RULES)


def test_data_stays_while_its_pod_cannot_come_back_yet() -> None:
    """Also where the data goes with a pod that is scaled away: this one is only on its way."""
    world = _InPart(desired(retaining("Delete", "Delete", replicas=2)))
    world.settle()
    before = volumes(world)
    world.wanted = desired(retaining("Delete", "Delete", replicas=2, version="2.0"), revision="r2")
    in_part, missing = world.planner.parts, False
    first = next(pod.uid for pod in world.memory.pods.values() if pod.name == "db-0")
    crashing = [one.name for one in world.containers() if one.uid == first]
    for _ in range(40):
        for name in crashing:
            world.change(lambda one: replace(one, state="exited", exit_code=1), container=name)
        world.step()
        world.now += 1
        missing = missing or "db-1" not in homes(world)
        assert volumes(world) == before
    assert missing
    assert world.planner.parts > in_part
