"""The memory a plan leaves: what did not change is the same object, so that the store writes only what did."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import IngressRecord, Memory, NodeRecord, ServiceRecord
from reconciler.model.names import Ref
from reconciler.planning.controllers.ingress import ingress_records
from reconciler.planning.controllers.service import service_records
from reconciler.planning.decided import Decided
from reconciler.planning.progress import Progress
from reconciler.planning.scheduling.cycle import Placement
from reconciler.planning.state.completion import is_done_for_good
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.world import World

Key = TypeVar("Key")
Value = TypeVar("Value")


class Records(Struct, frozen=True):
    """What is chosen once for objects other than pods, and remembered."""

    services: Mapping[Ref, ServiceRecord]
    ingresses: Mapping[Ref, IngressRecord]


def records_of(world: World) -> Records:
    """Choose what Services and Ingresses of the revision have not been given yet."""
    nodes = world.nodes.values()
    return Records(
        service_records(world.desired, world.memory, nodes), ingress_records(world.desired, world.memory, nodes)
    )


def remember(world: World, decided: Decided, records: Records, progress: Progress) -> Memory:
    """Return what is to be remembered: the memory given, itself, where that is nothing new."""
    desired, memory = world.desired, world.memory
    incarnations = memory.incarnations
    if decided.placement.incarnations:
        incarnations = {**incarnations, **decided.placement.incarnations}
    planned = memory.revision == desired.revision.id
    after = Memory(
        pods=_kept(memory.pods, decided.intents),
        nodes=_records(memory, world.nodes, decided.placement),
        services=records.services,
        ingresses=records.ingresses,
        claims=decided.claims,
        accounts=memory.accounts,
        certificates=memory.certificates,
        runs=progress.runs,
        incarnations=incarnations,
        template_revisions=decided.revisions,
        applied=memory.applied if planned else desired.manifests,
        revision=memory.revision if planned else desired.revision.id,
        backoffs=progress.backoffs,
        ready_since=progress.ready_since,
        leaving=progress.leaving,
        orders=memory.orders,
        crashes=progress.crashes,
        failures=progress.failures,
        started=progress.started,
    )
    fields = Memory.__struct_fields__
    same = all(getattr(after, field) is getattr(memory, field) for field in fields)
    return memory if same else after


def without_node(memory: Memory, name: str) -> Memory:
    """For a node that was emptied, or is gone: its engine, its pod CIDR and its pods are chosen anew.

    Of a bare pod that ran to its end it stays known that it did. Claims whose data is there are found again by
    their volumes, which a reset leaves: on that node, or where they were copied to.
    """
    return replace(
        memory,
        claims={ref: record for ref, record in memory.claims.items() if record.node != name},
        nodes={known: record for known, record in memory.nodes.items() if known != name},
        pods={
            uid: intent for uid, intent in memory.pods.items() if intent.node != name or is_done_for_good(intent)
        },
    )


def _records(memory: Memory, nodes: Mapping[str, NodeView], placement: Placement) -> Mapping[str, NodeRecord]:
    """A node that a revision no longer has is remembered all the same: it may come back."""
    records = {name: placement.records.get(name, node.record) for name, node in nodes.items()}
    return _kept(memory.nodes, {**memory.nodes, **records})


def _kept(before: Mapping[Key, Value], after: Mapping[Key, Value]) -> Mapping[Key, Value]:
    """The mapping before, where every value after is the same object."""
    if len(before) == len(after) and all(before.get(key) is value for key, value in after.items()):
        return before
    return after
