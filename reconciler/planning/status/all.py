"""How everything stands after this step, and whether anything is left to wait for."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress
from reconciler.model.edges import edge_addresses
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint, Status, Unplaced
from reconciler.planning.controllers.ingress import certificates_of, ingress_with_status
from reconciler.planning.decided import Decided
from reconciler.planning.memory import Records
from reconciler.planning.progress import Progress
from reconciler.planning.state.volume_binding import claim_with_status
from reconciler.planning.status.pods import done_pod, pod_statuses
from reconciler.planning.status.workloads import (
    departed_nodes,
    endpoints_of,
    nodes_with_status,
    service_with_status,
)
from reconciler.planning.workload import Standing, availability_of
from reconciler.planning.world import World


class ClusterStatus(Struct, frozen=True):
    statuses: Mapping[Ref, Status]
    incomplete: frozenset[Ref]
    """The objects with pods that are not as wanted."""
    due: tuple[tuple[Ref, float], ...]
    """When a pod that is ready now will count as available, and the object it is of."""


class Standpoint(Struct, frozen=True):
    """What the statuses of all objects follow from."""

    world: World
    decided: Decided
    progress: Progress
    records: Records
    endpoints: Mapping[Ref, Sequence[Endpoint]]


def cluster_status(at: Standpoint) -> ClusterStatus:
    """Every object with its status, and what is left to wait for."""
    world, decided, progress = at.world, at.decided, at.progress
    desired, nodes, pods, owned = world.desired, world.nodes, decided.pods, decided.owned
    unplaced, done, memory = decided.placement.unplaced, world.done, world.memory
    statuses: dict[Ref, Status] = {}
    statuses.update(nodes_with_status(nodes))
    statuses.update(departed_nodes(memory.nodes, nodes))
    statuses.update((intent.ref, done_pod(intent)) for intent in done.values())
    statuses.update(pod_statuses(desired, pods, unplaced, progress))
    incomplete: set[Ref] = set()
    due: list[tuple[Ref, float]] = []
    short: dict[Ref, list[Unplaced]] = {}
    for one in unplaced:
        short.setdefault(one.owner, []).append(one)
    for workload in world.rules.workloads.values():
        for ref in desired.of(workload.type):
            mine = world.owned_by(ref, owned.get(ref, ()))
            availability = availability_of(mine, workload.min_ready_seconds(mine.object))
            stands = workload.status(Standing(mine, availability, short.get(ref, ()), statuses))
            if stands.object is not None:
                statuses[ref] = stands.object
            if not stands.complete:
                incomplete.add(ref)
            if availability.wake_at is not None:
                due.append((ref, availability.wake_at))
    edges = edge_addresses(desired.nodes)
    for ref, service in desired.of(Service).items():
        statuses[ref] = service_with_status(service, at.records.services[ref], edges)
        if service.spec.type != "ExternalName":
            statuses[Ref("Endpoints", ref.namespace, ref.name)] = endpoints_of(service, at.endpoints[ref])
    for ref, ingress in desired.of(Ingress).items():
        statuses[ref] = ingress_with_status(ingress, edges)
        for certificate in certificates_of(ingress, desired.of(Secret), memory.certificates):
            statuses[ref_of(certificate)] = certificate
    found = world.volumes if desired.of(PersistentVolumeClaim) else {}
    for ref, claim in desired.of(PersistentVolumeClaim).items():
        statuses[ref] = claim_with_status(
            desired.cluster.metadata.name, claim, decided.claims.get(ref), nodes, found
        )
    return ClusterStatus(statuses, frozenset(incomplete), tuple(due))
