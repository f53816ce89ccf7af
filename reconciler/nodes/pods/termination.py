"""Ends containers as Kubernetes does: hook, stop signal, SIGKILL, all within the pod's grace period.

Not `docker stop`, which would keep one of the few channels busy for the whole of it.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.names import Uid
from reconciler.model.operations import ContainerStop, Remark
from reconciler.model.probes import Hook
from reconciler.nodes.errors import ConnectionLost, OutcomeUnknown
from reconciler.nodes.pods.container_runtime import ContainerRuntime, PodContainer
from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.lifecycle_hooks import HookFailed, Hooks

_KILL_SECONDS: Final = 15.0
_LEAST_SECONDS: Final = 2.0
"""What a container has for its end however long its hook took, or the containers before it."""
_POST_START_SECONDS: Final = 300.0

RecordRemark = Callable[[Remark], None]
"""Called by several threads."""


class Budget:
    """The grace period of one pod: it begins with the first stop, and later ones have what is left of it."""

    def __init__(self) -> None:
        self._deadline: float | None = None

    def left(self, grace_seconds: float) -> float:
        if self._deadline is None:
            self._deadline = time.monotonic() + grace_seconds
            return grace_seconds
        return max(self._deadline - time.monotonic(), min(grace_seconds, _LEAST_SECONDS))


class Stopper:
    """Ends containers of pods on one host."""

    def __init__(self, containers: ContainerRuntime, hooks: Hooks, log: BoundLogger) -> None:
        self._containers = containers
        self._hooks = hooks
        self._log = log

    def stop_all(
        self, stops: Sequence[ContainerStop], uid: Uid, seconds: float, record_remark: RecordRemark
    ) -> None:
        """Stop all at the same time, each to its end, whatever becomes of the others; raises the worst failure."""
        if len(stops) == 1:
            self._stop(stops[0], uid, seconds, record_remark)
            return
        with ThreadPoolExecutor(max(1, len(stops))) as pool:
            ends = [pool.submit(self._stop, stop, uid, seconds, record_remark) for stop in stops]
        failures = [failure for end in ends if (failure := end.exception()) is not None]
        if failures:
            # What is not known weighs most: all must be looked at again then.
            raise min(failures, key=lambda failure: not isinstance(failure, OutcomeUnknown | ConnectionLost))

    def run_post_start(self, hook: Hook, name: str, found: PodContainer) -> None:
        """Failed, after the container was stopped, where the hook fails."""
        try:
            self._hooks.run(hook, found.id, _POST_START_SECONDS)
        except HookFailed as failure:
            self._end(name, found, float(found.stop_seconds))
            raise Failed("FailedPostStartHook", f"the postStart hook of {name} failed: {failure}") from failure

    def _stop(self, stop: ContainerStop, uid: Uid, seconds: float, record_remark: RecordRemark) -> None:
        found = self._containers.find(stop.container, uid)
        if found is None or not found.runs:
            self._containers.see(found)
            return
        if stop.pre_stop is not None and found.status == "running":
            seconds = self._run_pre_stop(stop.pre_stop, stop.container, found, seconds, record_remark)
        self._end(stop.container, found, seconds)

    def _run_pre_stop(
        self, hook: Hook, name: str, found: PodContainer, seconds: float, record_remark: RecordRemark
    ) -> float:
        """What is left of the time. One that fails keeps nothing from its end, as upstream."""
        deadline = time.monotonic() + seconds
        try:
            self._hooks.run(hook, found.id, seconds)
        except HookFailed as failure:
            record_remark(Remark("FailedPreStopHook", f"the preStop hook of {name} failed: {failure}"))
        return max(deadline - time.monotonic(), _LEAST_SECONDS)

    def _end(self, name: str, found: PodContainer, seconds: float) -> None:
        for signal, patience in ((found.stop_signal, seconds), ("SIGKILL", _KILL_SECONDS)):
            try:
                self._containers.signal(found.id, signal)
            except OutcomeUnknown as error:
                # A container that hangs keeps Docker waiting. If it is Docker that hangs, the next look says so.
                self._log.warning("a signal was not confirmed", container=name, reason=str(error))
            if self._containers.ended_within(found.id, patience):
                return
        raise Failed(
            "KillContainerError",
            f"{name} still runs {_KILL_SECONDS:g} s after SIGKILL: it cannot be killed; is its disk hung? It ends "
            "with what it waits for, or with the host's restart",
        )
