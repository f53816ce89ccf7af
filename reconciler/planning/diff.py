"""The differences between the revision last planned and this one, object by object and field by field."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from reconciler.model.desired import Desired, Json
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import FieldChange, ObjectChange
from reconciler.model.problems import Place
from reconciler.planning.workload import Workloads

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_BY_KEY = frozenset({"ConfigMap", "Secret"})
_DATA = ("data", "stringData", "binaryData")
_SECRET_FIELDS = frozenset({"data", "stringData"})


def differences(desired: Desired, memory: Memory, workloads: Workloads) -> tuple[ObjectChange, ...]:
    """Return what differs, in the order of the references. A revision already planned differs in nothing."""
    before, after = memory.applied, desired.manifests
    if after is before or memory.revision == desired.revision.id:
        return ()
    changes = []
    for ref in sorted({*before, *after}):
        workload = workloads.get(ref.kind)
        replaced_for = workload.replaced_for if workload is not None else ()
        change = _difference(ref, before.get(ref), after.get(ref), desired.places.get(ref), replaced_for)
        if change is not None:
            changes.append(change)
    return tuple(changes)


def _difference(
    ref: Ref, before: Json | None, after: Json | None, place: Place | None, replaced_for: Collection[str]
) -> ObjectChange | None:
    if before is None:
        return ObjectChange("+", ref, place=place)
    if after is None:
        return ObjectChange("-", ref)
    if ref.kind in _BY_KEY:
        before, after = _with_keys(before, after), _with_keys(after, before)
    fields = tuple(_mask(ref, change) for change in _fields("", before, after))
    if not fields:
        return None
    made_anew = any(change.path.partition(".")[0] in replaced_for for change in fields)
    return ObjectChange("-/+" if made_anew else "~", ref, fields, place)


def _with_keys(manifest: Json, other: Json) -> Json:
    """With an empty part where only the other has it, so that its keys are told of one by one."""
    return {**{part: {} for part in _DATA if isinstance(other.get(part), dict)}, **manifest}


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


def _mask(ref: Ref, change: FieldChange) -> FieldChange:
    """Even a fingerprint of a value is nobody's business: that it changed is all a report needs."""
    top = re.split(r"[.\[]", change.path, maxsplit=1)[0]
    if ref.kind == "Secret" and top in _SECRET_FIELDS:
        return FieldChange(change.path, None, None, secret=True)
    return change
