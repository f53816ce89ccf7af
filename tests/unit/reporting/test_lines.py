"""What may not reach a terminal."""

import pytest

from reconciler.reporting import inert


@pytest.mark.rule(11)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, ünïcode, 日本", "plain words, ünïcode, 日本"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31mred", r"\x9b31mred"),
        ("over\rwritten\nnext", r"over\rwritten\nnext"),
        ("bell\x07 nul\x00 tab\t", r"bell\x07 nul\x00 tab\t"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("half \ud800", r"half \ud800"),
        ("tag \U000e0041", r"tag \U000e0041"),
    ],
)
def test_what_acts_on_a_terminal_or_hides_is_written_out(text: str, shown: str) -> None:
    assert inert(text) == shown
    inert(text).encode("utf-8")
