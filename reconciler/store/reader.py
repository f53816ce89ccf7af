"""Looking at a store from another process, as `reconciler get` does. It never writes."""

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace

from reconciler.model.desired import Revision, SourceSnapshot
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import Status
from reconciler.model.records import Event
from reconciler.store.encoding import decode_object, ref_of_key
from reconciler.store.ownership import Holder, holder_of
from reconciler.store.schema import (
    DATABASE_FILE,
    failing_as_store,
    open_for_reading,
    read_last_revision,
    read_rows,
)


class SqliteReader:
    """Implements `control.ports.StoreReader`."""

    def __init__(self, directory: Path, connection: sqlite3.Connection) -> None:
        self._directory = directory
        self._connection = connection

    def holder(self) -> Holder | None:
        """Who keeps this state up to date now; None: nobody, and what is shown is from `published_at`."""
        return holder_of(self._directory)

    def published_at(self) -> float | None:
        """Unix seconds of the last change of any status."""
        with self._failing():
            row = self._connection.execute("SELECT at FROM published").fetchone()
        return float(row[0]) if row else None

    def statuses(self) -> dict[Ref, Status]:
        """Return the published objects in the order of their references; the resourceVersion of each is the
        counter when it was written.
        """
        with self._failing():
            rows = self._connection.execute("SELECT ref, type, status, version FROM statuses").fetchall()
            found = {ref_of_key(key): _with_version(decode_object(*row), version) for key, *row, version in rows}
        return {ref: found[ref] for ref in sorted(found)}

    def events(self) -> tuple[Event, ...]:
        """The one seen last comes last."""
        with self._failing():
            rows = self._connection.execute(
                "SELECT about, type, reason, message, node, at, count FROM events ORDER BY turn"
            ).fetchall()
        return tuple(Event(ref_of_key(about), *rest) for about, *rest in rows)

    def memory(self) -> Memory:
        with self._failing():
            return read_rows(self._connection).memory

    def revision(self) -> Revision | None:
        """The last good revision."""
        with self._failing():
            row = self._connection.execute("SELECT id, origin, title FROM revision").fetchone()
        return Revision(*row) if row else None

    def last_revision(self) -> SourceSnapshot | None:
        """The same, with its files."""
        with self._failing():
            return read_last_revision(self._connection)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _failing(self) -> AbstractContextManager[None]:
        return failing_as_store(self._directory / DATABASE_FILE)


def open_reader(directory: str | Path) -> SqliteReader:
    """StoreFailed where there is no state, or one that this version cannot read."""
    return SqliteReader(Path(directory), open_for_reading(Path(directory)))


def _with_version(thing: Status, version: int) -> Status:
    fresh: Any = replace(thing, metadata=replace(thing.metadata, resource_version=str(version)))
    return fresh  # type: ignore[no-any-return]
