"""Ages as kubectl writes them."""

import pytest

from reconciler.reporting.ages import age


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0s"),
        (0.4, "0s"),
        (119, "119s"),
        (120, "2m"),
        (330, "5m30s"),
        (3600, "60m"),
        (5 * 3600 + 1800, "5h30m"),
        (40 * 3600, "40h"),
        (5 * 86400 + 3 * 3600, "5d3h"),
        (90 * 86400, "90d"),
    ],
)
def test_two_units_while_the_smaller_one_says_something(seconds: float, words: str) -> None:
    assert age(seconds) == words
