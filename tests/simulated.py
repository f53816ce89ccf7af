"""A cluster made of values: manifests, hosts and a settled state, for the planner's tests and its benchmark."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import replace

from reconciler.kinds import ADMITTED
from reconciler.model.allocations import HostAllocations, ServiceAllocation
from reconciler.model.api.apps import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    MatchLabelsSelector,
)
from reconciler.model.api.cluster import Cluster, ClusterSpec
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.container import Container, ContainerPort, ResourceRequirements
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.node import Node, NodeSpec, SshAddress
from reconciler.model.api.core.pod import Pod, PodSpec, PodTemplateSpec, TemplateMeta
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ManifestMetadata, Object, ObjectMeta, ref_of
from reconciler.model.desired import Desired, Json, Revision, Template
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import (
    Facts,
    NetworkState,
    Observation,
    Observed,
    ObservedContainer,
    Reachable,
    Unreachable,
)
from reconciler.model.operations import Outcome, PodWork
from reconciler.model.plan import PUBLISHED, Plan
from reconciler.model.problems import Place
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText
from reconciler.planning import after_failure, after_success
from reconciler.planning.simulation import SimulatedCluster
from tests.planner import plan

GIB = 1024**3
PLAIN_NODE = NodeSpec()
PLAIN_CLUSTER = ClusterSpec()
ROLLING = DeploymentStrategy()


def node(name: str, spec: NodeSpec = PLAIN_NODE, labels: Mapping[str, str] | None = None) -> Node:
    return Node(ObjectMeta(name, labels=dict(labels or {})), SshAddress("root", f"{name}.example"), spec=spec)


def container(name: str = "app", image: str = "lab/web:1.0", cpu: str = "", **more: object) -> Container:
    resources = ResourceRequirements(requests={"cpu": Quantity.parse(cpu)}) if cpu else ResourceRequirements()
    return Container(name, image, resources=resources, **more)  # type: ignore[arg-type]


def deployment(
    name: str = "web",
    replicas: int = 3,
    version: str = "1.0",
    containers: tuple[Container, ...] | None = None,
    strategy: DeploymentStrategy = ROLLING,
    **more: object,
) -> Deployment:
    labels = {"app": name}
    containers = containers or (
        container(image=f"lab/web:{version}", cpu="10m", ports=(ContainerPort(8080, "http"),)),
    )
    pod_fields = {key: more.pop(key) for key in tuple(more) if key in PodSpec.__struct_fields__}
    template = PodTemplateSpec(PodSpec(containers, **pod_fields), TemplateMeta(labels))  # type: ignore[arg-type]
    spec = DeploymentSpec(MatchLabelsSelector(labels), template, replicas, strategy, **more)  # type: ignore[arg-type]
    return Deployment(ObjectMeta(name, "default"), spec)


def pod(name: str = "job", containers: tuple[Container, ...] | None = None, **more: object) -> Pod:
    spec = PodSpec(containers or (container(),), **more)  # type: ignore[arg-type]
    return Pod(ObjectMeta(name, "default", {"app": name}), spec)


def service(name: str = "web", **more: object) -> Service:
    ports = more.pop("ports", (ServicePort(80, target_port="http"),))
    spec = ServiceSpec(ports, {"app": name}, **more)  # type: ignore[arg-type]
    return Service(ObjectMeta(name, "default"), spec)


def desired(
    *objects: Object,
    revision: str = "r1",
    nodes: int | Iterable[Node] = 3,
    cluster: ClusterSpec = PLAIN_CLUSTER,
) -> Desired:
    """A revision of these objects; `nodes` is how many there are, or the Node manifests themselves."""
    hosts = [node(f"node-{number:03}") for number in range(nodes)] if isinstance(nodes, int) else list(nodes)
    whole: list[Object] = [Cluster(ObjectMeta("lab"), cluster), *hosts, Namespace(ObjectMeta("default")), *objects]
    by_ref: dict[Ref, Object] = {ref_of(each): each for each in whole}
    made = {ref: (owner, one) for owner, each in by_ref.items() for ref, one in dependents(each).items()}
    return Desired(
        revision=Revision(revision, "tests"),
        objects=by_type([*whole, *(one for _, one in made.values())]),
        owners={ref: owner for ref, (owner, _) in made.items()},
        digests={
            ref: manifest_digest(each) for ref, each in by_ref.items() if isinstance(each, ConfigMap | Secret)
        },
        places={ref: Place("all.yaml", line) for line, ref in enumerate(by_ref, start=1)},
        templates={ref: found for ref, each in by_ref.items() if (found := template(each)) is not None},
        manifests={ref: manifest(each) for ref, each in by_ref.items()},
        metadata={
            ref: ManifestMetadata(each.metadata, manifest_digest(each))
            for ref, each in by_ref.items()
            if type(each) not in PUBLISHED
        },
    )


def by_type(objects: Iterable[Object]) -> Mapping[type[Any], Mapping[Ref, Any]]:
    """The objects of a revision as `Desired.objects` has them."""
    found: dict[type[Any], dict[Ref, Any]] = {}
    for each in objects:
        found.setdefault(type(each), {})[ref_of(each)] = each
    return found


def with_kinds(wanted: Desired, kinds: Mapping[type[Any], Mapping[Ref, Any]]) -> Desired:
    """The same revision with other objects of these kinds."""
    return msgspec.structs.replace(wanted, objects={**wanted.objects, **kinds})


def template(each: Object) -> Template | None:
    """What the object's pods are made from."""
    kind = ADMITTED.by_kind.get(type(each).__name__)
    if kind is None or kind.admission.pod_template is None:
        return None
    made = kind.admission.pod_template(each)
    hashed = template_hash(made.spec)
    if made.beside:
        hashed = hashlib.sha256(repr((hashed, made.beside)).encode()).hexdigest()[:10]
    labels = {**made.labels, made.hash_label: hashed} if made.hash_label else made.labels
    return Template(hashed, made.spec, labels, made.annotations)


