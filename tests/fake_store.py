"""A store in memory, for tests of what uses one; it passes the same suite as the real one."""

from collections.abc import Collection, Mapping, Sequence
from typing import Self

import msgspec

from reconciler.model.desired import SourceSnapshot
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Status
from reconciler.model.records import Event
from reconciler.store.errors import StoreFailed


class FakeStore:
    """`broken = True` makes every call fail, as a full disk does. `saves` counts the ones that wrote something."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.broken = False
        self.saves = 0
        self.statuses: dict[Ref, Status] = {}
        self._memory = memory or Memory()
        self._events: dict[tuple[Ref, str, str], Event] = {}
        self._kept: SourceSnapshot | None = None
        self.identity = "fake"

    def check(self) -> None:
        self._check()

    def load(self) -> Memory:
        self._check()
        return self._memory

    def save(self, memory: Memory, pods: Collection[Uid] | None = None) -> None:
        self._check()
        stored = msgspec.structs.replace(
            memory, backoffs={}, failures={}, ready_since={}, leaving={}, orders={}, crashes={}, started={}
        )
        self.saves += stored != self._memory
        self._memory = stored

    def publish(self, statuses: Mapping[Ref, Status], changed: Collection[Ref] | None = None) -> None:
        self._check()
        self.statuses = {ref: statuses[ref] for ref in sorted(statuses)}

    def published(self) -> Mapping[Ref, Status]:
        self._check()
        return self.statuses

    def record(self, events: Sequence[Event]) -> None:
        self._check()
        for event in events:
            key = (event.about, event.reason, event.message)
            known = self._events.pop(key, None)
            count = event.count + (known.count if known else 0)
            self._events[key] = msgspec.structs.replace(event, count=count)

    def keep_revision(self, snapshot: SourceSnapshot) -> None:
        self._check()
        self._kept = snapshot

    def last_revision(self) -> SourceSnapshot | None:
        self._check()
        return self._kept

    def events(self) -> tuple[Event, ...]:
        return tuple(self._events.values())

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _check(self) -> None:
        if self.broken:
            raise StoreFailed("memory", "the store was told to fail", "set `broken` to False")
