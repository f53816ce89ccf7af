"""How long pulls take: begun when their work is handed over, ended when the image is seen or the work is done."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from reconciler.control.pod_narration import of_pull_begun, of_pull_done
from reconciler.model.names import Uid
from reconciler.model.observed import Observed, Reachable
from reconciler.model.operations import Outcome, PodWork, PullImage
from reconciler.model.records import Event
from reconciler.planning.kubelet.image_policy import is_present


class _Pull(Struct, frozen=True):
    work: PodWork
    pull: PullImage
    since: float
    """Monotonic seconds."""
    was_there: bool
    """Another version of the image: that it is seen says nothing."""


class Pulls:
    """Used by the loop's thread alone; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[Uid, str], _Pull] = {}

    def begun(self, work: Sequence[PodWork], observed: Observed, now: float) -> Iterator[Event]:
        for each in work:
            for operation in each.operations:
                if isinstance(operation, PullImage) and (each.uid, operation.image) not in self._under_way:
                    there = _is_there(operation.image, each.node, observed)
                    self._under_way[each.uid, operation.image] = _Pull(each, operation, now, there)
                    yield of_pull_begun(each.node, each.pod, operation)

    def seen(self, observed: Observed, now: float) -> Iterator[Event]:
        for key, pull in list(self._under_way.items()):
            if not pull.was_there and _is_there(pull.pull.image, pull.work.node, observed):
                yield self._done(key, now)

    def ended(self, outcome: Outcome, now: float) -> Iterator[Event]:
        """The pod's work is over: its pulls are done, up to one that failed, or after which nobody knows."""
        going = not outcome.unknown
        for operation in outcome.work.operations:
            key = outcome.work.uid, operation.image if isinstance(operation, PullImage) else ""
            going = going and operation != outcome.failed
            if key in self._under_way and going:
                yield self._done(key, now)
            self._under_way.pop(key, None)

    def _done(self, key: tuple[Uid, str], now: float) -> Event:
        pull = self._under_way.pop(key)
        return of_pull_done(pull.work.node, pull.work.pod, pull.pull, now - pull.since)


def _is_there(image: str, node: str, observed: Observed) -> bool:
    seen = observed.nodes.get(node)
    return isinstance(seen, Reachable) and is_present(image, seen.images)
