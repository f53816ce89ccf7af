"""Nodes that fall silent, come back, go, or are not who they were; and containers that nobody expects."""

from collections import Counter

import pytest
from msgspec.structs import replace

from reconciler.model.api.cluster import ClusterSpec, NodeLifecycle
from reconciler.model.api.core.node import Node, NodeSpec, SshAddress
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import Condition, condition_of
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import (
    DnsState,
    NetworkState,
    Observed,
    ObservedContainer,
    Peers,
    ProxyState,
    Reachable,
    Unreachable,
)
from reconciler.model.operations import Outcome, PodWork, RemoveContainer, StartContainer
from reconciler.model.plan import Action
from reconciler.planning import Options, after_failure, without_node
from tests.planner import forecast, plan
from tests.simulated import World, container, deployment, desired, host, node, pod, service

WEB_SERVICE = Ref("Service", "default", "web")
NOBODY_ASKED = Peers()


def running(replicas: int = 3, nodes: int = 3, **more: object) -> World:
    world = World(desired(deployment(replicas=replicas), service(), nodes=nodes, **more))  # type: ignore[arg-type]
    world.settle()
    return world


def changed(world: World, name: str, **fields: object) -> None:
    before = world.real.nodes[name]
    assert isinstance(before, Reachable)
    world.real = Observed({**world.real.nodes, name: replace(before, **fields)})


def status_of_node(world: World, name: str) -> Condition:
    """Its condition Ready."""
    node = world.plan().statuses[Ref("Node", "", name)]
    assert isinstance(node, Node)
    ready = condition_of(node.status.conditions, "Ready")
    assert ready is not None
    return ready


def test_a_node_that_falls_silent_keeps_its_pods_and_its_rotation_for_a_while() -> None:
    world = running()
    world.unplug("node-001")
    step = world.plan()
    assert (step.changes, step.work) == ((), ())
    assert step.wake_at == world.now + 10
    assert [endpoint.ready for endpoint in step.endpoints[WEB_SERVICE]] == [True] * 3
    pods = [each for each in step.statuses.values() if isinstance(each, Pod)]
    unknown = [each for each in pods if each.status.phase == "Unknown"]
    assert [(each.spec.node_name, each.status.reason) for each in unknown] == [("node-001", "NodeUnreachable")]
    assert step.converged is False


def test_a_lost_node_has_its_pods_moved_with_the_reason() -> None:
    world = running()
    world.unplug("node-001")
    world.now += 10
    step = world.plan()
    (change,) = step.changes
    assert (change.action, change.from_node) == (Action.MOVE, "node-001")
    assert change.node != "node-001"
    assert change.reason == "node node-001 is lost: connection timed out"
    assert [endpoint.ready for endpoint in step.endpoints[WEB_SERVICE]].count(True) == 2


@pytest.mark.fault(61)
def test_a_node_that_comes_back_has_the_excess_removed_once() -> None:
    world = running()
    world.unplug("node-001")
    world.now += 10
    for _ in range(5):
        world.step()
    assert len(world.containers()) == 4
    world.plug_in("node-001")
    steps = world.settle()
    assert len(world.containers()) == 3
    assert sum(len(step.work) for step in steps) == 1
    assert steps[-1].converged


@pytest.mark.fault(59)
def test_a_node_that_comes_back_in_time_changes_nothing() -> None:
    world = running()
    before = world.containers()
    world.unplug("node-001")
    world.now += 9.9
    world.step()
    world.plug_in("node-001")
    assert [work for step in world.settle() for work in step.work] == []
    assert world.containers() == before


@pytest.mark.fault(59)
@pytest.mark.parametrize(("away", "moves"), [(9.0, 0), (11.0, 1)])
def test_a_node_that_flaps_is_left_its_pods_or_loses_them_once(away: float, moves: int) -> None:
    world = running()
    moved = []
    for _ in range(40):
        world.unplug("node-001")
        world.now += away
        moved += [change for change in world.step().changes if change.action is Action.MOVE]
        world.plug_in("node-001")
        moved += [change for step in world.settle() for change in step.changes if change.action is Action.MOVE]
        world.now += 1
    assert len(moved) == moves, "what has left it does not come back to be moved again"
    assert sum(container.state == "running" for container in world.containers()) == 3


