"""What survives a restart of the master: one SQLite file, with one writer and any number of readers.

Everybody but `reconciler.stores`, which opens one, knows a store by the ports of `control`."""

from reconciler.store.encoding import read_back
from reconciler.store.errors import StoreFailed, StoreLocked
from reconciler.store.ownership import Holder

__all__ = ["Holder", "StoreFailed", "StoreLocked", "read_back"]
