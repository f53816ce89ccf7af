"""Memory as rows, whatever keeps them: which ones differ between two memories, and the way back.

A backend stores rows and knows no more of them than this module says: it applies a `Delta`, all or nothing, and
gives the rows back. The volatile parts (back-offs, crashes, since when a pod is ready or leaving) have no rows: a
restart forgets them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Uid
from reconciler.store.encoding import (
    decode_account,
    decode_certificate,
    decode_claim,
    decode_ingress,
    decode_manifest,
    decode_node,
    decode_number,
    decode_runs,
    decode_service,
    decode_text,
    encode,
    encode_revealed,
    key_of,
    ref_of_key,
)
from reconciler.store.templates import TEMPLATES, Templates, decode_pod, encode_intent, template_of

Row: TypeAlias = tuple[str, str, str]
"""part, key, value"""
RowKey: TypeAlias = tuple[str, str]


class Delta(Struct, frozen=True):
    """What takes the rows of one memory to those of the next."""

    written: tuple[Row, ...] = ()
    removed: tuple[RowKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


class RecordType(Struct, frozen=True):
    """How one part of the memory, a mapping, is written: each of its entries is a row."""

    part: str
    """The name of the field of Memory, and of the rows' part."""
    key: Callable[[Any], str]
    key_back: Callable[[str], Any]
    value_back: Callable[[str], Any]
    value: Callable[[Any], str] = encode
    by_pod: bool = False
    """Its keys are uids of pods."""


_PODS = "pods"
RECORDS: tuple[RecordType, ...] = (
    RecordType("nodes", str, str, decode_node),
    RecordType("services", key_of, ref_of_key, decode_service),
    RecordType("ingresses", key_of, ref_of_key, decode_ingress),
    RecordType("claims", key_of, ref_of_key, decode_claim),
    RecordType("accounts", str, str, decode_account, encode_revealed),
    RecordType("certificates", key_of, ref_of_key, decode_certificate, encode_revealed),
    RecordType("runs", str, str, decode_runs, by_pod=True),
    RecordType("incarnations", key_of, ref_of_key, decode_number),
    RecordType("applied", key_of, ref_of_key, decode_manifest),
)
"""Every part but the pods, whose rows name the row of their template, and the revision, which is one word."""


class MemoryRows:
    """The rows of the memory that a store has, and how they follow the next one.

    Not shared between threads. Where the rows could not be written, it is to be made anew from those that are."""

    def __init__(
        self,
        memory: Memory,
        templates: Mapping[Uid, str] | None = None,
        records: Iterable[RecordType] = RECORDS,
    ) -> None:
        """`templates`: the template's row that each pod's row names. Another version of us may have written it, so
        that its digest would be another one now; None: the rows are as they would be written now."""
        self.memory = memory
        self._records = tuple(records)
        if templates is None:
            templates = {uid: template_of(intent) for uid, intent in memory.pods.items()}
        self._templates = {uid: digest for uid, digest in templates.items() if digest}
        self._uses = Counter(self._templates.values())
        """How many pods are of each template."""

    def follow(self, after: Memory, uids: Collection[Uid] | None = None) -> Delta:
        """`uids`: no other pod differs; None: any may."""
        before, self.memory = self.memory, after
        written: list[Row] = []
        removed: list[RowKey] = []
        if before.revision != after.revision:
            written.append(("revision", "", encode(after.revision)))
        changes = list(_changes(before.pods, after.pods, uids))
        written += self._templates_begun(changes)
        removed += self._templates_ended(changes)
        for uid, _, intent in changes:
            if intent is None:
                removed.append((_PODS, uid))
            else:
                written.append((_PODS, uid, encode_intent(intent)))
        for record in self._records:
            old, new = getattr(before, record.part), getattr(after, record.part)
            for key, _, value in _changes(old, new, uids if record.by_pod else None):
                if value is None:
                    removed.append((record.part, record.key(key)))
                else:
                    written.append((record.part, record.key(key), record.value(value)))
        return Delta(tuple(written), tuple(removed))

    def _templates_begun(self, changes: Iterable[tuple[Uid, PodIntent | None, PodIntent | None]]) -> Iterator[Row]:
        for _, _, intent in changes:
            digest = template_of(intent)
            if digest and intent is not None:
                self._uses[digest] += 1
                if self._uses[digest] == 1:
                    yield TEMPLATES, digest, encode(intent.spec)

    def _templates_ended(
        self, changes: Iterable[tuple[Uid, PodIntent | None, PodIntent | None]]
    ) -> Iterator[RowKey]:
        for uid, _, intent in changes:
            if before := self._templates.pop(uid, ""):
                self._uses[before] -= 1
                if not self._uses[before]:
                    del self._uses[before]
                    yield TEMPLATES, before
            if after := template_of(intent):
                self._templates[uid] = after


def changed_rows(before: Memory, after: Memory) -> Delta:
    """What to write and what to delete to get from one to the other."""
    return MemoryRows(before).follow(after)


def rows_of(stored: Iterable[Row], records: Sequence[RecordType] = RECORDS) -> MemoryRows:
    """Read what `MemoryRows` has written. KeyError and ValueError where a row is none of ours."""
    known = {record.part: record for record in records}
    parts: dict[str, dict[Any, Any]] = {part: {} for part in known}
    templates, pods, revision = Templates(), {}, ""
    for part, key, value in stored:
        if part == TEMPLATES:
            templates.put(key, value)
        elif part == _PODS:
            pods[key] = value
        elif part == "revision":
            revision = decode_text(value)
        else:
            record = known[part]
            parts[part][record.key_back(key)] = record.value_back(value)
    rows = {uid: decode_pod(value) for uid, value in pods.items()}
    intents = {uid: templates.intent_of(row) for uid, row in rows.items()}
    memory = Memory(pods=intents, revision=revision, **parts)
    return MemoryRows(memory, {uid: row.template for uid, row in rows.items()}, records)


def _changes(
    before: Mapping[Any, Any], after: Mapping[Any, Any], keys: Collection[Any] | None
) -> Iterator[tuple[Any, Any | None, Any | None]]:
    """Each key whose value differs, with the value before and after; None: there is none."""
    if before is after:
        return
    for key in after if keys is None else keys:
        old, new = before.get(key), after.get(key)
        if old is not new and old != new:
            yield key, old, new
    if keys is None and (len(before) != len(after) or before.keys() != after.keys()):
        yield from ((key, before[key], None) for key in before.keys() - after.keys())
