"""Looks at one container until Docker has answered, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
"""Seconds between looks that fail: twice as long each time."""


class CoalescedLook:
    """One look at a time; what is noticed meanwhile is looked at afterwards, in one look more."""

    def __init__(self, name: str, look: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._look = look
        self._noticed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self) -> asyncio.Task[None]:
        """Now, or after the look that is under way. The task ends when Docker has answered; it never fails."""
        self._noticed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._look_until_answered())
        return self._task

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _look_until_answered(self) -> None:
        pause, said = _FIRST_PAUSE, ""
        while self._noticed.is_set() or said:
            self._noticed.clear()
            try:
                await self._look()
            except Exception as error:
                words = str(error) or type(error).__name__
                if words != said:
                    print(f"prober: {self._name}: {words}", file=sys.stderr, flush=True)
                said = words
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._noticed.wait(), pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause, said = _FIRST_PAUSE, ""