@pytest.mark.fault(60)
def test_with_too_many_nodes_silent_nothing_is_moved() -> None:
    world = running()
    world.unplug("node-001")
    world.unplug("node-002")
    world.now += 1000
    step = world.plan()
    assert (step.changes, step.work, step.wake_at) == ((), (), None)
    assert [endpoint.ready for endpoint in step.endpoints[WEB_SERVICE]] == [True] * 3


def test_after_a_large_outage_the_last_node_to_come_back_gets_its_full_time_too() -> None:
    world = running()
    for name in ("node-000", "node-001", "node-002"):
        world.unplug(name)
    world.now += 1000
    world.plug_in("node-000")
    assert world.plan().changes == (), "two of three are silent"
    world.plug_in("node-002")
    step = world.plan()
    assert (step.changes, step.wake_at) == ((), world.now + 10)
    world.now += 9
    assert world.plan().changes == ()
    world.now += 1
    assert [change.from_node for change in world.plan().changes] == ["node-001"]


def test_a_node_whose_heartbeat_is_overdue_does_not_vouch_that_the_fault_is_the_others() -> None:
    world = running()
    world.unplug("node-001")
    world.now += 10
    heard = world.observed()
    overdue = replace(heard.nodes["node-002"], at=world.now - 3)
    step = plan(world.wanted, Observed({**heard.nodes, "node-002": overdue}), world.memory, world.now)
    assert (step.changes, step.wake_at) == ((), world.now + 0.5)
    assert len(world.plan().changes) == 1, "once it is heard of again"


@pytest.mark.fault(63)
def test_when_half_of_the_capacity_is_lost_what_does_not_fit_waits_and_what_runs_stays() -> None:
    world = World(desired(deployment(replicas=24, containers=(container(cpu="1"),)), nodes=4))
    sizes = {"node-000": 12, "node-001": 4, "node-002": 4, "node-003": 4}
    for name, cpus in sizes.items():
        changed(world, name, facts=host(name, cpus).facts)
    world.settle()
    assert Counter(intent.node for intent in world.memory.pods.values()) == sizes
    large = {uid for uid, intent in world.memory.pods.items() if intent.node == "node-000"}
    before = {each for each in world.containers() if each.uid not in large}
    world.unplug("node-000")
    world.now += 10
    for _ in range(30):
        world.step()
        world.now += 1
    assert before <= set(world.containers()), "nothing that runs elsewhere makes room"
    step = world.plan()
    assert (step.changes, step.work) == ((), ())
    (unplaced,) = step.unplaced
    assert (unplaced.count, set(unplaced.reasons)) == (12, set(sizes))
    world.plug_in("node-000")
    assert [work for each in world.settle() for work in each.work] == []
    assert world.plan().converged


def test_the_only_node_is_never_lost() -> None:
    world = running(nodes=1)
    world.unplug("node-000")
    world.now += 1000
    assert world.plan().changes == ()


def silent(world: World, peers: Peers = NOBODY_ASKED, answers: bool = False) -> None:
    """Of node-001, what is known now."""
    known = world.cut["node-001"]
    world.cut["node-001"] = replace(known, peers=peers, answers=answers)


@pytest.mark.fault(61)
def test_a_node_that_no_other_reaches_is_lost_sooner() -> None:
    world = running()
    world.unplug("node-001")
    silent(world, Peers(failing=("node-000",)))
    assert world.plan().wake_at == world.now + 3
    world.now += 3
    assert [change.from_node for change in world.plan().changes] == ["node-001"]


