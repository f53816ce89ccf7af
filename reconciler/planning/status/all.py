"""How everything stands after this step, and whether anything is left to wait for."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import Ingress
from reconciler.model.desired import Desired
from reconciler.model.edges import edge_addresses
from reconciler.model.memory import ClaimRecord, Memory, PodIntent, ServiceRecord
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Endpoint, Status, Unplaced
from reconciler.planning.controllers.deployment import availability_of
from reconciler.planning.controllers.ingress import ingress_status
from reconciler.planning.kubelet.sync import Clocks
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.volume_binding import claim_status, volumes_found
from reconciler.planning.status.pods import done_status, pod_statuses
from reconciler.planning.status.workloads import (
    departed_statuses,
    deployment_status,
    node_statuses,
    service_status,
)


class Standing(Struct, frozen=True):
    statuses: Mapping[Ref, Status]
    incomplete: frozenset[Ref]
    """The Deployments and Pods that are not as wanted."""
    due: tuple[tuple[Ref, float], ...]
    """When a pod that is ready now will count as available, and the Deployment it is of."""


def standing_of(
    desired: Desired,
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodView],
    owned: Mapping[Ref, Sequence[PodView]],
    unplaced: Sequence[Unplaced],
    done: Mapping[Uid, PodIntent],
    services: Mapping[Ref, ServiceRecord],
    claims: Mapping[Ref, ClaimRecord],
    endpoints: Mapping[Ref, Sequence[Endpoint]],
    memory: Memory,
    clocks: Clocks,
) -> Standing:
    statuses: dict[Ref, Status] = {}
    statuses.update(node_statuses(nodes, (pod.intent for pod in pods.values())))
    statuses.update(departed_statuses(memory.nodes, nodes))
    statuses.update((intent.ref, done_status(intent)) for intent in done.values())
    statuses.update(pod_statuses(pods, unplaced, clocks))
    incomplete: set[Ref] = set()
    due: list[tuple[Ref, float]] = []
    short: dict[Ref, list[Unplaced]] = {}
    for one in unplaced:
        short.setdefault(one.owner, []).append(one)
    for ref, deployment in desired.of(Deployment).items():
        staying = [pod for pod in owned.get(ref, ()) if pod.intent.wanted == "run"]
        template_hash = desired.template_hashes[ref]
        availability = availability_of(deployment, template_hash, staying, clocks.ready_since, clocks.now)
        mine = short.get(ref, ())
        status = deployment_status(
            ref, deployment.spec.replicas, template_hash, staying, availability, mine, statuses
        )
        statuses[ref] = status
        if not status.complete:
            incomplete.add(ref)
        if availability.wake_at is not None:
            due.append((ref, availability.wake_at))
    ended = {intent.ref for intent in done.values()}
    for ref in desired.of(Pod).keys() - ended:
        if not any(pod.ready or pod.finished for pod in owned.get(ref, ())):
            incomplete.add(ref)
    edges = edge_addresses(desired.nodes)
    for ref, service in desired.of(Service).items():
        statuses[ref] = service_status(service, services[ref], endpoints[ref], edges)
    for ref, ingress in desired.of(Ingress).items():
        statuses[ref] = ingress_status(ingress, edges, desired.of(Secret), memory.certificates)
    found = volumes_found(nodes) if desired.of(PersistentVolumeClaim) else {}
    for ref in desired.of(PersistentVolumeClaim):
        statuses[ref] = claim_status(desired.cluster.metadata.name, ref, claims.get(ref), nodes, found)
    return Standing(statuses, frozenset(incomplete), tuple(due))
