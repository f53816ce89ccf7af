"""What a change can reach: the pods, nodes and Services that have to be planned anew, and no others.

A pod is planned together with all pods of its owner; a Service's endpoints with all pods behind it. Where a change
may reach further than that, the whole is planned.
"""

from collections.abc import Collection, Hashable, Mapping
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import EndpointSlice, service_of
from reconciler.model.api.networking import Ingress, NetworkPolicy
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.planning.incremental.index import PodIndex
from reconciler.planning.state.pod_templates import PodTemplates
from reconciler.planning.state.volume_binding import claims_of
from reconciler.planning.workload import Workloads

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

BY_POD: Final = (
    "pods",
    "runs",
    "backoffs",
    "failures",
    "ready_since",
    "leaving",
    "crashes",
    "started",
)
"""The parts of the memory whose keys are uids."""
_MOST: Final = 0.5
"""Of all pods: beyond that it is quicker to plan the whole."""


class Reach(Struct, frozen=True):
    """What is planned anew."""

    owners: frozenset[Ref]
    """The objects that are planned anew, with all their pods."""
    pods: tuple[Uid, ...]
    """Their pods: those of one owner in the order in which they came."""
    uids: frozenset[Uid]
    """The pods, and what has a uid and is no pod any more."""
    services: frozenset[Ref]
    """The Services all of whose pods are among these."""
    beside: frozenset[Ref]
    """Other Services that select some of the pods: what they ask of these matters, and not their endpoints."""
    nodes: frozenset[str]
    claims: frozenset[Ref]
    """The claims of the pods, each with its data on a node: what is not bound yet, is bound in sight of all
    nodes."""


def reach_of(
    uids: Collection[Uid],
    owners: Collection[Ref],
    nodes: Collection[str],
    desired: Desired,
    memory: Memory,
    index: PodIndex,
    elsewhere: Mapping[Uid, Collection[str]],
    templates: PodTemplates,
) -> Reach | None:
    """Find what changes to these pods, owners and nodes can reach; None: everything.

    `elsewhere`: the nodes, other than its own, that have containers with a pod's uid.
    """
    core = {*owners, *(memory.pods[uid].workload for uid in uids if uid in memory.pods)}
    services = {service for owner in core for service in _services_of(owner, memory, index, templates)}
    every = core | {owner for service in services for owner in index.owners_behind(service)}
    pods = tuple(uid for owner in sorted(every) for uid in index.of_owner(owner))
    if len(pods) > max(100, _MOST * len(memory.pods)):
        return None
    intents = [memory.pods[uid] for uid in pods]
    claims = {claim for intent in intents for claim in claims_of(intent.namespace, intent.spec)}
    for owner in every:
        claims.update(*(claims_of(owner.namespace, one.spec) for one in templates.to_come(owner)))
    if not claims <= memory.claims.keys():
        return None
    if any(intent.wanted == "run" and not _is_wanted(intent.workload, desired) for intent in intents):
        return None
    found = {*nodes, *(intent.node for intent in intents)}
    found.update(*(elsewhere.get(uid, ()) for uid in (*pods, *uids)))
    wanted = desired.nodes
    if any(name not in wanted for name in found):
        return None
    beside = {service for intent in intents for service in index.services_of(intent)} - services
    return Reach(
        frozenset(every),
        pods,
        frozenset((*pods, *uids)),
        frozenset(services),
        frozenset(beside),
        frozenset(found),
        frozenset(claims),
    )


def cut_desired(desired: Desired, reach: Reach, workloads: Workloads) -> Desired:
    """The revision as if it had no other workloads and Services; what pods read is there, and every node."""
    services = reach.services | reach.beside
    slices = desired.of(EndpointSlice)
    return Desired(
        revision=desired.revision,
        objects={
            **desired.objects,
            **{one.type: _among(desired.of(one.type), sorted(reach.owners)) for one in workloads.values()},
            Service: _among(desired.of(Service), sorted(services)),
            EndpointSlice: {ref: one for ref, one in slices.items() if service_of(one) in reach.services},
            Ingress: {},
            NetworkPolicy: {},
            PersistentVolumeClaim: _among(desired.of(PersistentVolumeClaim), sorted(reach.claims)),
        },
        places=desired.places,
        templates=_among(desired.templates, reach.owners),
        digests=desired.digests,
        manifests=desired.manifests,
        owners=desired.owners,
    )


def cut_memory(memory: Memory, desired: Desired, reach: Reach) -> Memory:
    """What is remembered of them, as if this revision had been planned."""
    uids = (*reach.pods, *sorted(reach.uids.difference(reach.pods)))
    return replace(
        memory,
        **{part: _among(getattr(memory, part), uids) for part in BY_POD},
        nodes=_among(memory.nodes, sorted(reach.nodes)),
        services=_among(memory.services, sorted(reach.services | reach.beside)),
        incarnations=_among(memory.incarnations, sorted(reach.owners)),
        template_revisions=_among(memory.template_revisions, sorted(reach.owners)),
        ingresses={},
        claims=_among(memory.claims, sorted(reach.claims)),
        applied=desired.manifests,
        revision=desired.revision.id,
    )


def _services_of(owner: Ref, memory: Memory, index: PodIndex, templates: PodTemplates) -> Collection[Ref]:
    """Those that select one of its pods, or will select those to come."""
    found = {ref for uid in index.of_owner(owner) for ref in index.services_of(memory.pods[uid])}
    for template in templates.to_come(owner):
        found.update(index.services_of_labels(owner.namespace, template.labels))
    return found


def _is_wanted(owner: Ref, desired: Desired) -> bool:
    return owner in desired.templates


def _among(entries: Mapping[Key, Value], keys: Collection[Key]) -> dict[Key, Value]:
    return {key: entries[key] for key in keys if key in entries}