@pytest.mark.fault(61)
def test_a_node_that_another_reaches_is_never_lost() -> None:
    world = running()
    world.unplug("node-001")
    for _ in range(100):
        world.now += 2.5
        silent(world, Peers(("node-000",), ("node-002",), reached_at=world.now - 0.1))
        step = world.plan()
        assert (step.changes, step.work) == ((), ())
        assert [endpoint.ready for endpoint in step.endpoints[WEB_SERVICE]] == [True] * 3
    silent(world, Peers((), ("node-000", "node-002"), reached_at=world.now - 0.1))
    assert world.plan().changes == ()
    world.now += 2.9
    assert [change.from_node for change in world.plan().changes] == ["node-001"], "others have lost it, too"


def test_a_node_that_answers_is_never_lost_and_is_no_outage() -> None:
    world = running()
    world.unplug("node-001")
    silent(world, answers=True)
    world.now += 1000
    step = world.plan()
    assert (step.changes, step.work, step.wake_at) == ((), (), None)
    assert [endpoint.ready for endpoint in step.endpoints[WEB_SERVICE]] == [True] * 3
    assert status_of_node(world, "node-001").status == "False"
    world.unplug("node-002")
    world.now += 10
    assert [change.from_node for change in world.plan().changes] == ["node-002"]


def test_how_long_and_how_many_is_the_clusters_to_say() -> None:
    patient = ClusterSpec(nodes=NodeLifecycle(lost_after_seconds=60))
    world = running(cluster=patient)
    world.unplug("node-001")
    world.now += 59
    assert world.plan().changes == ()
    world.now += 1
    assert len(world.plan().changes) == 1


@pytest.mark.fault(61)
def test_a_bare_pod_is_never_moved() -> None:
    world = World(desired(pod("job"), nodes=3))
    world.settle()
    world.unplug("node-000")
    world.now += 1000
    step = world.plan()
    assert (step.changes, step.work) == ((), ())


@pytest.mark.fault(58, 61)
def test_a_bare_pod_of_another_spec_waits_for_the_silent_node_that_has_the_one_before() -> None:
    world = World(desired(pod("job"), nodes=3))
    world.settle()
    world.unplug("node-000")
    world.wanted = desired(pod("job", (container(image="lab/web:2.0"),)), nodes=3, revision="r2")
    world.now += 1000
    for _ in range(5):
        world.step()
    assert len(world.memory.pods) == 1
    world.plug_in("node-000")
    world.settle()
    assert [each.image for each in world.containers()] == ["lab/web:2.0"]


def test_a_pod_without_a_place_elsewhere_stays_where_it_was() -> None:
    fixed = deployment(replicas=1, node_selector={"disk": "ssd"})
    hosts = [node("node-000", labels={"disk": "ssd"}), node("node-001"), node("node-002")]
    world = World(desired(fixed, nodes=hosts))
    world.settle()
    world.unplug("node-000")
    world.now += 60
    step = world.plan()
    assert step.changes == ()
    assert step.unplaced[0].reasons["node-001"] == "nodeSelector disk=ssd does not match"
    world.memory = step.memory
    world.plug_in("node-000")
    assert [work for each in world.settle() for work in each.work] == []


def test_a_pod_on_a_lost_node_that_is_no_longer_needed_is_not_moved() -> None:
    world = running()
    world.unplug("node-001")
    world.now += 60
    world.wanted = desired(deployment(replicas=2), service(), nodes=3, revision="r2")
    assert [(change.action, change.node) for change in world.plan().changes] == [(Action.DELETE, "node-001")]


def test_what_was_to_leave_a_silent_node_is_remembered_until_that_node_confirms_it_gone() -> None:
    world = running()
    world.unplug("node-001")
    world.now += 60
    world.step()
    moved = [uid for uid, intent in world.memory.pods.items() if intent.wanted == "leave"]
    world.forget_volatile()
    world.cut["node-001"] = Unreachable(world.now, "no connection has been made yet")
    world.step()
    assert set(moved) <= set(world.memory.pods)


