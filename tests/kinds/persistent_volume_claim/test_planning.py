"""Claims: bound with the first pod, which is where its pods return to; and pods on their host's network."""

from typing import Literal

import pytest
from msgspec.structs import replace

from reconciler.model.api.apps import DeploymentStrategy
from reconciler.model.api.core.container import ContainerPort
from reconciler.model.api.core.node import NodeSpec
from reconciler.model.api.core.persistent_volume_claim import ANNOTATION_SELECTED_NODE, PersistentVolumeClaim
from reconciler.model.api.core.volume import PersistentVolumeClaimVolumeSource, Volume, VolumeMount
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import ANNOTATION_RECLAIM, Ref
from reconciler.model.observed import Observed, Reachable, Unreachable
from reconciler.model.operations import RemoveVolume
from reconciler.planning import without_node
from tests.published import message_of
from tests.simulated import World, container, deployment, desired, node, pod

DATA = Ref("PersistentVolumeClaim", "default", "data")
KEPT = PersistentVolumeClaim(ObjectMeta("data", "default"))
DELETED = PersistentVolumeClaim(ObjectMeta("data", "default", annotations={ANNOTATION_RECLAIM: "Delete"}))
VOLUMES = (Volume("data", persistent_volume_claim=PersistentVolumeClaimVolumeSource("data")),)
MOUNTING = (container(volume_mounts=(VolumeMount("data", "/data"),)),)


def using(claim: PersistentVolumeClaim, version: str = "1.0") -> Desired:
    containers = (replace(MOUNTING[0], image=f"lab/web:{version}"),)
    return desired(pod("db", containers, volumes=VOLUMES), claim, revision=f"r{version}")


def database(version: str, strategy: Literal["RollingUpdate", "Recreate"], cordoned: str = "") -> Desired:
    containers = (replace(MOUNTING[0], image=f"lab/web:{version}"),)
    web = deployment("db", 1, containers=containers, volumes=VOLUMES, strategy=DeploymentStrategy(strategy))
    nodes = [
        node(f"node-00{number}", NodeSpec(unschedulable=f"node-00{number}" == cordoned)) for number in range(3)
    ]
    return desired(web, KEPT, revision=f"r{version}", nodes=nodes)


def loses_its_store(world: World) -> None:
    """And starts anew: nothing is known of any host but what it says from now on."""
    world.memory = Memory()
    world.cut = {name: replace(each, last=None) for name, each in world.cut.items()}


def lists(world: World, name: str, volumes: frozenset[str] | None) -> None:
    host = world.real.nodes[name]
    assert isinstance(host, Reachable)
    world.real = Observed({**world.real.nodes, name: replace(host, volumes=volumes)})


def homes(world: World) -> list[str]:
    """The nodes that have a volume of the claim."""
    hosts = {name: host for name, host in world.real.nodes.items() if isinstance(host, Reachable)}
    return [name for name, host in hosts.items() if "lab_default_data" in (host.volumes or ())]


def settled(wanted: Desired) -> World:
    world = World(wanted)
    world.settle()
    return world


def node_of(claim: PersistentVolumeClaim) -> str:
    return claim.metadata.annotations.get(ANNOTATION_SELECTED_NODE, "")


def test_a_claim_is_bound_with_its_first_pod() -> None:
    world = World(using(KEPT))
    step = world.plan()
    (intent,) = step.memory.pods.values()
    record = step.memory.claims[DATA]
    assert (record.node, record.volume) == (intent.node, "lab_default_data")
    bound = step.statuses[DATA]
    assert isinstance(bound, PersistentVolumeClaim)
    assert (bound.status.phase, node_of(bound), bound.spec.volume_name) == (
        "Bound",
        intent.node,
        "lab_default_data",
    )


def test_a_claim_that_nobody_uses_waits() -> None:
    status = World(desired(KEPT)).plan().statuses[DATA]
    assert isinstance(status, PersistentVolumeClaim)
    assert (status.status.phase, node_of(status)) == ("Pending", "")


