"""Which ready pods a rollout may count on.

minReadySeconds is upstream's answer; two cases need more, because a pod here may have no readiness probe:
one that has crashed before must have stayed up, and one that neither a probe nor a port has proven must not die at
once.
"""

from collections.abc import Mapping

from reconciler.model.names import Uid
from reconciler.planning.state.pods import PodView

STEADY_SECONDS = 10.0
"""A pod that has crashed counts again after this; Docker forgets its restart delay after the same time."""
SETTLE_SECONDS = 1.0
"""How long a pod of the new template, that has merely been started, must run before it lets an old one go."""


class Availability:
    """Judges the pods of one Deployment at one moment, and notes when a judgement will change."""

    def __init__(self, min_ready_seconds: int, rolling: bool, since: Mapping[Uid, float], now: float) -> None:
        self._min_ready_seconds = float(min_ready_seconds)
        self._rolling = rolling
        self._since = since
        self._now = now
        self.wake_at: float | None = None

    def of(self, pod: PodView) -> bool:
        if not pod.ready:
            return False
        needed = self._needed(pod)
        if not needed:
            return True
        at = self._since.get(pod.uid, self._now) + needed
        if at <= self._now:
            return True
        self.wake_at = at if self.wake_at is None else min(at, self.wake_at)
        return False

    def _needed(self, pod: PodView) -> float:
        needed = self._min_ready_seconds
        if pod.restarted:
            return max(needed, STEADY_SECONDS)
        if self._rolling and not pod.proven:
            return max(needed, SETTLE_SECONDS)
        return needed
