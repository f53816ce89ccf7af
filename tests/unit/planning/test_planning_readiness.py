"""Readiness: by probes, by gates, and by ports that answer where no probe covers them."""

from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.container import ContainerPort, HTTPGetAction, Probe
from reconciler.model.api.core.pod import Pod, PodReadinessGate, is_pod_ready
from reconciler.model.names import ANNOTATION_CONDITIONS, Ref
from reconciler.model.observed import ObservedContainer, Probed, Reachable, Unreachable
from tests.published import message_of
from tests.simulated import World, container, deployment, desired, pod, service

WEB = Ref("Service", "default", "web")
READINESS = Probe(http_get=HTTPGetAction("http"))
PORTS = (ContainerPort(8080, "http"),)
PROBED = (container(ports=PORTS, readiness_probe=READINESS),)


def probed(world: World, result: Probed | None) -> None:
    for each in world.containers():
        world.change(lambda one: replace(one, probed=result), container=each.name)


def settled(web: Deployment) -> World:
    world = World(desired(web, service(), nodes=1))
    world.settle()
    return world


def in_rotation(world: World) -> int:
    return sum(endpoint.ready for endpoint in world.plan().endpoints[WEB])


def statuses(world: World) -> list[Pod]:
    return [each for each in world.plan().statuses.values() if isinstance(each, Pod)]


def conditions(pod: Pod) -> Mapping[str, bool]:
    return {each.type: each.status == "True" for each in pod.status.conditions}


def test_a_pod_is_in_rotation_while_its_readiness_probe_succeeds() -> None:
    world = settled(deployment(replicas=1, containers=PROBED))
    assert in_rotation(world) == 1
    probed(world, Probed(started=True, ready=False, message="readiness: 503"))
    assert in_rotation(world) == 0
    (status,) = statuses(world)
    (one,) = status.status.container_statuses
    assert (status.status.phase, is_pod_ready(status), one.ready) == ("Running", False, False)
    assert message_of(status, "ContainersReady").endswith("app: readiness: 503")
    assert conditions(status)["ContainersReady"] is False
    world.step()
    probed(world, Probed(started=True, ready=True))
    assert in_rotation(world) == 1


def test_a_new_pod_is_not_ready_before_its_probe_has_said_so() -> None:
    world = World(desired(deployment(replicas=1, containers=PROBED), service(), nodes=1))
    world.step()
    probed(world, None)
    assert in_rotation(world) == 0
    assert not is_pod_ready(statuses(world)[0])


def test_what_was_ready_stays_so_until_a_prober_that_is_heard_anew_says_otherwise() -> None:
    world = settled(deployment(replicas=1, containers=PROBED))
    probed(world, None)
    assert in_rotation(world) == 1
    world.forget_volatile()
    assert in_rotation(world) == 1, "its node's proxy still has it in rotation"
    probed(world, Probed(started=True, ready=False))
    assert in_rotation(world) == 0
    world.step()
    probed(world, None)
    assert in_rotation(world) == 0


def test_a_container_that_runs_anew_is_not_ready_before_its_probe_has_said_so() -> None:
    world = settled(deployment(replicas=1, containers=PROBED))
    (one,) = world.containers()
    world.change(lambda each: replace(each, started_at="~2", probed=None), container=one.name)
    assert in_rotation(world) == 0


def test_no_port_is_checked_that_a_readiness_probe_covers() -> None:
    world = settled(deployment(replicas=1, containers=PROBED))
    node = world.real.nodes["node-000"]
    assert isinstance(node, Reachable)
    world.real = replace(world.real, nodes={"node-000": replace(node, listening=frozenset())})
    assert in_rotation(world) == 1


def test_a_port_of_a_container_without_a_readiness_probe_must_answer() -> None:
    two = (container("app", ports=PORTS), container("other", readiness_probe=READINESS))
    world = settled(deployment(replicas=1, containers=two))
    world.forget_volatile()
    node = world.real.nodes["node-000"]
    assert isinstance(node, Reachable)
    world.real = replace(world.real, nodes={"node-000": replace(node, listening=frozenset())})
    assert in_rotation(world) == 0


def test_a_silent_node_breaks_no_readiness() -> None:
    world = settled(deployment(replicas=1, containers=PROBED))
    since = world.memory.ready_since
    world.unplug("node-000")
    world.step()
    assert world.memory.ready_since == since
    assert in_rotation(world) == 1


def unseen_after_a_restart(world: World, name: str) -> None:
    """The master begins anew, and this node does not answer it."""
    world.forget_volatile()
    world.cut[name] = Unreachable(world.now, "no connection has been made yet")


