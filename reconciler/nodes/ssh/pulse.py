"""Asks one connection for a sign of life all the time, and ends it where there is none.

A late answer makes the other nodes be asked at once. Where none of them reaches the host either, the connection is
given up soon; where they do, or cannot tell, it has twice as long.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from reconciler.nodes.peers import Inquiry

_LATE_SECONDS = 0.25
"""Long for an answer of sshd's; the other nodes are asked."""
_STEP_SECONDS = 0.1
_SILENT_BEATS = 2
_MOST_SILENT_BEATS = 4


class Pingable(Protocol):
    """A connection that can be asked for a sign of life."""

    @property
    def alive(self) -> bool: ...

    def pulse(self, timeout: float) -> bool: ...

    def pulse_comes(self, timeout: float) -> bool: ...


class Pulse:
    """Watches one connection. `record` is called with each sign of life, `silent` once, in words, where they
    end."""

    def __init__(
        self,
        connection: Pingable,
        beat_seconds: float,
        inquiry: Inquiry,
        record: Callable[[], None],
        silent: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._beat_seconds = beat_seconds
        self._inquiry = inquiry
        self._record = record
        self._silent = silent
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def work(self) -> None:
        """Until the connection ends; to be run in a thread of its own."""
        last = time.monotonic()
        while not self._stopped.wait(self._beat_seconds) and self._connection.alive:
            if not self._connection.pulse(_LATE_SECONDS):
                self._inquiry.begin()
                if not self._answers_late(last):
                    return
                self._inquiry.end()
            self._record()
            last = time.monotonic()

    def _answers_late(self, last: float) -> bool:
        while not self._stopped.is_set() and self._connection.alive:
            if self._connection.pulse_comes(_STEP_SECONDS):
                return True
            silent = (time.monotonic() - last) / self._beat_seconds
            if silent >= _MOST_SILENT_BEATS or (silent >= _SILENT_BEATS and self._inquiry.nobody_reaches_it):
                self._silent(
                    f"no sign of life for {time.monotonic() - last:.1f} s; is the host up, and its cable in?"
                )
                return False
        return False