def test_a_pod_returns_to_its_data_or_waits_and_says_where_that_is() -> None:
    world = settled(using(KEPT))
    home = world.memory.claims[DATA].node
    world.wanted = using(KEPT, "2.0")
    world.settle()
    (intent,) = world.memory.pods.values()
    assert intent.node == home
    world.wanted = desired(KEPT, revision="r3")
    world.settle()
    world.unplug(home)
    world.wanted = using(KEPT, "3.0")
    (unplaced,) = world.plan().unplaced
    others = [reason for node, reason in unplaced.reasons.items() if node != home]
    assert set(others) == {f"its claim data has its data on {home}, which is unreachable"}
    assert unplaced.reasons[home].startswith("unreachable")


def test_pods_that_share_a_claim_share_its_node() -> None:
    world = settled(desired(deployment(replicas=3, containers=MOUNTING, volumes=VOLUMES), KEPT))
    assert len({intent.node for intent in world.memory.pods.values()}) == 1


def test_a_lost_store_binds_a_claim_where_its_pod_is() -> None:
    world = settled(using(KEPT))
    claims = world.memory.claims
    world.memory = Memory()
    world.settle()
    assert world.memory.claims == claims


def test_a_lost_store_binds_a_claim_that_has_no_pod_where_its_volume_is() -> None:
    world = settled(using(KEPT))
    claims = world.memory.claims
    world.wanted = desired(revision="r2")
    world.settle()
    loses_its_store(world)
    world.settle()
    assert world.memory.claims == claims, "in the manifests or not: the claim may come back"
    world.wanted = using(KEPT, "3.0")
    assert [each.node for each in world.plan().memory.pods.values()] == [claims[DATA].node]


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_a_lost_store_and_another_template_at_once_leave_the_data_where_it_is(
    strategy: Literal["RollingUpdate", "Recreate"],
) -> None:
    """The pod that is taken over does not say which claims it uses."""
    world = settled(database("1.0", strategy, cordoned="node-000"))
    (home,) = homes(world)
    assert home != "node-000", "the one that is preferred from now on"
    loses_its_store(world)
    world.wanted = database("2.0", strategy)
    world.settle()
    assert homes(world) == [home]
    assert {each.node for each in world.memory.pods.values()} == {home}


def test_a_claim_without_a_record_waits_for_each_node_that_was_never_seen() -> None:
    world = settled(using(KEPT))
    (home,) = homes(world)
    loses_its_store(world)
    world.cut[home] = Unreachable(world.now, "connection timed out")
    step = world.plan()
    assert (step.work, step.converged) == ((), False)
    (unplaced,) = step.unplaced
    assert set(unplaced.reasons.values()) == {
        f"its claim data may have data on {home}, which has not been seen yet"
    }
    status = step.statuses[DATA]
    assert isinstance(status, PersistentVolumeClaim)
    assert (status.status.phase, message_of(status, "Bound")) == ("Pending", unplaced.reasons[home])
    world.settle()
    assert homes(world) == [home]
    world.plug_in(home)
    world.settle()
    assert (homes(world), world.plan().converged) == ([home], True)


def test_a_node_that_was_seen_before_keeps_no_new_claim_waiting() -> None:
    world = settled(desired(KEPT))
    world.unplug("node-001")
    world.cut["node-001"] = replace(world.cut["node-001"], last=None)
    world.wanted = using(KEPT)
    world.settle()
    assert world.memory.claims[DATA].node in ("node-000", "node-002")


def test_a_claim_waits_for_a_docker_that_does_not_list_its_volumes() -> None:
    world = World(using(KEPT))
    lists(world, "node-001", None)
    (unplaced,) = world.plan().unplaced
    assert set(unplaced.reasons.values()) == {
        "its claim data may have data on node-001, whose Docker does not list its volumes"
    }
    lists(world, "node-001", frozenset())
    assert not world.plan().unplaced


