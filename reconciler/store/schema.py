"""The tables, and opening a database: never one that is damaged, foreign, or written by a newer version."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from msgspec import MsgspecError

from reconciler.model.desired import Revision, SourceFile, SourceSnapshot
from reconciler.store.errors import StoreFailed
from reconciler.store.migrations import MIGRATIONS
from reconciler.store.rows import MemoryRows, rows_of

DATABASE_FILE = "state.db"
APPLICATION_ID: Final = 0x7265636F
"""SQLite's own mark of whose file it is: "reco"."""
BUSY_SECONDS = 5.0


def open_for_writing(directory: Path) -> sqlite3.Connection:
    """The caller owns the directory (see `ownership`)."""
    path = directory / DATABASE_FILE
    with failing_as_store(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection = _connect(path, "rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            _check(connection, path)
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(directory: Path) -> sqlite3.Connection:
    path = directory / DATABASE_FILE
    if not path.exists():
        raise StoreFailed(
            str(path), "there is no state here", "start `reconciler run` first, or name its state directory"
        )
    with failing_as_store(path):
        connection = _connect(path, "ro")
        try:
            if _version(connection) != len(MIGRATIONS):
                _refuse_version(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def read_rows(connection: sqlite3.Connection) -> MemoryRows:
    """Read the rows of the memory, as they are stored."""
    return rows_of(connection.execute("SELECT part, key, value FROM memory"))


def read_last_revision(connection: sqlite3.Connection) -> SourceSnapshot | None:
    row = connection.execute("SELECT id, origin, title FROM revision").fetchone()
    files = connection.execute("SELECT path, digest, content FROM revision_files ORDER BY path")
    return SourceSnapshot(Revision(*row), tuple(SourceFile(*file) for file in files)) if row else None


@contextmanager
def failing_as_store(path: Path) -> Iterator[None]:
    """Turn what SQLite and the kernel say into a StoreFailed that says how to go on."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreFailed(str(path), str(error), _fix(error)) from error
    except (MsgspecError, KeyError, ValueError) as error:
        raise StoreFailed(
            str(path), f"a row cannot be understood: {error}", "restore a backup, or move the file away"
        ) from error
    except OSError as error:
        raise StoreFailed(
            str(path), error.strerror or str(error), "make the state directory writable for this user"
        ) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner not in (0, APPLICATION_ID) or (owner == 0 and _tables(connection)):
        raise StoreFailed(str(path), "this database belongs to another program", "choose another state directory")
    if _version(connection) > len(MIGRATIONS):
        _refuse_version(connection, path)
    findings = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if findings != ["ok"]:
        raise sqlite3.DatabaseError(f"the database is damaged: {'; '.join(findings)}")


def _migrate(connection: sqlite3.Connection) -> None:
    for version in range(_version(connection), len(MIGRATIONS)):
        step = MIGRATIONS[version]
        done = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version + 1}; COMMIT;"
        if isinstance(step, str):
            connection.executescript(f"BEGIN IMMEDIATE; {step}{done}")
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        for statement in filter(None, done.split("; ")):
            connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _refuse_version(connection: sqlite3.Connection, path: Path) -> None:
    found = _version(connection)
    raise StoreFailed(
        str(path),
        f"the state has schema version {found}, this reconciler knows version {len(MIGRATIONS)}",
        "use the reconciler that wrote it, or a newer one"
        if found > len(MIGRATIONS)
        else "start `reconciler run` of this version once: it brings the state up to date",
    )


def _fix(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL") or "full" in str(error):
        return "free some disk space; running pods are not affected"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another program holds the database: close it"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "make the state directory and its files writable for this user"
    if name.startswith("SQLITE_IOERR"):
        return "the disk refused: look at free space, quota and the kernel's log; running pods are not affected"
    return "move the file away, or restore a backup, and start again: running pods are adopted from their hosts"
