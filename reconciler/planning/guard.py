"""What a revision may not do by accident: change to another cluster, drop most of what runs, or empty a file."""

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import Hold
from reconciler.model.problems import Place, Problem
from reconciler.planning.options import Options

_SHORTEST_ID = 7


def held(desired: Desired, memory: Memory, options: Options) -> Hold | None:
    """The reason why this revision waits for a person; None where it may go on. First match wins."""
    if memory.revision == desired.revision.id:
        return None
    return _another_cluster(desired, memory) or _too_many_gone(desired, memory, options)


def emptied(desired: Desired, before: Desired) -> tuple[Problem, ...]:
    """Files that are there and hold no object, and held some that are wanted nowhere now: an empty file is never
    taken for a deletion. `before` is the revision in force."""
    if not desired.empty_files:
        return ()
    lost: dict[str, list[Ref]] = {}
    for ref, place in before.places.items():
        if place.path in desired.empty_files and ref not in desired.places:
            lost.setdefault(place.path, []).append(ref)
    return tuple(_emptied(path, sorted(lost[path]), before) for path in sorted(lost))


def _emptied(path: str, lost: list[Ref], before: Desired) -> Problem:
    named = f"{lost[0]} and {len(lost) - 1} more" if len(lost) > 1 else str(lost[0])
    message = f"the file holds no object, and held {named} in revision {before.revision}, which is in force"
    return Problem(
        Place(path),
        "emptied-file",
        f"{message}: what is empty deletes nothing",
        "write the file to its end, or remove the file if its objects are to be deleted",
    )


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
