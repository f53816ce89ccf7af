"""What survives a restart of the master: one SQLite file, with one writer and any number of readers."""

from reconciler.store.errors import StoreFailed, StoreLocked
from reconciler.store.ownership import Holder
from reconciler.store.reader import StoreReader, open_reader
from reconciler.store.schema import DATABASE_FILE
from reconciler.store.sqlite import SqliteStore

__all__ = ["DATABASE_FILE", "Holder", "SqliteStore", "StoreFailed", "StoreLocked", "StoreReader", "open_reader"]
