"""How a database of an earlier version is brought up to date; a migration that was released is never edited."""

import sqlite3
from collections.abc import Callable
from typing import Any, Final

import msgspec

from reconciler.model.memory import PodIntent
from reconciler.model.moments import rfc3339
from reconciler.store.encoding import PUBLISHED_TYPES, decoder, encode, ref_of_key
from reconciler.store.templates import TEMPLATES, encode_intent, template_of

_TYPES: Final = {
    "PodStatus": "Pod",
    "ServiceStatus": "Service",
    "IngressStatus": "Ingress",
}
"""Kinds by the types of the statuses that, until version 3, said when their objects were published first."""


def move_specs_apart(connection: sqlite3.Connection) -> None:
    """Until version 2 each pod's row had the spec of its template in it."""
    decode = decoder(PodIntent).decode
    rows = connection.execute("SELECT key, value FROM memory WHERE part = 'pods'").fetchall()
    intents = {key: decode(value) for key, value in rows}
    specs = {template_of(intent.spec): intent.spec for intent in intents.values() if intent.spec is not None}
    put = "INSERT OR REPLACE INTO memory VALUES (?, ?, ?)"
    connection.executemany(put, ((TEMPLATES, digest, encode(spec)) for digest, spec in specs.items()))
    connection.executemany(put, (("pods", key, encode_intent(intent)) for key, intent in intents.items()))


def make_objects_of_statuses(connection: sqlite3.Connection) -> None:
    """Until version 3 statuses were texts for people. What only they knew stays: when objects were published
    first, and since when each condition of a pod has been as it is. The rest is in the next plan."""
    rows = connection.execute("SELECT ref, type, status FROM statuses").fetchall()
    connection.execute("DELETE FROM statuses")
    connection.execute("ALTER TABLE statuses ADD COLUMN version INTEGER NOT NULL DEFAULT 1")
    connection.execute("ALTER TABLE published ADD COLUMN version INTEGER NOT NULL DEFAULT 1")
    objects = [
        (key, kind, encode(msgspec.convert(_object_of(key, msgspec.json.decode(status)), PUBLISHED_TYPES[kind])))
        for key, type_name, status in rows
        if (kind := _TYPES.get(type_name)) is not None
    ]
    connection.executemany("INSERT INTO statuses VALUES (?, ?, ?, 1)", objects)


def _object_of(key: str, status: dict[str, Any]) -> dict[str, Any]:
    ref = ref_of_key(key)
    metadata = {
        "name": ref.name,
        "namespace": ref.namespace,
        "creationTimestamp": rfc3339(status.get("created", 0.0)),
    }
    if ref.kind != "Pod":
        return {"metadata": metadata, "spec": {}}
    conditions = [
        {
            "type": one["type"],
            "status": "True" if one["status"] else "False",
            "lastTransitionTime": rfc3339(one.get("since", 0.0)),
        }
        for one in status.get("conditions", ())
    ]
    return {
        "metadata": {**metadata, "uid": status["uid"]},
        "spec": {"containers": [], "nodeName": status["node"]},
        "status": {"phase": "Unknown", "qosClass": status["qos"], "conditions": conditions},
    }


MIGRATIONS: Final[tuple[str | Callable[[sqlite3.Connection], None], ...]] = (
    """
    CREATE TABLE memory (
        part TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (part, key)
    ) WITHOUT ROWID;
    CREATE TABLE statuses (ref TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE published (only INTEGER PRIMARY KEY CHECK (only = 1), at REAL NOT NULL);
    CREATE TABLE events (
        about TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, type TEXT NOT NULL,
        node TEXT NOT NULL, at REAL NOT NULL, count INTEGER NOT NULL, turn INTEGER NOT NULL,
        PRIMARY KEY (about, reason, message)
    );
    CREATE INDEX events_by_turn ON events (turn);
    CREATE TABLE revision (
        only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, origin TEXT NOT NULL, title TEXT NOT NULL
    );
    CREATE TABLE revision_files (path TEXT PRIMARY KEY, digest TEXT NOT NULL, content BLOB NOT NULL);
    """,
    """
    CREATE TABLE identity (only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL);
    INSERT INTO identity VALUES (1, lower(hex(randomblob(16))));
    """,
    move_specs_apart,
    make_objects_of_statuses,
    """
    -- From version 5 on there are rows of the templates that each Deployment has had. The next plan makes them
    -- from the pods; a version that does not know them must not open the state.
    """,
)
"""Migration n brings a database from version n to n + 1."""