def test_a_refused_node_is_not_lost_and_gets_no_pods() -> None:
    world = running()
    last = world.real.nodes["node-001"]
    assert isinstance(last, Reachable)
    world.cut["node-001"] = Unreachable(world.now, "its host key changed", last, refused=True)
    world.now += 1000
    assert world.plan().changes == ()
    world.wanted = desired(deployment(replicas=6), service(), nodes=3, revision="r2")
    assert {change.node for change in world.plan().changes} == {"node-000", "node-002"}


def test_another_engine_at_the_same_address_is_refused() -> None:
    world = running()
    changed(world, "node-001", facts=host("other").facts, containers=())
    step = world.plan()
    assert (step.changes, step.work) == ((), ())
    assert "another Docker engine" in status_of_node(world, "node-001").message


def test_a_node_that_was_emptied_is_taken_up_with_whatever_engine_it_has_now() -> None:
    world = running()
    changed(world, "node-001", facts=host("other").facts, containers=())
    world.memory = without_node(world.memory, "node-001")
    world.settle()
    assert status_of_node(world, "node-001").status == "True"
    assert world.memory.nodes["node-001"].engine_id == host("other").facts.engine_id
    assert {container.state for container in world.containers()} == {"running"}
    assert len(world.memory.pods) == 3


@pytest.mark.fault(64)
def test_one_host_under_two_names_is_used_under_the_first_alone() -> None:
    world = World(desired(deployment(replicas=4), nodes=2))
    changed(world, "node-001", facts=host("node-000").facts)
    assert {change.node for change in world.plan().changes} == {"node-000"}
    assert status_of_node(world, "node-001").message == "the same host as node node-000: give each host one Node"


def test_a_node_taken_out_of_the_manifests_is_forgotten_aloud() -> None:
    world = running()
    world.wanted = desired(deployment(), service(), nodes=2, revision="r2")
    step = world.plan()
    gone = [change for change in step.changes if change.action is Action.FORGET]
    assert [change.node for change in gone] == ["node-002"]
    assert "is not in revision r2" in gone[0].reason
    assert not any(change.action is Action.DELETE for change in step.changes)
    status = status_of_node(world, "node-002")
    assert status.status == "False"
    assert "`reconciler node reset node-002 SOURCE`" in status.message
    assert step.memory.nodes["node-002"].ssh == SshAddress("root", "node-002.example")
    assert [change.action for change in step.changes].count(Action.CREATE) == 1
    assert {intent.node for intent in step.memory.pods.values()} == {"node-000", "node-001"}


def test_every_node_has_its_part_of_the_pod_network_for_good() -> None:
    hosts = [node("a"), node("b", NodeSpec(pod_cidr="10.244.0.0/24")), node("c")]
    world = World(desired(nodes=hosts))
    world.unplug("c")
    world.step()
    assert {name: each.pod_cidr for name, each in world.memory.nodes.items()} == {
        "a": "10.244.1.0/24",
        "b": "10.244.0.0/24",
        "c": "10.244.2.0/24",
    }
    world.wanted = desired(nodes=[node("aa"), *hosts], revision="r2")
    world.step()
    assert world.memory.nodes["aa"].pod_cidr == "", "it may have one already"
    world.real = replace(world.real, nodes={**world.real.nodes, "aa": host("aa")})
    world.step()
    assert world.memory.nodes["aa"].pod_cidr == "10.244.3.0/24"
    assert world.memory.nodes["a"].engine_id == "engine-a"
    assert world.memory.nodes["c"].engine_id == ""


def test_the_address_that_a_node_was_reached_at_last_is_remembered() -> None:
    world = World(desired(nodes=[node("a"), node("b")]))
    for address, remembered in (("192.0.2.7", "192.0.2.7"), ("", "192.0.2.7"), ("192.0.2.8", "192.0.2.8")):
        changed(world, "a", facts=replace(host("a").facts, address=address))
        world.step()
        assert world.memory.nodes["a"].address == remembered
    world.unplug("a")
    world.step()
    assert world.memory.nodes["a"].address == "192.0.2.8"
    assert world.memory.nodes["b"].address == ""


