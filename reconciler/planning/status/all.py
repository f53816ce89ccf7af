"""How everything stands after this step, and whether anything is left to wait for."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import Ingress
from reconciler.model.edges import edge_addresses
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint, Status, Unplaced
from reconciler.planning.controllers.ingress import ingress_status
from reconciler.planning.decided import Decided
from reconciler.planning.memory import Records
from reconciler.planning.progress import Progress
from reconciler.planning.state.volume_binding import claim_status
from reconciler.planning.status.pods import done_status, pod_statuses
from reconciler.planning.status.workloads import (
    departed_statuses,
    deployment_status,
    node_statuses,
    service_status,
)
from reconciler.planning.workload import availability_of
from reconciler.planning.world import World


class Standing(Struct, frozen=True):
    statuses: Mapping[Ref, Status]
    incomplete: frozenset[Ref]
    """The Deployments and Pods that are not as wanted."""
    due: tuple[tuple[Ref, float], ...]
    """When a pod that is ready now will count as available, and the Deployment it is of."""


class Standpoint(Struct, frozen=True):
    """What the statuses of all objects follow from."""

    world: World
    decided: Decided
    progress: Progress
    records: Records
    endpoints: Mapping[Ref, Sequence[Endpoint]]


def standing_of(at: Standpoint) -> Standing:
    """Tell how every object stands."""
    world, decided, progress = at.world, at.decided, at.progress
    desired, nodes, pods, owned = world.desired, world.nodes, decided.pods, decided.owned
    unplaced, done, memory = decided.placement.unplaced, world.done, world.memory
    statuses: dict[Ref, Status] = {}
    statuses.update(node_statuses(nodes, (pod.intent for pod in pods.values())))
    statuses.update(departed_statuses(memory.nodes, nodes))
    statuses.update((intent.ref, done_status(intent)) for intent in done.values())
    statuses.update(pod_statuses(pods, unplaced, progress))
    incomplete: set[Ref] = set()
    due: list[tuple[Ref, float]] = []
    short: dict[Ref, list[Unplaced]] = {}
    for one in unplaced:
        short.setdefault(one.owner, []).append(one)
    for ref, deployment in desired.of(Deployment).items():
        mine = world.owned_by(ref, owned.get(ref, ()))
        availability = availability_of(world.rules.workloads[ref.kind], mine)
        status = deployment_status(
            ref,
            deployment.spec.replicas,
            mine.template.hash,
            mine.staying,
            availability,
            short.get(ref, ()),
            statuses,
        )
        statuses[ref] = status
        if not status.complete:
            incomplete.add(ref)
        if availability.wake_at is not None:
            due.append((ref, availability.wake_at))
    for ref in desired.of(Pod).keys() - world.done_owners:
        if not any(pod.ready or pod.finished for pod in owned.get(ref, ())):
            incomplete.add(ref)
    edges = edge_addresses(desired.nodes)
    for ref, service in desired.of(Service).items():
        statuses[ref] = service_status(service, at.records.services[ref], at.endpoints[ref], edges)
    for ref, ingress in desired.of(Ingress).items():
        statuses[ref] = ingress_status(ingress, edges, desired.of(Secret), memory.certificates)
    found = world.volumes if desired.of(PersistentVolumeClaim) else {}
    for ref in desired.of(PersistentVolumeClaim):
        statuses[ref] = claim_status(desired.cluster.metadata.name, ref, decided.claims.get(ref), nodes, found)
    return Standing(statuses, frozenset(incomplete), tuple(due))
