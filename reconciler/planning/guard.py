"""What a revision may not do by accident: change to another cluster, or drop most of what runs."""

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.plan import Hold
from reconciler.planning.options import Options

_SHORTEST_ID = 7


def held(desired: Desired, memory: Memory, options: Options) -> Hold | None:
    """The reason why this revision waits for a person; None where it may go on. First match wins."""
    if memory.revision == desired.revision.id:
        return None
    return _another_cluster(desired, memory) or _too_many_gone(desired, memory, options)


def _another_cluster(desired: Desired, memory: Memory) -> Hold | None:
    known = sorted(ref.name for ref in memory.applied if ref.kind == "Cluster")
    wanted = desired.cluster.metadata.name
    if not known or wanted in known:
        return None
    return Hold(
        reason=f"this state is of cluster {known[0]!r}, and revision {desired.revision} describes {wanted!r}",
        fix=f"point at the manifests of {known[0]!r}, or use another state for {wanted!r}; nothing was changed",
    )


def _too_many_gone(desired: Desired, memory: Memory, options: Options) -> Hold | None:
    guard = desired.cluster.spec.guard
    before = len(memory.applied)
    gone = sorted(ref for ref in memory.applied if ref not in desired.manifests)
    if before < guard.min_objects or len(gone) * 100 <= before * guard.max_delete_percent:
        return None
    if _confirmed(desired.revision.id, options.confirmed_revision):
        return None
    named = ", ".join(str(ref) for ref in gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
    return Hold(
        reason=f"revision {desired.revision} drops {len(gone)} of {before} objects ({named}), "
        f"more than the {guard.max_delete_percent}% that spec.guard.maxDeletePercent allows at once",
        fix=f"if this is meant, run or apply with --confirm {desired.revision.id}; otherwise repair the source",
    )


def _confirmed(revision: str, named: str) -> bool:
    """The whole id, or as much of it as reports show."""
    return named == revision or (len(named) >= _SHORTEST_ID and revision.removeprefix("sha256:").startswith(named))
