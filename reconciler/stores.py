"""Which store a state directory has: the one place that opens one, for `wiring` and for commands that only look.

A second kind of store is one more module under `store` that implements the ports, and a choice here.
"""

from pathlib import Path

from reconciler.control.ports import Store, StoreReader
from reconciler.store.reader import open_reader as open_sqlite
from reconciler.store.schema import DATABASE_FILE
from reconciler.store.sqlite import SqliteStore


def open_store(directory: Path) -> Store:
    """Open the store to write to it: StoreLocked, naming the holder, if another process does."""
    return SqliteStore(directory)


def open_reader(directory: Path) -> StoreReader:
    """Open the store to look at it, whoever writes: StoreFailed if there is no state, or one that this version
    cannot read.
    """
    return open_sqlite(directory)


def has_state(directory: Path) -> bool:
    return (directory / DATABASE_FILE).exists()