def test_addresses_are_reused_as_late_as_possible() -> None:
    small = ClusterSpec(node_prefix=29)
    world = World(desired(deployment(replicas=2), nodes=1, cluster=small))
    world.settle()
    world.wanted = desired(deployment(replicas=2, version="2.0"), nodes=1, cluster=small, revision="r2")
    world.settle()
    assert sorted(intent.ip for intent in world.memory.pods.values()) == ["10.244.0.4", "10.244.0.5"]


def test_a_node_without_an_address_left_says_so() -> None:
    small = ClusterSpec(node_prefix=29)
    step = World(desired(deployment(replicas=9), nodes=1, cluster=small)).plan()
    assert len(step.changes) == 5
    (unplaced,) = step.unplaced
    assert unplaced.count == 4
    assert unplaced.reasons == {"node-000": "no address left in its pod CIDR 10.244.0.0/29"}


def test_an_empty_store_adopts_what_runs() -> None:
    world = running()
    before = world.memory.pods
    world.memory = Memory()
    step = world.plan()
    assert (step.changes, step.work, step.orphans) == ((), (), ())
    assert step.memory.pods == before


@pytest.mark.fault(79)
def test_what_nobody_explains_is_listed_and_left_alone() -> None:
    world = running()
    world.memory = Memory()
    world.wanted = desired(nodes=3)
    step = world.plan()
    assert (step.changes, step.work) == ((), ())
    assert len(step.orphans) == 3
    assert step.orphans[0].startswith("node-000/lab_default_web-")


def test_orphans_are_removed_where_someone_asks_for_it() -> None:
    world = running()
    wanted = desired(nodes=3)
    step = plan(wanted, world.observed(), Memory(), 0.0, Options(prune_orphans=True))
    assert [change.action for change in step.changes] == [Action.DELETE] * 3
    assert len(step.work) == 3


def test_an_orphan_that_cannot_be_removed_is_not_tried_again_at_once() -> None:
    world = running(replicas=1)
    wanted, asked = desired(nodes=3), Options(prune_orphans=True)
    step = plan(wanted, world.observed(), Memory(), 0.0, asked)
    (work,) = step.work
    memory = after_failure(step.memory, Outcome(work, work.operations[0], "no"), 0.0)
    held = plan(wanted, world.observed(), memory, 0.5, asked)
    assert held.work == ()
    assert held.wake_at is not None
    assert plan(wanted, world.observed(), held.memory, held.wake_at, asked).work == (work,)


def test_a_failure_is_forgotten_once_the_pod_is_fine_without_us() -> None:
    world = running(replicas=1)
    (one,) = world.containers()
    lost_reply = PodWork("node-000", Ref("Pod", "default", one.pod), one.uid, (StartContainer(one.name),))
    world.memory = after_failure(world.memory, Outcome(lost_reply, unknown=True), world.now)
    assert one.uid in world.plan().memory.backoffs
    world.now += 2
    assert world.plan().memory.backoffs == {}


@pytest.mark.fault(56)
@pytest.mark.rule(9)
def test_a_look_alike_is_no_pod_of_ours() -> None:
    world = running()
    (one, *_) = world.containers()
    changed(world, "node-002", containers=(replace(one, name="copy", uid="another"), replace(one, name="copy-2")))
    named = [
        operation.container
        for step in world.settle()
        for work in step.work
        for operation in work.operations
        if isinstance(operation, RemoveContainer)
    ]
    assert named == []
    assert {"copy", "copy-2"} <= {each.name for each in world.containers()}


def test_a_second_copy_of_a_pod_on_another_node_is_removed() -> None:
    world = running(replicas=1)
    (one,) = world.containers()
    changed(world, "node-002", containers=(one,))
    step = world.plan()
    assert [(work.node, work.uid) for work in step.work] == [("node-002", one.uid)]
    assert [change.reason for change in step.changes] == ["a second copy: the pod was given to another node"]


