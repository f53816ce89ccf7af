"""The lab, for the real half of each contract."""

from tests.lab.conftest import lab

__all__ = ["lab"]
