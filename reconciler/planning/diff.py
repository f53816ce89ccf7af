"""The differences between the revision last planned and this one, object by object and field by field."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from reconciler.model.desired import Desired, Json
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import FieldChange, ObjectChange
from reconciler.model.problems import Place

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Comparison(Struct, frozen=True):
    """How the changes of objects of one kind are told, by the names of parts of their manifests."""

    replaced_for: tuple[str, ...] = ()
    """An object is replaced for a change of these, with the pods it has, instead of changed in place."""
    by_key: tuple[str, ...] = ()
    """Each key of these is told of by itself, also where the part comes or goes as a whole."""
    confidential: tuple[str, ...] = ()
    """The parts whose values are never shown: it is told only that they changed."""


Comparisons: TypeAlias = Mapping[str, Comparison]
"""How the changes of each kind are told that differs from the others in it, by the kind's name."""
_PLAIN: Final = Comparison()


def differences(desired: Desired, memory: Memory, comparisons: Comparisons) -> tuple[ObjectChange, ...]:
    """Return what differs, in the order of the references. A revision already planned differs in nothing."""
    before, after = memory.applied, desired.manifests
    if after is before or memory.revision == desired.revision.id:
        return ()
    changes = []
    for ref in sorted(ref for ref in {**before, **after} if before.get(ref) is not after.get(ref)):
        how = comparisons.get(ref.kind, _PLAIN)
        change = _difference(ref, before.get(ref), after.get(ref), desired.places.get(ref), how)
        if change is not None:
            changes.append(change)
    return tuple(changes)


def _difference(
    ref: Ref, before: Json | None, after: Json | None, place: Place | None, how: Comparison
) -> ObjectChange | None:
    if before is None:
        return ObjectChange("+", ref, place=place)
    if after is None:
        return ObjectChange("-", ref)
    before, after = _with_keys(before, after, how), _with_keys(after, before, how)
    fields = tuple(_mask(change, how) for change in _fields("", before, after))
    if not fields:
        return None
    made_anew = any(_part(change) in how.replaced_for for change in fields)
    return ObjectChange("-/+" if made_anew else "~", ref, fields, place)


def _with_keys(manifest: Json, other: Json, how: Comparison) -> Json:
    """With an empty part where only the other has it, so that its keys are told of one by one."""
    return {**{part: {} for part in how.by_key if isinstance(other.get(part), dict)}, **manifest}


def _fields(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _fields(_under(path, key), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _fields(f"{path}[{index}]", _item(before, index), _item(after, index))
    elif type(before) is not type(after) or before != after:
        yield FieldChange(path, before, after)


def _under(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _mask(change: FieldChange, how: Comparison) -> FieldChange:
    """Even a fingerprint of a value is nobody's business: that it changed is all a report needs."""
    if _part(change) in how.confidential:
        return FieldChange(change.path, None, None, secret=True)
    return change


def _part(change: FieldChange) -> str:
    """The part of the manifest that a change is in."""
    return re.split(r"[.\[]", change.path, maxsplit=1)[0]
