"""Which node a pod is given to, and why not the others."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.container import ContainerPort
from reconciler.model.api.core.node import NodeSpec, Taint
from reconciler.model.api.core.pod import Pod, Toleration
from reconciler.model.names import Ref
from reconciler.model.observed import Observed, Reachable
from reconciler.model.operations import Outcome
from reconciler.model.plan import Action
from reconciler.planning import after_failure
from tests.simulated import World, container, deployment, desired, host, node, pod

TAINT = Taint("gpu", "NoSchedule", "yes")


def reasons(world: World) -> dict[str, str]:
    (unplaced,) = world.plan().unplaced
    return dict(unplaced.reasons)


def placed(world: World) -> list[str]:
    return [change.node for change in world.plan().changes]


def test_a_pod_too_large_for_every_node_says_what_each_lacks() -> None:
    world = World(desired(deployment(containers=(container(cpu="9"),)), nodes=2))
    assert reasons(world) == dict.fromkeys(world.wanted.nodes, "needs 9000m CPU, 8000m free of 8000m")
    step = world.plan()
    assert step.unplaced[0].count == 3
    assert step.changes == ()
    assert step.converged is False


def test_what_runs_already_counts() -> None:
    world = World(desired(deployment("a", replicas=1, containers=(container(cpu="6"),)), nodes=1))
    world.settle()
    first = deployment("a", replicas=1, containers=(container(cpu="6"),))
    second = deployment("b", replicas=2, containers=(container(cpu="1500m"),))
    world.wanted = desired(first, second, nodes=1, revision="r2")
    assert placed(world) == ["node-000"]
    assert reasons(world) == {"node-000": "needs 1500m CPU, 500m free of 8000m"}


def test_a_cordoned_node_gets_no_pods_and_keeps_those_it_has() -> None:
    world = World(desired(deployment(replicas=2), nodes=2))
    world.settle()
    cordoned = [node("node-000", NodeSpec(unschedulable=True)), node("node-001")]
    world.wanted = desired(deployment(replicas=4), nodes=cordoned, revision="r2")
    assert placed(world) == ["node-001", "node-001"]


@pytest.mark.parametrize(
    ("spec", "more", "why"),
    [
        (NodeSpec(unschedulable=True), {}, "cordoned (spec.unschedulable)"),
        (NodeSpec(taints=(TAINT,)), {}, "taint gpu=yes:NoSchedule is not tolerated"),
        (NodeSpec(), {"node_selector": {"disk": "ssd"}}, "nodeSelector disk=ssd does not match"),
        (NodeSpec(), {"node_name": "other"}, "the pod names node other"),
    ],
)
def test_each_filter_has_its_words(spec: NodeSpec, more: dict[str, Any], why: str) -> None:
    world = World(desired(deployment(replicas=1, **more), nodes=[node("only", spec)]))
    assert reasons(world) == {"only": why}


@pytest.mark.parametrize(
    "toleration",
    [
        Toleration(key="gpu", value="yes"),
        Toleration(key="gpu", operator="Exists"),
        Toleration(operator="Exists"),
        Toleration(key="gpu", value="yes", effect="NoSchedule"),
    ],
)
def test_a_taint_may_be_tolerated(toleration: Toleration) -> None:
    tainted = [node("only", NodeSpec(taints=(TAINT,)))]
    assert placed(World(desired(deployment(replicas=1, tolerations=(toleration,)), nodes=tainted))) == ["only"]


def test_a_mild_taint_is_avoided_while_another_node_has_room() -> None:
    mild = [node("a", NodeSpec(taints=(Taint("old", "PreferNoSchedule"),))), node("b")]
    assert placed(World(desired(deployment(replicas=2), nodes=mild))) == ["b", "b"]


def test_a_silent_node_says_why() -> None:
    world = World(desired(deployment(replicas=1), nodes=1))
    world.unplug("node-000")
    assert reasons(world) == {"node-000": "unreachable: connection timed out"}


def test_pods_of_one_owner_are_spread_before_nodes_are_filled_evenly() -> None:
    large = deployment("large", replicas=1, containers=(container(cpu="4"),))
    world = World(desired(large, deployment("web", replicas=2), nodes=2))
    web = Ref("Deployment", "default", "web")
    assert sorted(change.node for change in world.plan().changes if change.owner == web) == [
        "node-000",
        "node-001",
    ]


def test_otherwise_the_node_with_the_most_left_wins_and_the_name_breaks_ties() -> None:
    world = World(desired(deployment("a", replicas=1), deployment("b", replicas=1), nodes=2))
    assert placed(world) == ["node-000", "node-001"]


def test_a_host_port_is_given_once_per_node() -> None:
    published = container(ports=(ContainerPort(8080, host_port=80),))
    world = World(desired(deployment(replicas=3, containers=(published,)), nodes=2))
    assert placed(world) == ["node-000", "node-001"]
    assert all(why.startswith("host port 80 is taken by pod default/web-") for why in reasons(world).values())


def test_a_port_that_another_container_has_sends_the_pod_to_another_node() -> None:
    published = container(ports=(ContainerPort(8080, host_port=80),))
    world = World(desired(deployment(replicas=1, containers=(published,)), nodes=2))
    first = world.plan()
    (work,) = first.work
    world.memory = after_failure(
        first.memory, Outcome(work, work.operations[-1], "port is already allocated", "PortConflict"), world.now
    )
    world.real = Observed({**world.real.nodes, work.node: replace(host(work.node), used_ports={80: "nginx"})})
    step = world.plan()
    assert [(change.action, change.reason) for change in step.changes] == [
        (Action.DELETE, f"host port taken on {work.node}: 80 by nginx"),
        (Action.CREATE, "0 of 1 replicas exist"),
    ]
    assert step.changes[1].node != work.node
    world.settle()
    assert len(world.memory.pods) == 1


def test_a_bare_pod_that_fits_nowhere_is_pending_with_the_reasons() -> None:
    world = World(desired(pod("job", (container(cpu="100"),)), nodes=1))
    status = world.plan().statuses[Ref("Pod", "default", "job")]
    assert isinstance(status, Pod)
    assert (status.status.phase, status.status.reason) == ("Pending", "Unschedulable")
    assert status.status.message == "1 pod fits nowhere: node-000: needs 100000m CPU, 8000m free of 8000m"


def test_capacity_lost_leaves_pods_pending_and_moves_nothing_else() -> None:
    world = World(desired(deployment(replicas=4, containers=(container(cpu="4"),)), nodes=2))
    world.settle()
    running = world.real.nodes["node-000"]
    assert isinstance(running, Reachable)
    world.unplug("node-001")
    world.now += 60
    step = world.plan()
    assert (step.changes, step.work) == ((), ())
    assert sum(each.count for each in step.unplaced) == 2


def test_the_same_inputs_give_the_same_names() -> None:
    first, second = (World(desired(deployment(), nodes=3)).plan() for _ in range(2))
    assert first == second
    assert len({change.pod for change in first.changes}) == 3


def test_each_placed_pod_says_why_it_is_on_its_node() -> None:
    world = World(desired(deployment(replicas=3, containers=(container(cpu="1"),)), nodes=3))
    assert [change.chosen for change in world.plan().changes] == [
        "3 of 3 nodes fit, the first by name of equals",
        "3 of 3 nodes fit, the first by name of equals",
        "3 of 3 nodes fit, it has the fewest pods of this template",
    ]
    big = desired(deployment(replicas=1, containers=(container(cpu="6"),)), nodes=2)
    world = World(big)
    world.settle()
    more = deployment("more", replicas=2, containers=(container(cpu="1"),))
    world.wanted = desired(*big.of(Deployment).values(), more, nodes=2, revision="r2")
    assert [(change.node, change.chosen) for change in world.plan().changes] == [
        ("node-001", "2 of 2 nodes fit, it has the most room"),
        ("node-000", "2 of 2 nodes fit, it has the fewest pods of this template"),
    ]


def test_where_only_one_node_can_have_a_pod_that_is_why() -> None:
    hosts = [node("a", NodeSpec(unschedulable=True)), node("b")]
    assert _why(World(desired(pod(), nodes=hosts))) == "the only one of 2 nodes that fits"
    assert _why(World(desired(pod(node_name="a"), nodes=[node("a"), node("b")]))) == "the pod names it"
    mild = node("a", NodeSpec(taints=(Taint("gpu", "PreferNoSchedule"),)))
    avoided = World(desired(pod(), nodes=[mild, node("b")]))
    assert _why(avoided) == "2 of 2 nodes fit, the others have a taint that it would rather avoid"
    assert _why(World(desired(pod(), nodes=1))) == ""


def _why(world: World) -> str:
    (change,) = world.plan().changes
    return change.chosen
