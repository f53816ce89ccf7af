"""Amounts of pods that manifests give as numbers, or as percentages of the wanted replicas."""

from reconciler.model.api.apps import IntOrPercent


def share(amount: IntOrPercent, whole: int, *, up: bool) -> int:
    """Return how many pods an amount is of so many; a percentage is rounded `up`, or down."""
    if isinstance(amount, int):
        return amount
    part = int(amount.rstrip("%")) * whole
    return -(-part // 100) if up else part // 100


def is_zero(amount: IntOrPercent) -> bool:
    """Tell whether an amount is none, of however many pods."""
    return amount in (0, "0%")
