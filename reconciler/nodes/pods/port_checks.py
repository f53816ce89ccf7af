"""Do the pods answer? TCP connections from the host's side to each pod's port, until the first one is accepted.

One thread for a host, one connection at a time, each with a deadline; a silent pod is asked ever more rarely, so
it cannot starve the others. Stands in for a kubelet's readiness probe.
"""

import threading
import time
from collections.abc import Callable, Mapping

from msgspec import Struct
from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.addresses import SocketAddress
from reconciler.nodes.errors import HostRefused
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods.runs import PodRun, still_runs

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_CONNECT_SECONDS = 1.0
_FIRST_LOOK_SECONDS = 2.0
_IDLE_SECONDS = 60.0

Accepts = Callable[[str, int, float], bool]


class _Trial(Struct, frozen=True):
    run: PodRun
    since: float
    not_before: float


class PortChecker:
    """Connects to pods' ports until they answer. `changed` is called whenever containers changed."""

    def __init__(self, accepts: Accepts, cache: HostCache, log: BoundLogger) -> None:
        self._log = log
        self._accepts = accepts
        self._cache = cache
        self._wanted: frozenset[SocketAddress] = frozenset()
        self._answered: Mapping[SocketAddress, PodRun] = {}
        self._wake = threading.Event()
        self._stopped = False

    def first_look(self, targets: frozenset[SocketAddress]) -> Mapping[SocketAddress, PodRun]:
        """Find the ports that answer at once, each tried one time, before `work` begins; `work` tries the others.

        What a host served before we connected is thus known from its first observation: a pod that looked
        unready for a moment would be taken out of every proxy.
        """
        self._wanted = targets
        deadline = time.monotonic() + _FIRST_LOOK_SECONDS
        runs = {target: self._run_of(target) for target in sorted(targets)}
        self._answered = {
            target: run
            for target, run in runs.items()
            if run and time.monotonic() < deadline and self._try(target)
        }
        return self._answered

    def want(self, targets: frozenset[SocketAddress]) -> None:
        self._wanted = targets
        self._wake.set()

    def changed(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def work(self) -> None:
        """Until `stop`; to be run in a thread of its own."""
        answered = self._answered
        trials: Mapping[SocketAddress, _Trial] = {}
        while not self._stopped:
            self._wake.clear()
            runs = {target: self._run_of(target) for target in self._wanted}
            answered = {target: run for target, run in answered.items() if still_runs(run, runs.get(target, ()))}
            trials = self._due(runs, answered, trials)
            for target, trial in sorted(trials.items()):
                if trial.not_before <= time.monotonic() and not self._stopped:
                    if self._try(target):
                        answered = {**answered, target: trial.run}
                        trials = {other: t for other, t in trials.items() if other != target}
                    else:
                        trials = {**trials, target: _later(trial)}
            self._cache.record_answers(answered)
            self._wake.wait(_pause(trials))

    def _due(
        self,
        runs: Mapping[SocketAddress, PodRun],
        answered: Mapping[SocketAddress, PodRun],
        trials: Mapping[SocketAddress, _Trial],
    ) -> Mapping[SocketAddress, _Trial]:
        due, now = {}, time.monotonic()
        for target, run in runs.items():
            if run and target not in answered:
                known = trials.get(target)
                due[target] = known if known is not None and known.run == run else _Trial(run, now, now)
        return due

    def _run_of(self, target: SocketAddress) -> PodRun:
        return self._cache.pod_run(target.ip)

    def _try(self, target: SocketAddress) -> bool:
        try:
            return self._accepts(target.ip, target.port, _CONNECT_SECONDS)
        except HostRefused as error:
            self._log.error("pods cannot be checked", reason=str(error))
            return False


def _later(trial: _Trial) -> _Trial:
    """A tenth of the time it has been silent: an answer is heard little later than it could be."""
    now = time.monotonic()
    pause = min(max((now - trial.since) / 10, _SHORTEST_PAUSE), _LONGEST_PAUSE)
    return _Trial(trial.run, trial.since, now + pause)


def _pause(trials: Mapping[SocketAddress, _Trial]) -> float:
    if not trials:
        return _IDLE_SECONDS
    return max(0.0, min(trial.not_before for trial in trials.values()) - time.monotonic())