def test_copies_on_two_nodes_are_removed_one_after_the_other() -> None:
    world = running(replicas=1)
    (one,) = world.containers()
    for name in ("node-001", "node-002"):
        changed(world, name, containers=(one,))
    assert [len(step.work) for step in world.settle() if step.work] == [1, 1]
    assert world.containers() == [one]


def test_a_copy_that_cannot_be_removed_is_tried_ever_more_rarely_though_its_pod_is_fine() -> None:
    world = running(replicas=1)
    (one,) = world.containers()
    changed(world, "node-002", containers=(one,))
    waits = []
    for _ in range(5):
        step = world.plan()
        (work,) = step.work
        world.memory = after_failure(step.memory, Outcome(work, work.operations[0], "no"), world.now)
        until = world.memory.backoffs[one.uid].not_before
        waits.append(until - world.now)
        world.now = until
    assert waits == sorted(waits)
    assert waits[-1] > 15


@pytest.mark.parametrize("kind", ["PROXY", "PROBER", "DNS"])
def test_a_nodes_own_container_belongs_to_no_pod(kind: str) -> None:
    world = running()
    system = ObservedContainer("p", "lab_system", "lab/proxy:1", "running", "lab", container=kind)
    changed(world, "node-001", containers=(system,))
    assert world.plan().orphans == ()


def test_name_servers_that_do_not_answer_are_told_of_with_their_node() -> None:
    world = running()
    changed(world, "node-001", dns=DnsState(error="the name server at 10.96.0.10 does not answer"))
    assert status_of_node(world, "node-001").message == "the name server at 10.96.0.10 does not answer"


def test_a_peer_whose_name_is_gone_keeps_no_pod_from_the_other_hosts() -> None:
    """A host that died took its name with it: its pods are to begin elsewhere, now more than ever."""
    world = running()
    for name in ("node-000", "node-001"):
        changed(
            world, name, network=NetworkState("set up", unresolved="the way to 10.244.2.0/24: cannot resolve c")
        )
    world.unplug("node-002")
    world.now += 100
    world.settle()
    staying = [intent for intent in world.memory.pods.values() if intent.wanted == "run"]
    assert {intent.node for intent in staying} == {"node-000", "node-001"}
    assert status_of_node(world, "node-000").message == "the way to 10.244.2.0/24: cannot resolve c"
    assert world.plan().unplaced == ()


def test_a_host_whose_own_network_is_not_whole_takes_no_new_pods() -> None:
    world = World(desired(deployment(replicas=2), nodes=2))
    changed(world, "node-000", network=NetworkState("set up", error="no route to 192.0.2.9"))
    world.settle()
    assert {intent.node for intent in world.memory.pods.values()} == {"node-001"}


def test_the_first_dry_run_needs_no_network_and_no_proxy_to_be_set_up() -> None:
    wanted = desired(deployment(), service(), nodes=2)
    bare = Observed(
        {name: replace(host(name), network=NetworkState(), proxy=ProxyState()) for name in wanted.nodes}
    )
    expected = forecast(wanted, bare, Memory(), 0.0)
    assert [change.action for change in expected.changes] == [Action.CREATE] * 3
    assert expected.final.converged


def test_a_dry_run_changes_none_of_its_inputs() -> None:
    world = running()
    observed, memory = world.observed(), world.memory
    copies = (Observed(dict(observed.nodes)), replace(memory, pods=dict(memory.pods)))
    wanted = desired(deployment(version="2.0"), service(), nodes=3, revision="r2")
    forecast(wanted, observed, memory, 0.0)
    assert (observed, memory) == copies


def test_a_service_without_pods_has_no_endpoints() -> None:
    step = World(desired(service("nobody"), nodes=1)).plan()
    assert step.endpoints == {Ref("Service", "default", "nobody"): ()}
