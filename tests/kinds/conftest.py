"""The fixtures of a good revision, for the tests of each kind's admission."""

from tests.good_revision import changed, faults, good, load, loader, snapshot

__all__ = ["changed", "faults", "good", "load", "loader", "snapshot"]
