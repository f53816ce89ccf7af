"""A planner that plans what changed makes the very plan that planning everything makes, whatever happens."""

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from reconciler.control.timestamps import with_changes, with_timestamps
from reconciler.model.api.apps import (
    DeploymentStrategy,
    RollingUpdateDeployment,
    RollingUpdateStatefulSetStrategy,
    StatefulSetOrdinals,
    StatefulSetUpdateStrategy,
)
from reconciler.model.api.core.container import Container, ContainerPort, Probe, TCPSocketAction
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.core.volume import PersistentVolumeClaimVolumeSource, Volume, VolumeMount
from reconciler.model.api.discovery import LABEL_SERVICE_NAME, EndpointSlice, SliceEndpoint, SlicePort
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.api.networking import NetworkPolicy, NetworkPolicySpec
from reconciler.model.desired import Desired
from reconciler.model.names import Ref
from reconciler.model.observed import (
    NetworkState,
    Observed,
    ObservedContainer,
    Peers,
    Probed,
    Reachable,
    Unreachable,
)
from reconciler.model.plan import Plan, Status
from reconciler.planning.planner import Planner, difference
from tests.ingress_oracle import ingress, rule
from tests.planner import RULES, clock_at, plan
from tests.simulated import World, container, deployment, desired, node, pod, service
from tests.stateful_sets import stateful_set

STEPS = 120
HTTP = (ContainerPort(8080, "http"),)
PROBE = Probe(tcp_socket=TCPSocketAction("http"))
PORTS: tuple[int | str, ...] = ("http", 8080)
NAMES = tuple(f"node-{number:03}" for number in range(6))


def any_deployment(random: Random, name: str) -> Object:
    main = container(
        image=f"lab/web:{random.choice(['1.0', '1.0', '2.0', '3.0'])}",
        cpu=random.choice(["50m", "50m", "50m", "900m", "3", "9"]),
        ports=(ContainerPort(8080, "http", host_port=80),) if random.random() < 0.1 else HTTP,
        readiness_probe=random.choice([None, None, PROBE]),
    )
    beside: tuple[Container, ...] = (container("beside"),) if random.random() < 0.2 else ()
    surge = random.choice([0, 1, 2])
    rolling = RollingUpdateDeployment(surge, random.choice([0, 1]) or 1 - bool(surge))
    recreate = random.random() < 0.1
    strategy = DeploymentStrategy("Recreate") if recreate else DeploymentStrategy("RollingUpdate", rolling)
    return deployment(
        name,
        random.choice([0, 1, 2, 3, 3, 5]),
        containers=(main, *beside),
        strategy=strategy,
        min_ready_seconds=random.choice([0, 0, 0, 7]),
        paused=random.random() < 0.05,
        node_selector={"disk": "none"} if random.random() < 0.03 else {},
    )


def any_stateful_set(random: Random, name: str) -> Object:
    """Seldom with claims: with these everything is planned."""
    strategy = random.choice(
        [
            StatefulSetUpdateStrategy("OnDelete"),
            StatefulSetUpdateStrategy("RollingUpdate", RollingUpdateStatefulSetStrategy(random.choice([0, 0, 1]))),
            StatefulSetUpdateStrategy("RollingUpdate", RollingUpdateStatefulSetStrategy(max_unavailable="50%")),
        ]
    )
    return stateful_set(
        name,
        random.choice([0, 1, 2, 3, 4]),
        version=random.choice(["1.0", "1.0", "2.0", "3.0"]),
        claims=("data",) if random.random() < 0.1 else (),
        update_strategy=strategy,
        pod_management_policy=random.choice(["OrderedReady", "OrderedReady", "Parallel"]),
        ordinals=StatefulSetOrdinals(random.choice([0, 0, 0, 1])),
        min_ready_seconds=random.choice([0, 0, 7]),
        service_name=random.choice([name, name, "other"]),
    )


def one_of_a_set(name: str) -> Object:
    """A Service that selects one pod of a StatefulSet by its own label."""
    alone = service("alone")
    return replace(alone, spec=replace(alone.spec, selector={"statefulset.kubernetes.io/pod-name": f"{name}-1"}))


def any_pod(random: Random, name: str) -> Object:
    return pod(
        name,
        (container(image=f"lab/web:{random.choice(['1.0', '2.0'])}"),),
        restart_policy=random.choice(["Always", "Never", "OnFailure"]),
        active_deadline_seconds=random.choice([None, None, 30]),
    )


