"""How many more pods each template gets when a Deployment is scaled up in the middle of a rollout.

Old and new grow in proportion, so that capacity is added also while the new template does not become available.
Rules: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
"""

from collections.abc import Mapping


def growth(sizes: Mapping[str, int], ceiling: int) -> dict[str, int]:
    """What to add to each of `sizes`, by its name, so that they are `ceiling` together.

    The largest comes first, and of the same size the later one; what rounding leaves is the first one's."""
    total = sum(sizes.values())
    room = ceiling - total
    if room <= 0 or not total:
        return {}
    newest = {name: number for number, name in enumerate(sizes)}
    order = sorted(sizes, key=lambda name: (-sizes[name], -newest[name]))
    added: dict[str, int] = {}
    for name in order:
        share = _rounded(sizes[name] * ceiling, total) - sizes[name]
        added[name] = min(share, room - sum(added.values()))
    added[order[0]] += room - sum(added.values())
    return added


def _rounded(dividend: int, divisor: int) -> int:
    """Halves up."""
    return (2 * dividend + divisor) // (2 * divisor)
