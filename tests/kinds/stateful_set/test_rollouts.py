"""StatefulSets: which pods come and go, in what order, and what stands still."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import (
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetOrdinals,
    StatefulSetUpdateStrategy,
)
from reconciler.model.api.core.node import NodeSpec, Taint
from reconciler.model.api.meta import Object
from reconciler.model.names import Ref
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import Action, Plan
from tests.planner import forecast
from tests.simulated import World, desired, node, service
from tests.stateful_sets import stateful_set

DB = Ref("StatefulSet", "default", "db")


def rolling(partition: int = 0, unavailable: int | str = 1) -> StatefulSetUpdateStrategy:
    return StatefulSetUpdateStrategy("RollingUpdate", RollingUpdateStatefulSetStrategy(partition, unavailable))


def begin(*objects: Object) -> World:
    return World(desired(*objects, service("db", cluster_ip="None")))


def running(*objects: Object) -> World:
    world = begin(*objects)
    world.settle()
    return world


def revise(world: World, *objects: Object, revision: str = "r2", nodes: Iterable[object] | int = 3) -> None:
    world.wanted = desired(*objects, service("db", cluster_ip="None"), revision=revision, nodes=nodes)  # type: ignore[arg-type]


def told(steps: Iterable[Plan]) -> list[str]:
    """What was decided, in order: `+db-0`, `-db-0`."""
    sign = {Action.CREATE: "+", Action.DELETE: "-"}
    return [
        f"{sign[change.action]}{change.pod.name}"
        for step in steps
        for change in step.changes
        if change.action in sign
    ]


def standing(world: World) -> StatefulSet:
    found = world.plan().statuses[DB]
    assert isinstance(found, StatefulSet)
    return found


def images(world: World) -> dict[str, str]:
    return {one.pod: one.image.rpartition(":")[2] for one in world.containers() if one.uid}


def crash_all(world: World, image: str) -> None:
    """Whatever runs of an image falls over, for as long as this is called."""

    def crash(one: ObservedContainer) -> ObservedContainer:
        return replace(one, state="exited", exit_code=1) if one.image.endswith(image) else one

    for one in world.containers():
        if one.uid:
            world.change(crash, container=one.name)


def broken(world: World, image: str, turns: int = 30) -> list[Plan]:
    """Turns in which whatever is of an image does not become ready."""
    steps = []
    for _ in range(turns):
        steps.append(world.step())
        crash_all(world, image)
        world.now += 1.0
    return steps


# --- names and order ------------------------------------------------------------------------------------------


def test_pods_come_one_after_the_other_each_once_the_one_before_is_available() -> None:
    world = begin(stateful_set(replicas=3))
    steps = world.settle()
    assert told(steps) == ["+db-0", "+db-1", "+db-2"]
    assert all(len(step.changes) <= 1 for step in steps)
    intent = next(pod for pod in world.memory.pods.values() if pod.name == "db-1")
    assert (intent.owner, intent.spec and intent.spec.hostname, intent.spec and intent.spec.subdomain) == (
        DB,
        "db-1",
        "db",
    )
    assert intent.labels["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert intent.labels["apps.kubernetes.io/pod-index"] == "1"
    assert intent.labels["controller-revision-hash"] == f"db-{intent.hash}"


def test_in_parallel_all_come_and_go_at_once() -> None:
    world = begin(stateful_set(replicas=3, pod_management_policy="Parallel"))
    assert told([world.step()]) == ["+db-0", "+db-1", "+db-2"]
    world.settle()
    revise(world, stateful_set(replicas=1, pod_management_policy="Parallel"))
    assert told([world.step()]) == ["-db-2", "-db-1"]


def test_pods_are_numbered_from_the_start_that_is_asked_for() -> None:
    world = running(stateful_set(replicas=2, ordinals=StatefulSetOrdinals(5)))
    assert sorted(images(world)) == ["db-5", "db-6"]
    revise(world, stateful_set(replicas=2, ordinals=StatefulSetOrdinals(6)))
    assert told(world.settle()) == ["+db-7", "-db-5"]


def test_a_pod_that_is_not_ready_holds_up_those_after_it() -> None:
    world = begin(stateful_set(replicas=3, version="9.9"))
    assert told(broken(world, ":9.9")) == ["+db-0"]
    assert standing(world).status.replicas == 1
    assert not standing(world).is_rolled_out


def test_fewer_are_wanted_and_the_highest_go_first_one_by_one() -> None:
    world = running(stateful_set(replicas=4))
    revise(world, stateful_set(replicas=1))
    steps = world.settle()
    assert told(steps) == ["-db-3", "-db-2", "-db-1"]
    first = next(at for at, step in enumerate(steps) if told([step]) == ["-db-3"])
    gone = next(
        at for at, step in enumerate(steps) if not any(p.name == "db-3" for p in step.memory.pods.values())
    )
    second = next(at for at, step in enumerate(steps) if told([step]) == ["-db-2"])
    assert first < gone <= second, "the next one goes when nothing of the one before is left"
    assert sorted(images(world)) == ["db-0"]


def test_going_down_waits_while_a_pod_that_stays_is_not_ready() -> None:
    world = running(stateful_set(replicas=3))
    revise(world, stateful_set(replicas=1))
    pods = {one.pod: one.name for one in world.containers() if one.uid}
    steps = []
    for _ in range(10):
        world.change(lambda one: replace(one, state="exited", exit_code=1), container=pods["db-0"])
        steps.append(world.step())
    assert told(steps) == []
    world.now += 1000
    assert told(world.settle()) == ["-db-2", "-db-1"]


def test_minimum_ready_seconds_pass_between_two_pods() -> None:
    world = begin(stateful_set(replicas=2, min_ready_seconds=30))
    began: dict[str, float] = {}
    for step in range(20):
        for change in (plan := world.step()).changes:
            began[change.pod.name] = world.now
        assert plan is not None, step
    assert began["db-1"] - began["db-0"] >= 30


# --- rollouts -------------------------------------------------------------------------------------------------


def test_a_rollout_begins_with_the_highest_and_waits_for_each() -> None:
    world = running(stateful_set(replicas=3))
    revise(world, stateful_set(replicas=3, version="2.0"))
    assert told(world.settle()) == ["-db-2", "+db-2", "-db-1", "+db-1", "-db-0", "+db-0"]
    assert images(world) == dict.fromkeys(["db-0", "db-1", "db-2"], "2.0")
    status = standing(world).status
    assert status.current_revision == status.update_revision
    assert (status.current_replicas, status.updated_replicas, status.ready_replicas) == (3, 3, 3)


def test_pods_below_the_partition_keep_their_template_also_when_they_are_made_again() -> None:
    world = running(stateful_set(replicas=3, claims=()))
    before = standing(world).status.update_revision
    revise(world, stateful_set(replicas=3, claims=(), version="2.0", update_strategy=rolling(partition=2)))
    assert told(world.settle()) == ["-db-2", "+db-2"]
    assert images(world) == {"db-0": "1.0", "db-1": "1.0", "db-2": "2.0"}
    found = standing(world)
    assert found.is_rolled_out
    assert (found.status.current_revision, found.status.current_replicas) == (before, 2)
    assert (found.status.update_revision != before, found.status.updated_replicas) == (True, 1)
    drain(world, "db-1", stateful_set(replicas=3, claims=(), version="2.0", update_strategy=rolling(partition=2)))
    assert "-db-1" in told(world.settle())
    assert images(world) == {"db-0": "1.0", "db-1": "1.0", "db-2": "2.0"}


def test_the_only_pod_below_a_partition_comes_back_with_the_template_that_nobody_else_has() -> None:
    world = running(stateful_set(replicas=2, claims=()))
    revise(world, stateful_set(replicas=2, claims=(), version="2.0", update_strategy=rolling(partition=1)))
    world.settle()
    drain(world, "db-0", stateful_set(replicas=2, claims=(), version="2.0", update_strategy=rolling(partition=1)))
    assert "-db-0" in told(world.settle())
    assert images(world) == {"db-0": "1.0", "db-1": "2.0"}


def test_a_partition_that_comes_after_a_rollout_takes_nothing_back() -> None:
    world = running(stateful_set(replicas=2, claims=()))
    revise(world, stateful_set(replicas=2, claims=(), version="2.0"))
    world.settle()
    kept = stateful_set(replicas=2, claims=(), version="2.0", update_strategy=rolling(partition=2))
    drain(world, "db-0", kept)
    world.settle()
    assert images(world) == {"db-0": "2.0", "db-1": "2.0"}


def test_the_partition_is_lowered_and_the_rest_follows() -> None:
    world = running(stateful_set(replicas=3))
    revise(world, stateful_set(replicas=3, version="2.0", update_strategy=rolling(partition=2)))
    world.settle()
    revise(world, stateful_set(replicas=3, version="2.0"), revision="r3")
    assert told(world.settle()) == ["-db-1", "+db-1", "-db-0", "+db-0"]


@pytest.mark.parametrize("unavailable", [2, "50%"])
def test_so_many_are_replaced_at_a_time(unavailable: int | str) -> None:
    world = running(stateful_set(replicas=4))
    revise(world, stateful_set(replicas=4, version="2.0", update_strategy=rolling(unavailable=unavailable)))
    assert told([world.step()]) == ["-db-3", "-db-2"]
    world.settle()
    assert set(images(world).values()) == {"2.0"}


def test_a_broken_rollout_stops_at_the_first_pod_that_is_not_ready() -> None:
    world = running(stateful_set(replicas=3))
    revise(world, stateful_set(replicas=3, version="2.0"))
    assert told(broken(world, ":2.0")) == ["-db-2", "+db-2"]
    assert images(world) == {"db-0": "1.0", "db-1": "1.0", "db-2": "2.0"}
    message = standing(world).status.conditions[0].message
    assert "db-2" in message


@pytest.mark.parametrize("version", ["1.0", "3.0"])
def test_a_commit_alone_ends_a_broken_rollout(version: str) -> None:
    world = running(stateful_set(replicas=3))
    revise(world, stateful_set(replicas=3, version="2.0"))
    broken(world, ":2.0")
    revise(world, stateful_set(replicas=3, version=version), revision="r3")
    told_now = told(world.settle())
    assert told_now[:2] == ["-db-2", "+db-2"]
    assert set(images(world).values()) == {version}
    assert told_now == (
        ["-db-2", "+db-2"] if version == "1.0" else [*told_now[:2], *["-db-1", "+db-1", "-db-0", "+db-0"]]
    )


def test_a_first_template_that_is_broken_is_mended_by_a_commit() -> None:
    world = begin(stateful_set(replicas=2, version="2.0"))
    broken(world, ":2.0")
    revise(world, stateful_set(replicas=2, version="1.0"))
    assert told(world.settle()) == ["-db-0", "+db-0", "+db-1"]


def test_on_delete_a_pod_gets_the_new_template_when_it_is_made_again() -> None:
    world = running(stateful_set(replicas=2, claims=()))
    on_delete = stateful_set(
        replicas=2, claims=(), version="2.0", update_strategy=StatefulSetUpdateStrategy("OnDelete")
    )
    revise(world, on_delete)
    assert told(world.settle()) == []
    assert standing(world).is_rolled_out
    drain(world, "db-1", on_delete)
    assert told(world.settle()) == ["-db-1", "+db-1"]
    assert images(world) == {"db-0": "1.0", "db-1": "2.0"}


def test_another_service_name_makes_the_pods_anew() -> None:
    world = running(stateful_set(replicas=2))
    revise(world, stateful_set(replicas=2, service_name="other"))
    assert told(world.settle()) == ["-db-1", "+db-1", "-db-0", "+db-0"]
    assert {pod.spec.subdomain for pod in world.memory.pods.values() if pod.spec} == {"other"}


def test_a_dry_run_tells_every_pod_in_its_turn() -> None:
    world = running(stateful_set(replicas=2))
    revise(world, stateful_set(replicas=3, version="2.0"))
    found = forecast(world.wanted, world.observed(), world.memory, world.now)
    told_before = [f"{change.action} {change.pod.name}" for change in found.changes]
    assert told_before == [
        "create db-2",
        *("delete db-1", "create db-1"),
        *("delete db-0", "create db-0"),
    ]
    assert found.changes[1].reason.startswith("its template ")


# --- one of each name -----------------------------------------------------------------------------------------


def place_of(world: World, name: str) -> str:
    return next(pod.node for pod in world.memory.pods.values() if pod.name == name and pod.wanted == "run")


def drain(world: World, name: str, *objects: Object) -> None:
    """The node of a pod evicts whatever runs there."""
    drained = place_of(world, name)
    taints = (Taint("maintenance", effect="NoExecute"),)
    nodes = [
        node(one, NodeSpec(taints=taints) if one == drained else NodeSpec()) for one in sorted(world.wanted.nodes)
    ]
    revise(world, *objects, revision=f"drain-{name}", nodes=nodes)


def test_a_pod_on_a_silent_node_has_no_second_one_however_long_it_is_silent() -> None:
    world = running(stateful_set(replicas=3))
    name = place_of(world, "db-1")
    world.unplug(name)
    for _ in range(20):
        world.now += 60
        assert told([world.step()]) == []
    assert standing(world).status.ready_replicas == 2
    world.plug_in(name)
    world.settle()
    assert standing(world).status.ready_replicas == 3


def test_a_pod_whose_node_is_declared_gone_is_made_again_where_its_data_allows() -> None:
    world = running(stateful_set(replicas=3, claims=()))
    gone = place_of(world, "db-1")
    world.unplug(gone)
    left = [node(name) for name in sorted(world.wanted.nodes) if name != gone]
    revise(world, stateful_set(replicas=3, claims=()), nodes=left)
    world.cut.pop(gone)
    changes = [change for step in world.settle() for change in step.changes]
    assert [(change.action, change.pod.name) for change in changes] == [
        (Action.FORGET, "db-1"),
        (Action.CREATE, "db-1"),
    ]


def test_a_silent_pod_stands_still_in_a_rollout() -> None:
    world = running(stateful_set(replicas=3))
    world.unplug(place_of(world, "db-0"))
    revise(world, stateful_set(replicas=3, version="2.0"))
    for _ in range(10):
        world.now += 60
        assert told([world.step()]) == []


def test_after_a_lost_state_every_pod_is_taken_over_as_it_is() -> None:
    world = running(stateful_set(replicas=3))
    before = {uid: (pod.name, pod.spec, pod.labels) for uid, pod in world.memory.pods.items()}
    world.memory = type(world.memory)()
    steps = world.settle()
    assert told(steps) == []
    assert {uid: (pod.name, pod.spec, pod.labels) for uid, pod in world.memory.pods.items()} == before


def test_a_service_may_select_one_pod_by_its_name() -> None:
    world = begin(stateful_set(replicas=2))
    alone = service("alone")
    alone = replace(alone, spec=replace(alone.spec, selector={"statefulset.kubernetes.io/pod-name": "db-1"}))
    revise(world, stateful_set(replicas=2), alone)
    world.settle()
    (endpoint,) = world.plan().endpoints[Ref("Service", "default", "alone")]
    assert (endpoint.pod, endpoint.ready) == ("db-1", True)


def test_each_pod_has_a_name_below_its_service() -> None:
    world = running(stateful_set(replicas=2))
    found = world.plan().endpoints[Ref("Service", "default", "db")]
    assert [(one.pod, one.hostname) for one in found] == [("db-0", "db-0"), ("db-1", "db-1")]