def any_service(random: Random, name: str) -> Object:
    kind = random.choice(["ClusterIP", "ClusterIP", "NodePort", "LoadBalancer", "headless", "all"])
    if kind == "headless":
        return service(name, cluster_ip="None")
    return service(
        name,
        type="ClusterIP" if kind == "all" else kind,
        ports=(ServicePort(80, target_port=random.choice(PORTS)),),
        publish_not_ready_addresses=random.random() < 0.1,
    )


class Everything(World):
    """A cluster with some of every kind, to which anything happens; a planner follows it, and `plan` judges it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.number = 0
        self.objects: dict[str, Object] = {}
        for name in ("web", "api", "db", "job"):
            self.objects[f"deployment {name}"] = any_deployment(self.random, name)
            self.objects[f"service {name}"] = any_service(self.random, name)
        self.objects["pod one"] = any_pod(self.random, "one")
        self.objects["stateful zoo"] = any_stateful_set(self.random, "zoo")
        self.objects["service zoo"] = any_service(self.random, "zoo")
        if self.random.random() < 0.5:
            self.objects["service alone"] = one_of_a_set("zoo")
        for put in (_claims, _ingresses, _policies, _slices):
            if self.random.random() < 0.3:
                self.objects |= put()
        super().__init__(self.revision())
        self.answering = self.random.choice([0.3, 0.3, 0.05])
        """How likely nodes that are silent answer again, after each step."""
        for name in NAMES:
            if self.random.random() < 0.02:
                self.cut[name] = Unreachable(0.0, "no route to host")
        self.planner = Planner(audit_every=self.random.choice([3, 1000]))
        self.parts = 0
        """How many plans of the planners before were of a part."""

    def revision(self) -> Desired:
        self.number += 1
        return desired(*self.objects.values(), revision=f"r{self.number}", nodes=[node(name) for name in NAMES])

    def look(self) -> Plan:
        """Both plans are the same; and what the delta says is all that differs from the plan before."""
        observed, before = self.observed(), self.planned
        made = self.planner.plan(self.wanted, observed, self.memory, clock_at(self.now), RULES)
        assert self.planner.difference == ""
        whole = plan(self.wanted, observed, self.memory, self.now)
        assert (difference(made, whole), self.number) == ("", self.number)
        at = clock_at(self.now).unix
        published = with_timestamps(self.published, made.statuses, at, before.statuses if before else {})
        if made.delta is not None and before is not None:
            _assert_is_all(made, before)
            assert with_changes(self.published, made.statuses, made.delta.statuses, at) == published
        self.planned, self.published, self.memory = made, published, made.memory
        return made

    planned: Plan | None = None
    published: Mapping[Ref, Status] = MappingProxyType({})


def _assert_is_all(after: Plan, before: Plan) -> None:
    delta = after.delta
    assert delta is not None
    refs = after.statuses.keys() | before.statuses.keys()
    assert {ref for ref in refs if after.statuses.get(ref) != before.statuses.get(ref)} <= delta.statuses
    for part in ("pods", "runs"):
        new, old = getattr(after.memory, part), getattr(before.memory, part)
        assert {uid for uid in new.keys() | old.keys() if new.get(uid) != old.get(uid)} <= delta.pods


def _claims(version: str = "1.0") -> dict[str, Object]:
    volume = Volume("data", persistent_volume_claim=PersistentVolumeClaimVolumeSource("data"))
    mount = VolumeMount("data", "/data")
    stateful = deployment(
        "stateful",
        1,
        containers=(container(image=f"lab/web:{version}", volume_mounts=(mount,)),),
        volumes=(volume,),
    )
    return {"claim": PersistentVolumeClaim(ObjectMeta("data", "default")), "stateful": stateful}


def _ingresses() -> dict[str, Object]:
    return {"ingress": ingress("web", rule("a.org", ("Prefix", "/", "web")))}


def _policies() -> dict[str, Object]:
    return {"policy": NetworkPolicy(ObjectMeta("closed", "default"), NetworkPolicySpec(policy_types=("Ingress",)))}


def _slices() -> dict[str, Object]:
    ports = (SlicePort(5432, "http"),)
    ends = (SliceEndpoint(("192.0.2.7",)),)
    slices = EndpointSlice(ObjectMeta("outside", "default", {LABEL_SERVICE_NAME: "outside"}), ends, ports)
    outside = Service(ObjectMeta("outside", "default"), ServiceSpec((ServicePort(5432, "http"),)))
    return {"slice": slices, "outside": outside}


# --- what happens ---------------------------------------------------------------------------------------------


def carry_out_all(world: Everything) -> None:
    if world.planned is not None:
        world.carry_out(world.planned)
        world.planned = None


def carry_out_some(world: Everything) -> None:
    """The hosts are slower than we are: some pods are busy with what they were asked for."""
    if world.planned is None:
        return
    some = tuple(work for work in world.planned.work if world.random.random() < 0.5)
    rest = {work.uid: work.node for work in world.planned.work if work not in some}
    world.carry_out(replace(world.planned, work=some))
    for uid, name in rest.items():
        if world.random.random() < 0.5:
            put(world, name, busy=host_of(world, name).busy | {uid})
    world.planned = None


def fail(world: Everything) -> None:
    world.failing[world.random.choice(NAMES)] = world.random.randrange(3)
    carry_out_all(world)


def time_passes(world: Everything) -> None:
    world.now += world.random.choice([0.3, 1.0, 5.0, 11.0, 61.0])


def time_comes(world: Everything) -> None:
    if world.planned is not None and world.planned.wake_at is not None:
        world.now = max(world.now, world.planned.wake_at)


def nothing_is_busy(world: Everything) -> None:
    for name in NAMES:
        if host_of(world, name).busy:
            put(world, name, busy=frozenset())


def another_image(world: Everything) -> None:
    name = world.random.choice(["web", "api", "db", "job"])
    world.objects[f"deployment {name}"] = any_deployment(world.random, name)
    world.wanted = world.revision()


def another_service(world: Everything) -> None:
    name = world.random.choice(["web", "api", "db", "job"])
    world.objects[f"service {name}"] = any_service(world.random, name)
    world.wanted = world.revision()


def another_pod(world: Everything) -> None:
    name = world.random.choice(["one", "two"])
    if world.objects.pop(f"pod {name}", None) is None or world.random.random() < 0.5:
        world.objects[f"pod {name}"] = any_pod(world.random, name)
    world.wanted = world.revision()


def goes_or_comes(world: Everything) -> None:
    name = world.random.choice(["web", "api", "db", "job"])
    if world.objects.pop(f"deployment {name}", None) is None:
        world.objects[f"deployment {name}"] = any_deployment(world.random, name)
    world.wanted = world.revision()


def another_stateful_set(world: Everything) -> None:
    if world.objects.pop("stateful zoo", None) is None or world.random.random() < 0.9:
        world.objects["stateful zoo"] = any_stateful_set(world.random, "zoo")
    world.wanted = world.revision()


def another_version_of_what_has_a_claim(world: Everything) -> None:
    if "stateful" in world.objects:
        world.objects |= _claims(world.random.choice(["1.0", "2.0", "3.0"]))
        world.wanted = world.revision()


def policies_change(world: Everything) -> None:
    if world.objects.pop("policy", None) is None:
        world.objects |= _policies()
    world.wanted = world.revision()


def same_again(world: Everything) -> None:
    world.wanted = world.revision()


def to_a_container(
    change: Callable[[ObservedContainer], ObservedContainer | None],
) -> Callable[[Everything], None]:
    def happen(world: Everything) -> None:
        ours = [one for one in world.containers() if one.uid]
        if ours:
            world.change(change, container=world.random.choice(ours).name)

    happen.__name__ = change.__name__
    return happen


def died(one: ObservedContainer) -> ObservedContainer:
    return replace(one, state="exited", exit_code=1)


def ended_well(one: ObservedContainer) -> ObservedContainer:
    return replace(one, state="exited", exit_code=0)


def vanished(one: ObservedContainer) -> None:
    return None


def paused(one: ObservedContainer) -> ObservedContainer:
    return replace(one, state="paused")


def restarted(one: ObservedContainer) -> ObservedContainer:
    return replace(one, state="running", started_at=f"{one.started_at}0", restart_count=one.restart_count + 1)


def unready(one: ObservedContainer) -> ObservedContainer:
    return replace(one, probed=Probed(started=True, ready=False, message="no"))


def ready(one: ObservedContainer) -> ObservedContainer:
    return replace(one, probed=Probed(started=True, ready=True))


def renamed(one: ObservedContainer) -> ObservedContainer:
    return replace(one, name=f"{one.name}-by-hand")


def looks_alike(world: Everything) -> None:
    """A copy of a container by hand, or one of a pod that nobody knows."""
    name = world.random.choice(NAMES)
    node = host_of(world, name)
    if node.containers:
        one = world.random.choice(node.containers)
        copy = replace(one, id=f"copy-{world.now}", name=f"copy-{world.number}-{world.random.random()}")
        if world.random.random() < 0.5:
            copy = replace(copy, uid="unknown")
        other = world.random.choice(NAMES)
        put(world, other, containers=(*host_of(world, other).containers, copy))


def copies_go(world: Everything) -> None:
    """Whoever made them takes them away."""
    for name in NAMES:
        there = host_of(world, name).containers
        put(world, name, containers=tuple(one for one in there if not one.name.startswith("copy-")))


def a_port_falls_silent(world: Everything) -> None:
    name = world.random.choice(NAMES)
    listening = sorted(host_of(world, name).listening)
    if listening:
        put(world, name, listening=frozenset(listening[1:]))


def a_proxy_lags(world: Everything) -> None:
    """It has another rotation than the others, or is still connected to who has left it."""
    name = world.random.choice(NAMES)
    proxy = host_of(world, name).proxy
    gone = frozenset(sorted(proxy.routed)[:1])
    there = frozenset(pod.ip for pod in world.memory.pods.values() if world.random.random() < 0.3)
    put(
        world,
        name,
        proxy=world.random.choice(
            [
                replace(proxy, routed=proxy.routed - gone, connected=gone),
                replace(proxy, routed=proxy.routed | there),
                replace(proxy, error="refused"),
            ]
        ),
    )


def the_network_fails(world: Everything) -> None:
    name = world.random.choice(NAMES)
    network = NetworkState("") if world.random.random() < 0.5 else NetworkState("set up", error="no route")
    put(world, name, network=network)


def the_networks_are_right(world: Everything) -> None:
    for name in NAMES:
        if host_of(world, name).network != NetworkState("set up"):
            put(world, name, network=NetworkState("set up"))


def facts_change(world: Everything) -> None:
    name = world.random.choice(NAMES)
    facts = host_of(world, name).facts
    other = replace(facts, load1=world.random.random())
    put(world, name, facts=other if world.random.random() < 0.7 else replace(other, cpus=facts.cpus + 1))


def an_image_goes(world: Everything) -> None:
    name = world.random.choice(NAMES)
    put(world, name, images=host_of(world, name).images - {"lab/web:1.0"})


def silence(world: Everything) -> None:
    world.unplug(world.random.choice(NAMES))


def something_is_heard_of_it(world: Everything) -> None:
    """Others say whether they reach a silent node, or it answers and cannot be used."""
    for name, silent in world.cut.items():
        heard = Peers(failing=("node-000",), reached_at=world.random.choice([0.0, world.now]))
        choices = [
            replace(silent, peers=heard),
            replace(silent, why="login refused", answers=True),
            replace(silent, refused=True),
        ]
        world.cut[name] = world.random.choice(choices)


def all_answer(world: Everything) -> None:
    for name in tuple(world.cut):
        world.plug_in(name)


def the_master_starts_anew(world: Everything) -> None:
    world.forget_volatile()
    world.parts += world.planner.parts
    world.planner = Planner()


OFTEN = (carry_out_all, carry_out_all, carry_out_all, carry_out_some, time_passes, time_comes, nothing_is_busy)
SOMETIMES = (
    another_image,
    another_service,
    another_pod,
    another_stateful_set,
    goes_or_comes,
    another_version_of_what_has_a_claim,
    policies_change,
    same_again,
    fail,
    looks_alike,
    copies_go,
    a_port_falls_silent,
    a_proxy_lags,
    the_network_fails,
    the_networks_are_right,
    facts_change,
    an_image_goes,
    *map(to_a_container, (died, died, ended_well, vanished, paused, restarted, unready, ready, renamed)),
)
SELDOM = (silence, silence, something_is_heard_of_it, the_master_starts_anew)


def host_of(world: Everything, name: str) -> Reachable:
    found = world.real.nodes[name]
    assert isinstance(found, Reachable)
    return found


def put(world: Everything, name: str, **fields: object) -> None:
    world.real = Observed({**world.real.nodes, name: replace(host_of(world, name), **fields)})


def happen(world: Everything) -> str:
    chance = world.random.random()
    what = world.random.choice(OFTEN if chance < 0.6 else SOMETIMES if chance < 0.94 else SELDOM)
    what(world)
    if world.cut and world.random.random() < world.answering:
        all_answer(world)
    return what.__name__


@pytest.mark.parametrize("seed", range(24))
def test_a_plan_of_what_changed_is_the_plan_of_everything(seed: int) -> None:
    world = Everything(seed)
    story: list[str] = []
    for _ in range(STEPS):
        story.append(happen(world))
        try:
            world.look()
        except AssertionError as error:
            raise AssertionError(f"{error} after {story[-6:]}") from error
    PLANNED["in part"] += world.parts + world.planner.parts
    PLANNED["all"] += STEPS


PLANNED: Counter[str] = Counter()


def test_most_of_what_happened_was_planned_in_part() -> None:
    assert PLANNED["in part"] > 0.3 * PLANNED["all"]
