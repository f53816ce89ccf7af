"""When a host is looked at as a whole, beside all that changes on it."""

import pytest

from reconciler.nodes import node_setup as setup
from reconciler.nodes.node_setup import _Look


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(setup, "time", clock)
    return clock


def looks(clock: Clock, minutes: int, change_every: float, right: bool) -> int:
    """How many there are where each finds the same, and changes come all the time."""
    look = _Look(30.0)
    look.applied(right, everything=True)
    count, changed = 0, clock.now
    end = clock.now + minutes * 60
    while clock.now < end:
        clock.now += 1.0
        if look.is_due:
            count += 1
            look.begin([lambda _: right])
            look.steps.clear()
            look.took(right)
        if clock.now >= changed + change_every:
            changed = clock.now
            look.applied(right, everything=False)
    return count


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("change_every", [1.0, 12.0, 10_000.0])
def test_no_change_puts_off_a_look_whatever_it_finds(clock: Clock, change_every: float, right: bool) -> None:
    assert looks(clock, 30, change_every, right) >= 58
