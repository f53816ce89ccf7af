"""The store of a single master: one SQLite file in a state directory. Implements `control.ports.Store`.

Saved memory and the kept revision are on the disk when the call returns (`synchronous = FULL`), because an
operation may follow at once. Statuses and events are only for people: they survive a killed process, and the last
of them may be missing after a power cut.
"""

import hashlib
import os
import socket
import stat
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Self

from msgspec import MsgspecError

from reconciler.model.desired import SourceSnapshot
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Status
from reconciler.model.records import Event
from reconciler.store.encoding import decode_object, encode, key_of, ref_of_key
from reconciler.store.errors import StateLost, StoreFailed
from reconciler.store.files import WatchedFiles
from reconciler.store.ownership import Ownership
from reconciler.store.rows import Delta, MemoryRows
from reconciler.store.schema import (
    DATABASE_FILE,
    failing_as_store,
    open_for_writing,
    read_last_revision,
    read_rows,
)

EVENT_LIMIT = 1000
"""How many different events are kept; the ones not seen for longest go first."""


class SqliteStore:
    """`directory` is made where missing, for this user alone.

    Every method raises StoreFailed, and changes nothing, where the disk or the file does not play along;
    the constructor raises StoreLocked, naming the holder, where another process writes to this directory.
    """

    def __init__(self, directory: str | Path) -> None:
        self._path = Path(directory) / DATABASE_FILE
        self._lock = threading.Lock()
        _make_private(Path(directory))
        self._ownership = Ownership(Path(directory))
        try:
            self._connection = open_for_writing(Path(directory))
            self._files = WatchedFiles(self._path)
            self._identity = self._read_identity()
            self._lost: StateLost | None = None
        except BaseException:
            self._ownership.release()
            raise
        self._rows: MemoryRows | None = None
        self._statuses: Mapping[Ref, Status] | None = None
        self._kept: dict[str, str] | None = None
        # What the database is known to hold (of the kept files: their digests); None: not known, after a failure.

    @property
    def identity(self) -> str:
        """Identify this database where it is: a copy of it, or one restored from a backup, is another."""
        return self._identity

    def check(self) -> None:
        """StateLost where the files at their paths are not ours any more, or somebody else has written to them."""
        with self._lock:
            self._check()

    def load(self) -> Memory:
        with self._lock:
            return self._stored().memory

    def save(self, memory: Memory, pods: Collection[Uid] | None = None) -> None:
        with self._lock:
            rows, self._rows = self._stored(), None
            delta = rows.follow(memory, pods)
            self._check()
            if delta:
                self._apply(delta)
            self._rows = rows

    def publish(self, statuses: Mapping[Ref, Status], changed: Collection[Ref] | None = None) -> None:
        with self._lock:
            if self._statuses is None:
                self._check()
                self._statuses = self._read_published()
            before = self._statuses or {}
            looked_at = statuses if changed is None or self._statuses is None else changed
            written = [
                (key_of(ref), type(status).__name__, encode(status))
                for ref in looked_at
                if (status := statuses.get(ref)) is not None
                and (known := before.get(ref)) is not status
                and known != status
            ]
            gone = (
                [ref for ref in changed if ref in before and ref not in statuses]
                if changed is not None
                else before.keys() - statuses.keys()
            )
            removed = [(key_of(ref),) for ref in gone]
            if written or removed or self._statuses is None:
                replaces_all, self._statuses = self._statuses is None, None
                with self._transaction(durable=False) as connection:
                    if replaces_all:
                        connection.execute("DELETE FROM statuses")
                    version = _next_version(connection)
                    connection.executemany(f"INSERT OR REPLACE INTO statuses VALUES (?, ?, ?, {version})", written)
                    connection.executemany("DELETE FROM statuses WHERE ref = ?", removed)
            self._statuses = statuses

    def published(self) -> Mapping[Ref, Status]:
        with self._lock:
            return self._read_published() or {}

    def record(self, events: Sequence[Event]) -> None:
        rows = [
            (key_of(event.about), event.reason, event.message, event.type, event.node, event.at, event.count)
            for event in events
        ]
        if not rows:
            return
        with self._lock, self._transaction(durable=False) as connection:
            connection.executemany(
                """INSERT INTO events (about, reason, message, type, node, at, count, turn)
                   VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(turn), 0) + 1 FROM events))
                   ON CONFLICT DO UPDATE SET type = excluded.type, node = excluded.node, at = excluded.at,
                                             count = count + excluded.count, turn = excluded.turn""",
                rows,
            )
            connection.execute(
                "DELETE FROM events WHERE turn <= (SELECT turn FROM events ORDER BY turn DESC LIMIT 1 OFFSET ?)",
                (EVENT_LIMIT,),
            )

    def keep_revision(self, snapshot: SourceSnapshot) -> None:
        with self._lock:
            before = self._kept_digests()
            files = {file.path: file.digest for file in snapshot.files}
            written = [
                (file.path, file.digest, file.content)
                for file in snapshot.files
                if before.get(file.path) != file.digest
            ]
            removed = [(path,) for path in before.keys() - files.keys()]
            revision = snapshot.revision
            self._kept = None
            with self._transaction(durable=True) as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO revision VALUES (1, ?, ?, ?)",
                    (revision.id, revision.origin, revision.title),
                )
                connection.executemany("INSERT OR REPLACE INTO revision_files VALUES (?, ?, ?)", written)
                connection.executemany("DELETE FROM revision_files WHERE path = ?", removed)
            self._kept = files

    def last_revision(self) -> SourceSnapshot | None:
        with self._lock, failing_as_store(self._path):
            return read_last_revision(self._connection)

    def close(self) -> None:
        """May be called again."""
        with self._lock:
            self._connection.close()
            self._ownership.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        try:
            self._ownership.check()
            self._files.check()
        except StateLost as lost:
            # A directory is removed file by file: what was seen first is what is said.
            self._lost = self._lost or lost
            raise self._lost.with_traceback(None) from None
        self._lost = None

    def _read_identity(self) -> str:
        with failing_as_store(self._path):
            row = self._connection.execute("SELECT id FROM identity").fetchone()
        where = f"{row[0] if row else ''} {_machine()} {self._files.inode}"
        return hashlib.sha256(where.encode()).hexdigest()[:16]

    def _read_published(self) -> Mapping[Ref, Status] | None:
        """None where there is something that another version wrote: all of it is written anew then."""
        with failing_as_store(self._path):
            rows = self._connection.execute("SELECT ref, type, status FROM statuses").fetchall()
        with suppress(MsgspecError, KeyError, ValueError):
            return {ref_of_key(key): decode_object(kind, payload) for key, kind, payload in rows}
        return None

    def _stored(self) -> MemoryRows:
        if self._rows is None:
            with failing_as_store(self._path):
                self._rows = read_rows(self._connection)
        return self._rows

    def _apply(self, delta: Delta) -> None:
        with self._transaction(durable=True) as connection:
            connection.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?, ?)", delta.written)
            connection.executemany("DELETE FROM memory WHERE part = ? AND key = ?", delta.removed)

    def _kept_digests(self) -> dict[str, str]:
        if self._kept is None:
            with failing_as_store(self._path):
                self._kept = dict(self._connection.execute("SELECT path, digest FROM revision_files"))
        return self._kept

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[Connection]:
        """All or nothing, also for a process that is killed; `durable`: for a machine that loses power too."""
        connection = self._connection
        self._check()
        with failing_as_store(self._path):
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
                self._files.note()
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _machine() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip() or socket.gethostname()
    except OSError:
        return socket.gethostname()


def _make_private(directory: Path) -> None:
    """The state holds manifests and their Secrets: nobody else may read it, let alone put a file there."""
    with failing_as_store(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StoreFailed(
                str(directory),
                "other users may write to the state directory",
                f"make it this user's own: chown and chmod 700 {directory}",
            )


def _next_version(connection: Connection) -> int:
    """The counter that every write of published objects raises; its value is the rows' resourceVersion."""
    (version,) = connection.execute(
        """INSERT INTO published VALUES (1, ?, 1)
           ON CONFLICT DO UPDATE SET at = excluded.at, version = version + 1 RETURNING version""",
        (time.time(),),
    ).fetchone()
    return int(version)
