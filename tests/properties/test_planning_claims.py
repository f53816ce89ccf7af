"""The law of claims: however hosts, masters and their stores come and go, a claim has data on one node at most."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.api.apps import DeploymentStrategy
from reconciler.model.api.core.node import NodeSpec
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.volume import PersistentVolumeClaimVolumeSource, Volume, VolumeMount
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Reachable, Unreachable
from tests.simulated import World, container, deployment, desired, node

VOLUMES = (Volume("data", persistent_volume_claim=PersistentVolumeClaimVolumeSource("data")),)
NAMES = ("node-000", "node-001", "node-002")

nodes = st.sampled_from(NAMES)
events = st.one_of(
    st.tuples(st.just("revise"), st.tuples(st.sampled_from(["1.0", "2.0"]), st.integers(0, 2), nodes)),
    st.tuples(st.just("new master"), st.booleans()),
    st.tuples(st.sampled_from(["cut", "heal"]), nodes),
    st.tuples(st.just("step"), st.integers(1, 3)),
)


def revision(version: str, replicas: int, number: int, cordoned: str = "") -> Desired:
    """No replicas: not the Deployment either. With a node cordoned, another one is preferred."""
    app = container(image=f"lab/web:{version}", volume_mounts=(VolumeMount("data", "/data"),))
    web = deployment("db", replicas, containers=(app,), volumes=VOLUMES, strategy=DeploymentStrategy("Recreate"))
    objects: list[Object] = [PersistentVolumeClaim(ObjectMeta("data", "default")), *([web] if replicas else [])]
    hosts = [node(name, NodeSpec(unschedulable=name == cordoned)) for name in NAMES]
    return desired(*objects, revision=f"r{number}", nodes=hosts)


def happen(world: World, kind: str, what: object, number: int) -> None:
    match kind, what:
        case "revise", (str(version), int(replicas), str(cordoned)):
            world.wanted = revision(version, replicas, number, cordoned)
        case "new master", bool(lost):
            world.forget_volatile()
            world.cut = {name: Unreachable(world.now, "no connection has been made yet") for name in NAMES}
            if lost:
                world.memory = Memory()
        case "cut", str(name):
            world.unplug(name)
        case "heal", str(name):
            world.plug_in(name)
        case "step", int(times):
            for _ in range(times):
                world.step()


def homes(world: World) -> set[str]:
    hosts = {name: host for name, host in world.real.nodes.items() if isinstance(host, Reachable)}
    return {name for name, host in hosts.items() if "lab_default_data" in (host.volumes or ())}


@settings(max_examples=150, deadline=None)
@given(cordoned=nodes, replicas=st.integers(0, 2), story=st.lists(events, max_size=12))
def test_a_claim_has_data_on_one_node_at_most(
    cordoned: str, replicas: int, story: list[tuple[str, object]]
) -> None:
    world = World(revision("1.0", replicas, 0, cordoned))
    world.settle()
    for number, (kind, what) in enumerate(story, start=1):
        happen(world, kind, what, number)
        world.step()
        assert len(homes(world)) <= 1
    for name in NAMES:
        world.plug_in(name)
    world.wanted = revision("2.0", 1, 99)
    world.settle()
    (home,) = homes(world)
    assert {each.node for each in world.memory.pods.values()} == {home}
    assert world.plan().converged
