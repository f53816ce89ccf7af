"""The fixtures of a good revision, for the tests of the loader."""

from tests.good_revision import changed, faults, good, load, loader, snapshot

__all__ = ["changed", "faults", "good", "load", "loader", "snapshot"]
