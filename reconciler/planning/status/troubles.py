"""What keeps pods of a workload from being as they should, in words: for the message of its status."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import ref_of
from reconciler.model.names import Ref
from reconciler.model.plan import Status, Unschedulable
from reconciler.planning.state.pods import PodView

EXPECTED_REASONS: Final = frozenset({"", "PodInitializing", "ContainerCreating", "Completed"})
"""Reasons of a pod or a container that tell of no trouble."""


def troubles(unplaced: Iterable[Unschedulable], waiting: Iterable[PodView], pods: Mapping[Ref, Status]) -> str:
    """Say what keeps pods of one object from running, or these from being available; empty: nothing is known.

    `pods` has every pod with its status. Each different reason is told once, with the first pod that has it."""
    return "; ".join([*(in_words(one) for one in unplaced), *_by_reason(waiting, pods)])


def in_words(unplaced: Unschedulable, most: int | None = None) -> str:
    """Why pods fit nowhere, node by node; of `most` nodes, where that is given, and how many more there are."""
    pods = "1 pod fits" if unplaced.count == 1 else f"{unplaced.count} pods fit"
    told = [f"{node}: {why}" for node, why in islice(unplaced.reasons.items(), most)]
    more = len(unplaced.reasons) - len(told)
    return f"{pods} nowhere: " + ", ".join([*told, *([f"and {more} more nodes"] if more else [])])


def _by_reason(waiting: Iterable[PodView], pods: Mapping[Ref, Status]) -> Iterable[str]:
    by_reason: dict[str, list[Pod]] = {}
    for view in waiting:
        pod = pods.get(view.intent.ref)
        if isinstance(pod, Pod) and pod.status.reason not in EXPECTED_REASONS:
            by_reason.setdefault(pod.status.reason, []).append(pod)
    for reason, troubled in sorted(by_reason.items()):
        first = min(troubled, key=ref_of)
        others = f" and {len(troubled) - 1} more" if len(troubled) > 1 else ""
        words = f"{reason}: {first.status.message}" if first.status.message else reason
        yield f"pod {first.metadata.name}{others}: {words}"
