"""Memory as rows: which ones differ between two memories, and the way back.

The volatile parts (back-offs, crashes, since when a pod is ready or leaving) have no rows: a restart forgets them.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from reconciler.model.desired import Revision, Snapshot, SourceFile
from reconciler.model.memory import Memory
from reconciler.store.encoding import (
    decode_account,
    decode_certificate,
    decode_claim,
    decode_ingress,
    decode_intent,
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

Row: TypeAlias = tuple[str, str, str]
"""part, key, value"""
RowKey: TypeAlias = tuple[str, str]


class _Part(NamedTuple):
    entries: Callable[[Memory], Mapping[Any, Any]]
    key: Callable[[Any], str]
    key_back: Callable[[str], Any]
    value_back: Callable[[str], Any]
    value: Callable[[Any], str] = encode


_PARTS: Mapping[str, _Part] = {
    "pods": _Part(lambda memory: memory.pods, str, str, decode_intent),
    "nodes": _Part(lambda memory: memory.nodes, str, str, decode_node),
    "services": _Part(lambda memory: memory.services, key_of, ref_of_key, decode_service),
    "ingresses": _Part(lambda memory: memory.ingresses, key_of, ref_of_key, decode_ingress),
    "claims": _Part(lambda memory: memory.claims, key_of, ref_of_key, decode_claim),
    "accounts": _Part(lambda memory: memory.accounts, str, str, decode_account, encode_revealed),
    "certificates": _Part(
        lambda memory: memory.certificates, key_of, ref_of_key, decode_certificate, encode_revealed
    ),
    "runs": _Part(lambda memory: memory.runs, str, str, decode_runs),
    "incarnations": _Part(lambda memory: memory.incarnations, key_of, ref_of_key, decode_number),
    "applied": _Part(lambda memory: memory.applied, key_of, ref_of_key, decode_manifest),
    "revision": _Part(lambda memory: {"": memory.revision}, str, str, decode_text),
}
"""The names are those of Memory's fields, and of the column `part`."""


def changed_rows(before: Memory, after: Memory) -> tuple[list[Row], list[RowKey]]:
    """What to write and what to delete to get from one to the other."""
    written: list[Row] = []
    removed: list[RowKey] = []
    for name, part in _PARTS.items():
        old, new = part.entries(before), part.entries(after)
        if old is new:
            continue
        for key, value in new.items():
            known = old.get(key)
            if known is not value and known != value:
                written.append((name, part.key(key), part.value(value)))
        removed += [(name, part.key(key)) for key in old.keys() - new.keys()]
    return written, removed


def read_memory(connection: sqlite3.Connection) -> Memory:
    parts: dict[str, dict[Any, Any]] = {name: {} for name in _PARTS}
    for name, key, value in connection.execute("SELECT part, key, value FROM memory"):
        part = _PARTS[name]
        parts[name][part.key_back(key)] = part.value_back(value)
    revision = parts.pop("revision").get("", "")
    return Memory(**parts, revision=revision)


def read_last_revision(connection: sqlite3.Connection) -> Snapshot | None:
    row = connection.execute("SELECT id, origin, title FROM revision").fetchone()
    files = connection.execute("SELECT path, digest, content FROM revision_files ORDER BY path")
    return Snapshot(Revision(*row), tuple(SourceFile(*file) for file in files)) if row else None
