"""What the answers of one container's probes add up to. Pure: time and answers come in as values.

Rules: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ and, where that says
nothing, upstream's pkg/kubelet/prober/worker.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from reconciler.prober.specs import ProbeSettings

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0
FORGOTTEN_AFTER = 600.0
"""Seconds: as upstream before a container is started again, and for how long it runs until that is forgotten."""


class Health:
    """What the probes have found of one run of a container.

    It is not ready until its readiness probe says so, and alive until its liveness probe does not. A startup probe
    keeps the two others waiting until it has succeeded, and is then done.
    """

    def __init__(self, probes: Iterable[ProbeSettings]) -> None:
        kinds = {probe.kind for probe in probes}
        self.started = "startup" not in kinds
        self._ready = "readiness" not in kinds
        self._doomed = False
        """Found dead: it is ended, and serves nobody meanwhile."""
        self._streaks: dict[str, tuple[bool, int]] = {}
        self._messages: dict[str, str] = {}
        self.decided = not kinds - {"liveness"}
        """What it says has been asked for in this run; until then it is only what holds at the beginning."""

    @property
    def ready(self) -> bool:
        return self.started and self._ready and not self._doomed

    @property
    def answered(self) -> bool:
        """A probe has answered in this run, whatever it said."""
        return bool(self._streaks)

    @property
    def message(self) -> str:
        """Return the message of the probe that failed and has not succeeded since; of several, the one that
        matters most.
        """
        return next((self._messages[k] for k in ("startup", "liveness", "readiness") if k in self._messages), "")

    def due(self, kind: str) -> bool:
        """Is this probe to be asked now?"""
        return not self.started if kind == "startup" else self.started

    def take(self, probe: ProbeSettings, passed: bool, output: str) -> bool:
        """One more answer. True: it is one too many against the container, which is to be restarted."""
        before, count = self._streaks.get(probe.kind, (passed, 0))
        count = count + 1 if before == passed else 1
        self._streaks[probe.kind] = (passed, count)
        if passed:
            if count >= probe.successes:
                self._succeeded(probe.kind)
            return False
        said = f"{probe.kind.capitalize()} probe failed: {output}"
        self._messages.setdefault(probe.kind, said)
        if count < probe.failures:
            return False
        self.decided = True
        if probe.kind == "readiness":
            self._ready = False
            return False
        self._messages[probe.kind] = said
        self._doomed = True
        return True

    def inherit(self, kind: str, message: str) -> None:
        """Why the run before was ended: shown until that probe succeeds."""
        if message:
            self._messages[kind] = message

    def keep(self, before: Health, kinds: Iterable[str]) -> None:
        """Take over what is known by probes that have not changed."""
        for kind in kinds:
            if kind in before._streaks:
                self._streaks[kind] = before._streaks[kind]
            if kind in before._messages:
                self._messages[kind] = before._messages[kind]
            if kind == "readiness":
                self._ready, self.decided = before._ready, before.decided
            if kind == "startup":
                self.started = before.started

    def _succeeded(self, kind: str) -> None:
        self._messages.pop(kind, None)
        if kind == "startup":
            self.started = True
            self.decided |= self._ready
        elif kind == "readiness":
            self._ready = self.decided = True
        if kind != "readiness":
            self._doomed = False


class RestartBackoff:
    """Counts the runs that probes ended, for the wait before the next start: nothing at first, then 10 s, 20 s … 5
    min.
    """

    def __init__(self) -> None:
        self._ends = 0

    def ended(self, age: float) -> float:
        """A run of `age` seconds was ended; the answer is how many seconds the next start waits."""
        self._ends = 1 if age >= FORGOTTEN_AFTER else self._ends + 1
        if self._ends == 1:
            return 0.0
        return min(FIRST_PAUSE * 2.0 ** min(self._ends - 2, 10), LONGEST_PAUSE)


def first_wait(probe: ProbeSettings, age: float, jitter: float, fresh: bool) -> float:
    """Seconds until a probe is asked first. `age`: since its container started; `jitter`: from 0 to 1.

    Many containers that start together are not asked together; those that ran before this program did are spread
    over their whole period, as what is known of them holds on.
    """
    spread = min(0.2, probe.period / 10) if fresh else min(float(probe.period), 10.0)
    return max(0.0, probe.initial_delay - age) + jitter * spread


def next_due(due: float, period: int, passed: bool, now: float) -> float:
    """When a probe is asked again that was due at `due` and has its answer `now`; all by one clock, in seconds.

    As a ticker: a check that takes longer than its period delays the next one, and none is made up for. What
    passes is asked at whole seconds from then on: one wake-up for all that is due costs a third of one for each.
    """
    again = max(due + period, now)
    return float(math.ceil(again)) if passed else again
