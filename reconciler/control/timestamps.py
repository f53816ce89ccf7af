"""What objects are given where they are published, as a plan knows no clock: times, uids and generations. Pure.

Rule: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
"""

import hashlib
from collections import ChainMap
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from msgspec.structs import replace

from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import Condition, ManifestMetadata
from reconciler.model.moments import rfc3339
from reconciler.model.names import Ref
from reconciler.model.plan import Status

NOTHING_PLANNED: Mapping[Ref, Status] = {}


def with_timestamps(
    before: Mapping[Ref, Status],
    after: Mapping[Ref, Status],
    at: float,
    planned: Mapping[Ref, Status] = NOTHING_PLANNED,
) -> dict[Ref, Status]:
    """`after` with what `before` was given, for what has not changed since, and `at` (Unix seconds) for what has.

    An object that comes, or comes again, gets a uid of its own; the generation counts its specs. `planned` are the
    objects that `before` was made from, where they are at hand: comparing is quicker. An unchanged object is the
    very one of `before`: the store writes only the others.
    """
    found = {
        ref: known
        if (known := before.get(ref)) is not None and planned.get(ref) == thing
        else _given(ref, known, thing, at)
        for ref, thing in after.items()
    }
    owned = [
        ref for ref, thing in found.items() if thing is not before.get(ref) and thing.metadata.owner_references
    ]
    for ref in owned:
        known = before.get(ref)
        thing = _with_owners(found[ref], known, found)
        found[ref] = known if known is not None and known == thing else thing
    return found


def with_changes(
    before: Mapping[Ref, Status], after: Mapping[Ref, Status], changed: Collection[Ref], at: float
) -> Mapping[Ref, Status]:
    """Return what `with_timestamps` does, where no other object than those of `changed` differs.

    It is `before` itself where none of them does."""
    given = {ref: _given(ref, before.get(ref), after[ref], at) for ref in changed if ref in after}
    found = ChainMap(given, cast("dict[Ref, Status]", before))
    for ref, thing in list(given.items()):
        if thing is not before.get(ref) and thing.metadata.owner_references:
            known = before.get(ref)
            owned = _with_owners(thing, known, found)
            given[ref] = known if known is not None and known == owned else owned
    lost = [ref for ref in changed if ref not in after and ref in before]
    if not lost and all(before.get(ref) is one for ref, one in given.items()):
        return before
    published = {**before, **given}
    for ref in lost:
        del published[ref]
    return published


def _given(ref: Ref, before: Status | None, after: Status, at: float) -> Status:
    now = rfc3339(at)
    same = before is not None and after.metadata.uid in ("", before.metadata.uid)
    known = before if same else None
    created = min(now, after.metadata.creation_timestamp or now)
    if known is not None:
        created = known.metadata.creation_timestamp or created
    metadata = replace(
        after.metadata,
        uid=after.metadata.uid or (known.metadata.uid if known is not None else "") or _uid(ref, at),
        generation=_generation(known, after),
        creation_timestamp=created,
        deletion_timestamp=_deletion(known, after, at),
    )
    fresh: Any = replace(after, metadata=metadata)
    if hasattr(getattr(fresh, "status", None), "observed_generation"):
        fresh = replace(fresh, status=replace(fresh.status, observed_generation=metadata.generation))
    if isinstance(fresh, Pod) and fresh.spec.node_name:
        fresh = replace(fresh, status=replace(fresh.status, start_time=created))
    if conditions := _conditions(after):
        timed = _since(_conditions(known), conditions, now)
        fresh = replace(fresh, status=replace(fresh.status, conditions=timed))
    return before if before is not None and before == fresh else fresh


def _uid(ref: Ref, at: float) -> str:
    """In the form of a UUID of version 5 (a name's hash): no object of the name had it at another time."""
    digest = hashlib.sha256(f"{ref}\0{at!r}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def _generation(before: Status | None, after: Status) -> int:
    """0 for an object without a spec."""
    asked = _asked_for(after)
    if asked is None:
        return 0
    if before is None or not before.metadata.generation:
        return 1
    return before.metadata.generation + int(_asked_for(before) != asked)


def _asked_for(thing: Status) -> Any:
    """What counts generations: the spec, or what stands for it; None for an object of a kind that counts none."""
    if isinstance(thing, ManifestMetadata):
        return thing.digest if thing.counted else None
    return getattr(thing, "spec", None)


def _deletion(before: Status | None, after: Status, at: float) -> str:
    """When an object that is about to go is to be gone; empty for one that stays."""
    grace = after.metadata.deletion_grace_period_seconds
    if grace is None:
        return ""
    return (before.metadata.deletion_timestamp if before is not None else "") or rfc3339(at + grace)


def _with_owners(thing: Status, before: Status | None, objects: Mapping[Ref, Status]) -> Status:
    """With the uids of its owners; of one that is gone, with the uid that it had."""
    metadata = thing.metadata
    if not metadata.owner_references:
        return thing
    gone = (
        {(one.kind, one.name): one.uid for one in before.metadata.owner_references} if before is not None else {}
    )
    owners = tuple(
        replace(owner, uid=found.metadata.uid)
        if (found := objects.get(Ref(owner.kind, metadata.namespace, owner.name))) is not None
        else replace(owner, uid=gone.get((owner.kind, owner.name), ""))
        for owner in metadata.owner_references
    )
    fresh: Any = replace(thing, metadata=replace(metadata, owner_references=owners))
    return fresh  # type: ignore[no-any-return]


def _conditions(thing: Status | None) -> Sequence[Condition]:
    """Nothing for an object of a kind that has none."""
    found: Sequence[Condition] = getattr(getattr(thing, "status", None), "conditions", ())
    return found


def _since(before: Sequence[Condition], after: Sequence[Condition], now: str) -> tuple[Condition, ...]:
    """Each condition with the time of its last change of status."""
    known = {one.type: one for one in before}
    return tuple(
        replace(one, last_transition_time=earlier.last_transition_time)
        if (earlier := known.get(one.type)) is not None
        and earlier.status == one.status
        and earlier.last_transition_time
        else replace(one, last_transition_time=now)
        for one in after
    )
