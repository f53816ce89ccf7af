"""The marks of tests name faults and security rules that are in the list, which can be written from them."""

import pytest

from tests.faults import marks_in, page, proofs, said


def test_every_mark_is_of_a_number_in_the_list() -> None:
    text, tests = said(), proofs()
    faults = {int(number) for theme in text["faults"].values() for number in theme}
    rules = {int(number) for number in text["rules"]}
    assert {number for mark, number in tests if mark == "fault"} <= faults
    assert {number for mark, number in tests if mark == "rule"} <= rules
    assert page()


def test_a_mark_that_the_list_could_not_show_is_an_error() -> None:
    good = "@pytest.mark.fault(4, 5)\n@pytest.mark.rule(1)\ndef test_x(): ...\n"
    assert list(marks_in(good, "x")) == [("test_x", "fault", 4), ("test_x", "fault", 5), ("test_x", "rule", 1)]
    for bad in ("pytestmark = pytest.mark.fault(4)\n", "@pytest.mark.fault(N)\ndef test_x(): ...\n"):
        with pytest.raises(ValueError, match="tests/x"):
            list(marks_in(bad, "x"))