def dependents(each: Object) -> Mapping[Ref, Object]:
    """What comes with the object, and is in no manifest."""
    kind = ADMITTED.by_kind.get(type(each).__name__)
    found = kind.admission.dependents if kind is not None else None
    return {ref_of(one): one for one in found(each)} if found is not None else {}


def template_hash(spec: PodSpec) -> str:
    """Stands in for what `manifests` computes: ten hex digits of the spec."""
    return hashlib.sha256(msgspec.json.encode(_whole(spec), enc_hook=str)).hexdigest()[:10]


def _whole(value: Any) -> Any:
    """With all defaults: so that the hash, and with it the names of pods, stays what it is."""
    if isinstance(value, msgspec.Struct):
        return {name: _whole(getattr(value, attribute)) for attribute, name in _names_of_fields(type(value))}
    if isinstance(value, tuple):
        return [_whole(one) for one in value]
    return {key: _whole(one) for key, one in value.items()} if isinstance(value, dict) else value


@cache
def _names_of_fields(type_of_value: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """Each attribute and the name it is written by; msgspec works them out anew at every question."""
    return tuple((field.name, field.encode_name) for field in msgspec.structs.fields(type_of_value))


def manifest_digest(each: Object) -> str:
    """Stands in for the digest of a ConfigMap's or a Secret's contents."""
    return hashlib.sha256(msgspec.json.encode(each, enc_hook=_plain)).hexdigest()[:16]


def manifest(each: Object) -> Json:
    """The object as written; a Secret's values as fingerprints."""
    written: Json = msgspec.json.decode(msgspec.json.encode(each, enc_hook=_plain))
    return {"kind": type(each).__name__, **written}


def _plain(value: object) -> str:
    return value.fingerprint("salt") if isinstance(value, SecretText) else str(value)


def host(name: str, cpus: int = 8) -> Reachable:
    """An empty host that answers, with its network set up."""
    facts = Facts(f"engine-{name}", "27.0", "Debian", "6.1", "x86_64", cpus, 16 * GIB)
    images = frozenset(f"lab/web:{version}" for version in ("1.0", "2.0", "3.0")) | {"registry.k8s.io/pause:3.10"}
    return Reachable(facts, (), images, network=NetworkState("set up"))


def hosts(wanted: Desired) -> Observed:
    return Observed({name: host(name) for name in wanted.nodes})


def simulated_cluster(nodes: int = 100, pods: int = 1000) -> tuple[Desired, Observed, Memory]:
    """Settled: Deployments of ten pods, each with a Service, spread over the nodes."""
    objects: list[Object] = []
    for number in range(pods // 10):
        objects += [deployment(f"web-{number:03}", replicas=10), service(f"web-{number:03}")]
    wanted = desired(*objects, nodes=nodes)
    world = World(wanted)
    world.settle()
    return wanted, world.real, world.memory


def ignore(step: Plan) -> None:
    """Look at nothing."""


class World:
    """Hosts that do what they are asked, and the master's part of a control loop, with faults on demand."""

    complaint = "injected"
    """What a host says of a work that is to fail."""

    def __init__(self, wanted: Desired) -> None:
        self.wanted = wanted
        self.cluster = SimulatedCluster(hosts(wanted))
        self.memory = Memory()
        self.now = 0.0
        self.cut: dict[str, Unreachable] = {}
        self.failing: dict[str, int] = {}
        """Node -> after how many operations the next work there fails."""

    @property
    def real(self) -> Observed:
        """The hosts as they are, whether they answer or not."""
        return self.cluster.observed()

    @real.setter
    def real(self, hosts: Observed) -> None:
        self.cluster.become(hosts)

    def observed(self) -> Observed:
        """Every host that is not cut off has just been heard of."""
        heard = {name: replace(node, at=self.now) for name, node in self.real.nodes.items()}
        return Observed({**heard, **self.cut})

    def plan(self) -> Plan:
        return plan(self.wanted, self.observed(), self.memory, self.now)

    def carry_out(self, step: Plan) -> None:
        """What the hosts that answer make of it; a work that fails stops where it failed."""
        self.memory = step.memory
        for work in step.work:
            outcome = self.outcome_of(work)
            if outcome.failed is None:
                self.memory = after_success(self.memory, outcome)
            else:
                self.memory = after_failure(self.memory, outcome, self.now)
        self.cluster.follow(step, silent=self.cut)
        before = self.real.nodes
        nodes = {name: self._given_out(name, node) for name, node in before.items()}
        if any(before[name] is not node for name, node in nodes.items()):
            self.real = Observed(nodes)

    def outcome_of(self, work: PodWork) -> Outcome:
        """What the host makes of a work; where it is to fail, it stops there."""
        limit = self.failing.pop(work.node, None)
        if limit is None:
            return self.cluster.carry_out(work, self.memory.pods)
        part = min(limit, len(work.operations) - 1)
        outcome = self.cluster.carry_out(work, self.memory.pods, most=part)
        if outcome.failed is not None:
            return outcome
        return Outcome(work, work.operations[part], self.complaint, "RunContainerError")

    def _given_out(self, name: str, host: Observation) -> Observation:
        """With what the setups write down on a host that answers and has a Node."""
        if not isinstance(host, Reachable) or name in self.cut or name not in self.memory.nodes:
            return host
        services = {
            ref: ServiceAllocation(one.cluster_ip, one.node_ports) for ref, one in self.memory.services.items()
        }
        turns = {ref: one.turn for ref, one in self.memory.ingresses.items()}
        given = HostAllocations(host.given.pod_cidr or self.memory.nodes[name].pod_cidr, services, turns)
        return host if given == host.given else replace(host, given=given)

    def step(self, look: Callable[[Plan], None] = ignore) -> Plan:
        """One turn of the loop; where nothing is left to do now, time goes on to the next moment that matters."""
        before, memory = self.real, self.memory
        step = self.plan()
        look(step)
        self.carry_out(step)
        if self.real == before and self.memory is memory and step.wake_at is not None:
            self.now = max(self.now, step.wake_at)
        return step

    def settle(self, most: int = 400, look: Callable[[Plan], None] = ignore) -> list[Plan]:
        """Steps until one changes nothing; `look` is shown each plan before it is carried out."""
        steps = []
        for _ in range(most):
            before, memory = self.real, self.memory
            steps.append(self.step(look))
            if self.real == before and self.memory is memory and steps[-1].wake_at is None:
                return steps
        raise AssertionError(f"it does not settle: {steps[-1].work} {steps[-1].unplaced} {steps[-1].wake_at}")

    def unplug(self, name: str) -> None:
        if name not in self.cut:
            last = self.real.nodes[name]
            assert isinstance(last, Reachable)
            self.cut[name] = Unreachable(self.now, "connection timed out", last)

    def plug_in(self, name: str) -> None:
        if self.cut.pop(name, None) is not None:
            self.real = Observed({**self.real.nodes, name: replace(self.real.nodes[name], since=self.now)})

    def change(self, change: Callable[[ObservedContainer], ObservedContainer | None], *, container: str) -> None:
        """Something happens to a container by hand, or by itself; None: it is gone."""
        for name, node in self.real.nodes.items():
            assert isinstance(node, Reachable)
            left = [change(each) if each.name == container else each for each in node.containers]
            if left != list(node.containers):
                containers = tuple(each for each in left if each is not None)
                self.real = Observed({**self.real.nodes, name: replace(node, containers=containers)})

    def containers(self) -> list[ObservedContainer]:
        nodes = [node for node in self.real.nodes.values() if isinstance(node, Reachable)]
        return [each for node in nodes for each in node.containers]

    def forget_volatile(self) -> None:
        """The master is restarted."""
        self.memory = replace(
            self.memory, backoffs={}, failures={}, ready_since={}, leaving={}, crashes={}, started={}
        )