def test_of_two_volumes_of_one_claim_a_person_chooses() -> None:
    world = World(using(KEPT))
    for name in ("node-000", "node-002"):
        lists(world, name, frozenset({"lab_default_data"}))
    (unplaced,) = world.plan().unplaced
    assert set(unplaced.reasons.values()) == {
        "its claim data has data on node-000 and on node-002: remove the Docker volume that is not wanted"
    }
    lists(world, "node-000", frozenset())
    world.settle()
    assert world.memory.claims[DATA].node == "node-002"
    lists(world, "node-001", frozenset({"lab_default_data"}))
    status = world.plan().statuses[DATA]
    assert isinstance(status, PersistentVolumeClaim)
    assert (node_of(status), message_of(status, "Bound")) == (
        "node-002",
        "there is a volume of it on node-001 too, which is not used",
    )


def test_volumes_that_are_not_named_by_us_bind_nothing() -> None:
    world = World(desired(KEPT))
    lists(world, "node-000", frozenset({"other_default_data", "data", "lab_default_data_more"}))
    world.settle()
    assert world.memory.claims == {}


def test_pods_of_a_claim_share_its_node_when_one_of_them_is_taken_over() -> None:
    two = desired(deployment(replicas=2, containers=MOUNTING, volumes=VOLUMES), KEPT)
    world = settled(two)
    (home,) = homes(world)
    loses_its_store(world)
    world.change(lambda _: None, container=world.containers()[0].name)
    lists(world, home, frozenset())
    world.settle()
    assert {each.node for each in world.memory.pods.values()} == {home}


def test_data_is_kept_when_its_claim_goes() -> None:
    world = settled(using(KEPT))
    claims = world.memory.claims
    world.wanted = desired(revision="r2")
    steps = world.settle()
    removed = [each for step in steps for work in step.work for each in work.operations]
    assert not any(isinstance(each, RemoveVolume) for each in removed)
    assert world.memory.claims == claims


def test_data_that_is_to_go_with_its_claim_goes_after_the_last_pod() -> None:
    world = settled(using(DELETED))
    world.wanted = desired(revision="r2")
    steps = world.settle()
    last = [work.operations for step in steps for work in step.work][-1]
    assert last == (RemoveVolume("lab_default_data"),)
    assert world.memory.claims == {}


def test_data_on_a_silent_node_waits_for_it() -> None:
    world = settled(using(DELETED))
    world.wanted = desired(DELETED, revision="r2")
    world.settle()
    world.unplug(world.memory.claims[DATA].node)
    world.wanted = desired(revision="r3")
    assert world.plan().work == ()
    assert DATA in world.plan().memory.claims


def test_a_pod_on_its_hosts_network_has_the_hosts_address_and_takes_its_ports() -> None:
    ports = (ContainerPort(9100, "metrics"),)
    exporter = deployment("exporter", replicas=4, containers=(container(ports=ports),), host_network=True)
    world = World(desired(exporter, pod("job")))
    step = world.plan()
    intents = [each for each in step.memory.pods.values() if each.owner]
    assert sorted(each.ip for each in intents) == [f"node-{number:03}.example" for number in range(3)]
    (unplaced,) = step.unplaced
    assert all("host port 9100 is taken" in reason for reason in unplaced.reasons.values())
    (job,) = [each for each in step.memory.pods.values() if not each.owner]
    assert job.ip.endswith(".2")


def test_a_claim_whose_node_is_not_in_the_manifests_is_lost_with_the_way_out_and_found_again_after_a_reset() -> (
    None
):
    world = settled(database("1.0", "Recreate"))
    (intent,) = world.memory.pods.values()
    kept = [node(name) for name in ("node-000", "node-001", "node-002") if name != intent.node]
    web = deployment("db", 1, containers=MOUNTING, volumes=VOLUMES, strategy=DeploymentStrategy("Recreate"))
    world.wanted = desired(web, KEPT, revision="r2", nodes=kept)
    status = world.plan().statuses[DATA]
    assert isinstance(status, PersistentVolumeClaim)
    assert (status.status.phase, node_of(status)) == ("Lost", intent.node)
    assert "lab_default_data" in message_of(status, "Bound")
    assert f"`reconciler node reset {intent.node} SOURCE`" in message_of(status, "Bound")
    world.memory = without_node(world.plan().memory, intent.node)
    world.settle()
    again = world.plan().statuses[DATA]
    assert isinstance(again, PersistentVolumeClaim)
    assert (again.status.phase, node_of(again)) == ("Bound", kept[0].metadata.name)
