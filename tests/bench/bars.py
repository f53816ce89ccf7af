"""A bar and what was measured against it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    what: str
    shown: str
    wanted: str
    met: bool


def at_most(what: str, value: float, limit: float, unit: str, detail: str = "") -> Measured:
    return Measured(what, f"{value:.4g} {unit}{detail}", f"≤ {limit:g} {unit}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str, detail: str = "") -> Measured:
    return Measured(what, f"{value:,.0f} {unit}{detail}", f"≥ {limit:,.0f} {unit}", value >= limit)


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """The worst of fewer than a hundred."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
