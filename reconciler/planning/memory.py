"""The memory a plan leaves: what did not change is the same object, so that the store writes only what did."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from reconciler.model.memory import Memory, NodeRecord
from reconciler.planning.decided import Decided
from reconciler.planning.progress import Progress
from reconciler.planning.scheduling.cycle import Placement
from reconciler.planning.state.completion import is_done_for_good
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.world import World

Key = TypeVar("Key")
Value = TypeVar("Value")


def remember(world: World, decided: Decided, recorded: Memory, progress: Progress) -> Memory:
    """Return what is to be remembered: the memory of the world, itself, where that is nothing new.

    `recorded` has what the controllers have given to objects.
    """
    desired, memory = world.desired, world.memory
    incarnations = memory.incarnations
    if decided.placement.incarnations:
        incarnations = {**incarnations, **decided.placement.incarnations}
    planned = memory.revision == desired.revision.id
    after = replace(
        recorded,
        pods=_kept(memory.pods, decided.intents),
        nodes=_records(memory, world.nodes, decided.placement),
        claims=decided.claims,
        runs=progress.runs,
        incarnations=incarnations,
        template_revisions=decided.revisions,
        applied=memory.applied if planned else desired.manifests,
        revision=memory.revision if planned else desired.revision.id,
        backoffs=progress.backoffs,
        ready_since=progress.ready_since,
        leaving=progress.leaving,
        crashes=progress.crashes,
        failures=progress.failures,
        started=progress.started,
    )
    fields = Memory.__struct_fields__
    same = all(getattr(after, field) is getattr(memory, field) for field in fields)
    return memory if same else after


def without_node(memory: Memory, name: str) -> Memory:
    """Return what is remembered after a node was emptied, or is gone: its engine, its pod CIDR and its pods are
    chosen anew.

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
    records = {name: node.record for name, node in nodes.items()}
    return _kept(memory.nodes, {**memory.nodes, **records, **placement.records})


def _kept(before: Mapping[Key, Value], after: Mapping[Key, Value]) -> Mapping[Key, Value]:
    """The mapping before, where every value after is the same object."""
    if len(before) == len(after) and all(before.get(key) is value for key, value in after.items()):
        return before
    return after
