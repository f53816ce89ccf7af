"""Memory as rows, whatever keeps them: which ones differ between two memories, and the way back.

A backend stores rows and knows no more of them than this module says: it applies a `Delta`, all or nothing, and
gives the rows back. The volatile parts (back-offs, crashes, since when a pod is ready or leaving) have no rows: a
restart forgets them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import Memory, TemplateRevision
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
from reconciler.store.templates import (
    TEMPLATES,
    PodRow,
    RevisionRow,
    Templates,
    decode_pod,
    decode_revisions,
    encode_intent,
    encode_revisions,
    template_of,
)

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


class TemplatedType(Struct, frozen=True):
    """How a part of the memory is written whose values have specs of pods: its rows name the rows of those."""

    part: str
    key: Callable[[Any], str]
    key_back: Callable[[str], Any]
    value: Callable[[Any], str]
    read: Callable[[str], Sequence[PodRow | RevisionRow]]
    """What a row has: the values of one entry without their specs, and the templates that they name."""
    value_back: Callable[[Sequence[Any], Templates], Any]
    specs: Callable[[Any], Iterable[PodSpec | None]]
    by_pod: bool = False
    """Its keys are uids of pods."""

    def templates_of(self, value: Any) -> tuple[str, ...]:
        """The digests of the specs that a value has, each once; nothing for None."""
        if value is None:
            return ()
        return tuple(dict.fromkeys(digest for spec in self.specs(value) if (digest := template_of(spec))))


def _revisions_back(rows: Sequence[RevisionRow], templates: Templates) -> tuple[TemplateRevision, ...]:
    return tuple(templates.revision_of(row) for row in rows)


TEMPLATED: tuple[TemplatedType, ...] = (
    TemplatedType(
        "pods",
        str,
        str,
        encode_intent,
        lambda text: (decode_pod(text),),
        lambda rows, templates: templates.intent_of(rows[0]),
        lambda intent: (intent.spec,),
        by_pod=True,
    ),
    TemplatedType(
        "template_revisions",
        key_of,
        ref_of_key,
        encode_revisions,
        decode_revisions,
        _revisions_back,
        lambda revisions: (one.spec for one in revisions),
    ),
)
"""The parts whose rows name the rows of templates."""
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
"""Every other part but the revision, which is one word."""


class MemoryRows:
    """The rows of the memory that a store has, and how they follow the next one.

    Not shared between threads. Where the rows could not be written, it is to be made anew from those that are."""

    def __init__(
        self,
        memory: Memory,
        templates: Mapping[RowKey, tuple[str, ...]] | None = None,
        records: Iterable[RecordType] = RECORDS,
    ) -> None:
        """`templates`: the rows of templates that each row names. Another version of us may have written it, so
        that its digests would be others now; None: the rows are as they would be written now."""
        self.memory = memory
        self._records = tuple(records)
        if templates is None:
            templates = {
                (part.part, part.key(key)): part.templates_of(value)
                for part in TEMPLATED
                for key, value in getattr(memory, part.part).items()
            }
        self._templates = {key: digests for key, digests in templates.items() if digests}
        self._uses = Counter(digest for digests in self._templates.values() for digest in digests)
        """How many rows name each template."""

    def follow(self, after: Memory, uids: Collection[Uid] | None = None) -> Delta:
        """`uids`: no other pod differs; None: any may."""
        before, self.memory = self.memory, after
        written: list[Row] = []
        removed: list[RowKey] = []
        if before.revision != after.revision:
            written.append(("revision", "", encode(after.revision)))
        changes = [
            (part, part.key(key), value)
            for part in TEMPLATED
            for key, _, value in _changes(
                getattr(before, part.part), getattr(after, part.part), uids if part.by_pod else None
            )
        ]
        written += self._templates_begun(changes)
        removed += self._templates_ended(changes)
        for part, key, value in changes:
            if value is None:
                removed.append((part.part, key))
            else:
                written.append((part.part, key, part.value(value)))
        for record in self._records:
            old, new = getattr(before, record.part), getattr(after, record.part)
            for key, _, value in _changes(old, new, uids if record.by_pod else None):
                if value is None:
                    removed.append((record.part, record.key(key)))
                else:
                    written.append((record.part, record.key(key), record.value(value)))
        return Delta(tuple(written), tuple(removed))

    def _templates_begun(self, changes: Iterable[tuple[TemplatedType, str, Any]]) -> Iterator[Row]:
        for part, _, value in changes:
            specs = {template_of(spec): spec for spec in part.specs(value)} if value is not None else {}
            for digest in part.templates_of(value):
                self._uses[digest] += 1
                if self._uses[digest] == 1:
                    yield TEMPLATES, digest, encode(specs[digest])

    def _templates_ended(self, changes: Iterable[tuple[TemplatedType, str, Any]]) -> Iterator[RowKey]:
        for part, key, value in changes:
            for before in self._templates.pop((part.part, key), ()):
                self._uses[before] -= 1
                if not self._uses[before]:
                    del self._uses[before]
                    yield TEMPLATES, before
            if after := part.templates_of(value):
                self._templates[part.part, key] = after


def rows_of(stored: Iterable[Row], records: Sequence[RecordType] = RECORDS) -> MemoryRows:
    """Read what `MemoryRows` has written. KeyError and ValueError where a row is none of ours."""
    known = {record.part: record for record in records}
    templated = {part.part: part for part in TEMPLATED}
    parts: dict[str, dict[Any, Any]] = {part: {} for part in (*known, *templated)}
    templates, texts, revision = Templates(), list[Row](), ""
    for part, key, value in stored:
        if part == TEMPLATES:
            templates.put(key, value)
        elif part in templated:
            texts.append((part, key, value))
        elif part == "revision":
            revision = decode_text(value)
        else:
            record = known[part]
            parts[part][record.key_back(key)] = record.value_back(value)
    named: dict[RowKey, tuple[str, ...]] = {}
    for part, key, value in texts:
        rows = templated[part].read(value)
        named[part, key] = tuple(dict.fromkeys(row.template for row in rows if row.template))
        parts[part][templated[part].key_back(key)] = templated[part].value_back(rows, templates)
    return MemoryRows(Memory(revision=revision, **parts), named, records)


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
