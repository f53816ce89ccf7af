"""A cluster of any size that has come to rest, made directly: what `run` finds after months, in seconds.

Deployments of ten pods, each with a Service, spread evenly over the nodes. That planning sees nothing to do in it
is asserted, so the figures measured on it are those of a real cluster at rest.
"""

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.allocations import HostAllocations
from reconciler.model.api.apps import Deployment
from reconciler.model.api.cluster import ClusterSpec
from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import Object
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, NodeRecord, PodIntent, RestartRecord, ServiceRecord
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Facts, NetworkState, ObservedContainer, Reachable
from reconciler.planning.allocation.identity import container_name, pod_name, pod_uid
from tests.simulated import GIB, deployment, desired, service

PODS_EACH = 10
IMAGE = "lab/web:1.0"
IMAGES = frozenset({IMAGE, "lab/web:2.0", "lab/web:3.0", "registry.k8s.io/pause:3.10"})
CLUSTER = ClusterSpec(pod_cidr="10.128.0.0/9")


class Settled(Struct):
    desired: Desired
    hosts: dict[str, Reachable]
    memory: Memory


def settled(nodes: int, pods: int) -> Settled:
    """The revision, its hosts as they answer, and what is remembered of them."""
    names = [f"web-{number:05}" for number in range(pods // PODS_EACH)]
    objects: list[Object] = []
    for name in names:
        objects += [deployment(name, replicas=PODS_EACH), service(name)]
    wanted = desired(*objects, nodes=nodes, cluster=CLUSTER)
    cidrs = {name: f"10.{128 + number // 256}.{number % 256}.0/24" for number, name in enumerate(wanted.nodes)}
    containers: dict[str, list[ObservedContainer]] = {name: [] for name in wanted.nodes}
    intents: dict[Uid, PodIntent] = {}
    order = list(wanted.nodes)
    for ref, manifest in wanted.of(Deployment).items():
        for number in range(PODS_EACH):
            node = order[len(intents) % nodes]
            ip = f"{cidrs[node].removesuffix('.0/24')}.{2 + len(containers[node])}"
            intent = _intent(wanted, ref, manifest, number, node, ip)
            intents[intent.uid] = intent
            containers[node].append(_container(intent))
    memory = Memory(
        pods=intents,
        nodes={
            name: NodeRecord(
                name,
                f"engine-{name}",
                cidrs[name],
                1 + len(containers[name]),
                ssh=manifest.ssh,
                host_key=manifest.host_key,
            )
            for name, manifest in wanted.nodes.items()
        },
        services={
            ref: ServiceRecord(f"10.96.{16 + number // 256}.{number % 256}", (0,))
            for number, ref in enumerate(wanted.of(Service))
        },
        runs={
            each.uid: {"app": RestartRecord(run=each.run, by_docker=0)}
            for found in containers.values()
            for each in found
        },
        incarnations=dict.fromkeys(wanted.of(Deployment), PODS_EACH),
        applied=wanted.manifests,
        revision=wanted.revision.id,
    )
    hosts = {name: _host(name, cidrs[name], found) for name, found in containers.items()}
    return Settled(wanted, hosts, memory)


def edited(wanted: Desired, refs: list[Ref], revision: str, version: str) -> Desired:
    """The next revision: these Deployments have another image; all else is the very same objects, as a load of
    files that are mostly unchanged gives them."""
    changed = desired(*(deployment(ref.name, PODS_EACH, version) for ref in refs), nodes=0, cluster=CLUSTER)
    return replace(
        wanted,
        revision=replace(wanted.revision, id=revision),
        objects={**wanted.objects, Deployment: {**wanted.of(Deployment), **changed.of(Deployment)}},
        templates={**wanted.templates, **changed.templates},
        manifests={**wanted.manifests, **{ref: changed.manifests[ref] for ref in refs}},
    )


def _intent(wanted: Desired, ref: Ref, manifest: Deployment, number: int, node: str, ip: str) -> PodIntent:
    template_hash, template = wanted.templates[ref].hash, manifest.spec.template
    name = pod_name(ref, template_hash, number)
    uid = pod_uid(wanted.cluster.metadata.name, ref.namespace, name, number)
    labels, revision = template.metadata.labels, wanted.revision.id
    return PodIntent(uid, ref.namespace, name, node, template_hash, revision, ip, ref, labels, template.spec)


def _container(intent: PodIntent) -> ObservedContainer:
    return ObservedContainer(
        id=intent.uid.replace("-", ""),
        name=container_name("lab", intent.namespace, intent.name, "app", intent.uid),
        image=IMAGE,
        state="running",
        cluster="lab",
        namespace=intent.namespace,
        pod=intent.name,
        uid=intent.uid,
        container="app",
        owner=f"Deployment/{intent.owner.name}" if intent.owner else "",
        hash=intent.hash,
        revision=intent.revision,
        ip=intent.ip,
        started_at="2026-01-01T00:00:00Z",
        started=1_767_225_600.0,
        created=1_767_225_600.0,
    )


def _host(name: str, cidr: str, containers: list[ObservedContainer]) -> Reachable:
    return Reachable(
        Facts(f"engine-{name}", "27.0", "Debian", "6.1", "x86_64", 64, 256 * GIB),
        tuple(sorted(containers, key=lambda each: each.name)),
        IMAGES,
        network=NetworkState("set up"),
        listening=frozenset(SocketAddress(each.ip, 8080) for each in containers),
        given=HostAllocations(cidr),
    )
