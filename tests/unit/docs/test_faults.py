"""Every fault and security rule that applies has a test whose mark says so, and the page lists them."""

import pytest

from tests.faults import PAGE, marks_in, page, proofs, said


def test_every_fault_and_rule_that_applies_has_a_test_and_every_mark_is_of_one() -> None:
    text, tests = said(), proofs()
    listed = {
        "fault": {int(number) for theme in text["faults"].values() for number in theme},
        "rule": {int(number) for number in text["rules"]},
    }
    for mark, excused in (("fault", "excused"), ("rule", "excused_rules")):
        marked = {number for each, number in tests if each == mark}
        assert marked <= listed[mark], "a number that is not in faults.toml"
        assert listed[mark] - marked == set(map(int, text[excused])), "write its test, and mark it"


def test_the_page_is_what_the_marks_say() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.faults`"


def test_a_mark_that_the_list_could_not_show_is_an_error() -> None:
    good = "@pytest.mark.fault(4, 5)\n@pytest.mark.rule(1)\ndef test_x(): ...\n"
    assert list(marks_in(good, "x")) == [("test_x", "fault", 4), ("test_x", "fault", 5), ("test_x", "rule", 1)]
    for bad in ("pytestmark = pytest.mark.fault(4)\n", "@pytest.mark.fault(N)\ndef test_x(): ...\n"):
        with pytest.raises(ValueError, match="tests/x"):
            list(marks_in(bad, "x"))
