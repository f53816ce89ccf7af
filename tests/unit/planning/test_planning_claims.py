"""Claims: bound with the first pod, which is where its pods return to; and pods on their host's network."""

from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import ANNOTATION_RECLAIM, Ref
from reconciler.model.objects import ObjectMeta, PersistentVolumeClaim
from reconciler.model.operations import RemoveVolume
from reconciler.model.plan import ClaimStatus
from reconciler.model.pods import ClaimVolume, ContainerPort, Volume, VolumeMount
from tests.simulated import World, container, deployment, desired, pod

DATA = Ref("PersistentVolumeClaim", "default", "data")
KEPT = PersistentVolumeClaim(ObjectMeta("data", "default"))
DELETED = PersistentVolumeClaim(ObjectMeta("data", "default", annotations={ANNOTATION_RECLAIM: "Delete"}))
VOLUMES = (Volume("data", persistent_volume_claim=ClaimVolume("data")),)
MOUNTING = (container(volume_mounts=(VolumeMount("data", "/data"),)),)


def using(claim: PersistentVolumeClaim, version: str = "1.0") -> Desired:
    containers = (replace(MOUNTING[0], image=f"lab/web:{version}"),)
    return desired(pod("db", containers, volumes=VOLUMES), claim, revision=f"r{version}")


def settled(wanted: Desired) -> World:
    world = World(wanted)
    world.settle()
    return world


def test_a_claim_is_bound_with_its_first_pod() -> None:
    world = World(using(KEPT))
    step = world.plan()
    (intent,) = step.memory.pods.values()
    record = step.memory.claims[DATA]
    assert (record.node, record.volume) == (intent.node, "lab_default_data")
    assert step.statuses[DATA] == ClaimStatus(DATA, "Bound", intent.node, "lab_default_data")


def test_a_claim_that_nobody_uses_waits() -> None:
    status = World(desired(KEPT)).plan().statuses[DATA]
    assert isinstance(status, ClaimStatus)
    assert (status.phase, status.node) == ("Pending", "")


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
