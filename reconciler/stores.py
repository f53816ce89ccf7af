"""Which store a state directory has: the one place that opens one, for `wiring` and for commands that only look.

A second kind of store is one more module under `store` that implements the ports, and a choice here.
"""

from pathlib import Path

from reconciler.control.ports import Store, StoreReader
from reconciler.store.reader import open_reader as open_sqlite
from reconciler.store.schema import DATABASE_FILE
from reconciler.store.sqlite import SqliteStore


def open_store(directory: Path) -> Store:
    """To write to it: StoreLocked, naming the holder, where another process does."""
    return SqliteStore(directory)


def open_reader(directory: Path) -> StoreReader:
    """To look at it, whoever writes: StoreFailed where there is no state, or one that this version cannot read."""
    return open_sqlite(directory)


def has_state(directory: Path) -> bool:
    return (directory / DATABASE_FILE).exists()