def endpoints_ready(world: World, ref: Ref = WEB) -> dict[str, bool]:
    return {endpoint.node: endpoint.ready for endpoint in world.plan().endpoints[ref]}


def test_what_a_restarted_master_has_not_seen_yet_serves_where_it_served_before() -> None:
    world = World(desired(deployment(replicas=2, containers=PROBED), service(), nodes=2))
    world.settle()
    unseen_after_a_restart(world, "node-001")
    for _ in range(2):
        assert endpoints_ready(world) == {"node-000": True, "node-001": True}
        world.step()


def test_what_was_not_ready_gets_nothing_from_a_master_that_has_not_seen_it_yet() -> None:
    world = World(desired(deployment(replicas=2, containers=PROBED), service(), nodes=2))
    world.settle()
    (ill,) = (one for one in world.real.nodes["node-001"].containers if one.pod)  # type: ignore[union-attr]
    world.change(lambda one: replace(one, probed=Probed(started=True, ready=False)), container=ill.name)
    world.step()
    unseen_after_a_restart(world, "node-001")
    for _ in range(2):
        assert endpoints_ready(world) == {"node-000": True, "node-001": False}
        world.step()


def test_no_proxy_knows_who_was_ready_behind_a_headless_service() -> None:
    headless = replace(service(), spec=replace(service().spec, cluster_ip="None"))
    world = World(desired(deployment(replicas=2, containers=PROBED), headless, nodes=2))
    world.settle()
    node = world.real.nodes["node-000"]
    assert isinstance(node, Reachable)
    unrouted = replace(node, proxy=replace(node.proxy, routed=frozenset()))
    world.real = replace(world.real, nodes={**world.real.nodes, "node-000": unrouted})
    unseen_after_a_restart(world, "node-001")
    assert endpoints_ready(world) == {"node-000": True, "node-001": True}


def test_a_closed_gate_keeps_a_pod_out_whose_node_has_not_been_seen() -> None:
    gated = deployment(replicas=1, containers=PROBED, readiness_gates=(PodReadinessGate("example.org/approved"),))
    world = World(desired(gated, replace(service(), spec=replace(service().spec, cluster_ip="None")), nodes=1))
    world.settle()
    unseen_after_a_restart(world, "node-000")
    assert not any(endpoints_ready(world).values())


def test_a_gate_is_opened_by_the_owners_annotation_and_makes_no_new_pods() -> None:
    gated = deployment(replicas=1, containers=PROBED, readiness_gates=(PodReadinessGate("example.org/approved"),))
    world = settled(gated)
    (status,) = statuses(world)
    assert (is_pod_ready(status), in_rotation(world)) == (False, 0)
    assert conditions(status) == {
        "PodScheduled": True,
        "Initialized": True,
        "ContainersReady": True,
        "Ready": False,
        "example.org/approved": False,
    }
    annotations = {ANNOTATION_CONDITIONS: "other=False, example.org/approved=True"}
    opened = replace(gated, metadata=replace(gated.metadata, annotations=annotations))
    world.wanted = desired(opened, service(), nodes=1, revision="r2")
    before = {each.uid for each in world.containers()}
    world.settle()
    assert in_rotation(world) == 1
    assert {each.uid for each in world.containers()} == before


def test_a_rollout_waits_for_readiness_probes() -> None:
    world = settled(deployment(replicas=3, containers=PROBED))
    newer = (container(image="lab/web:2.0", ports=PORTS, readiness_probe=READINESS),)
    world.wanted = desired(deployment(replicas=3, containers=newer), service(), nodes=1, revision="r2")

    def unready(each: ObservedContainer) -> ObservedContainer:
        return replace(each, probed=Probed(started=True, ready=False))

    for _ in range(10):
        world.step()
        for each in world.containers():
            if each.image == "lab/web:2.0":
                world.change(unready, container=each.name)
        assert in_rotation(world) == 3
    status = world.plan().statuses[Ref("Deployment", "default", "web")]
    assert isinstance(status, Deployment)
    counts = status.status
    assert (counts.updated_replicas, counts.replicas, counts.available_replicas) == (1, 4, 3)


def test_the_nodes_prober_is_told_of_every_pod_that_runs() -> None:
    world = settled(deployment(replicas=2, containers=PROBED))
    (node,) = world.plan().probed.values()
    assert [each.container for each in node] == [each.name for each in world.containers()]
    assert World(desired(pod("job"), nodes=1)).plan().probed == {}
