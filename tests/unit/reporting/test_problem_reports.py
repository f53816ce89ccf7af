"""Problems for people, programs and GitHub; their whole forms are golden files."""

import pytest

from reconciler.model.problems import Place, Problem, Severity
from reconciler.reporting import Style, problems_github, problems_json, problems_text

ERROR = Problem(Place("a.yaml", 3, 5), "unknown-field", "unknown field `x`", "leave it out", "/spec/x")
WARNING = Problem(Place("b.yaml", 1, 1), "no-effect", "changes nothing", severity=Severity.WARNING)


def test_no_problem_is_no_words() -> None:
    assert problems_text(()) == []
    assert problems_github(()) == ""
    assert problems_json(())["accepted"] is True


def test_warnings_alone_reject_nothing() -> None:
    lines = problems_text((WARNING,))
    assert [line.style for line in lines] == [Style.WARN, Style.WARN]
    assert lines[-1].text == "0 errors, 1 warning."
    assert problems_json((WARNING,))["accepted"] is True


def test_problems_come_in_the_order_of_the_files_and_errors_reject() -> None:
    shown = problems_json((WARNING, ERROR))
    assert [problem["path"] for problem in shown["problems"]] == ["a.yaml", "b.yaml"]
    assert (shown["accepted"], shown["errors"], shown["warnings"]) == (False, 1, 1)
    assert problems_text((WARNING, ERROR))[-1].text.endswith("The revision is rejected, and changes nothing.")


@pytest.mark.parametrize(
    ("folder", "file"), [("", "a.yaml"), (".", "a.yaml"), ("deploy/", "deploy/a.yaml"), ("./x", "./x/a.yaml")]
)
def test_an_annotation_is_found_from_the_root_of_the_repository(folder: str, file: str) -> None:
    assert problems_github((ERROR,), folder).startswith(f"::error file={file},line=3,col=5,title=unknown-field::")


def test_an_annotation_can_neither_end_early_nor_begin_another() -> None:
    evil = Problem(Place("a,line=9:b%.yaml", 1, 2), "c", "100%0A::warning::x\n::error::y\r")
    assert problems_github((evil,)) == (
        r"::error file=a%2Cline=9%3Ab%25.yaml,line=1,col=2,title=c::100%250A::warning::x\n::error::y\r" + "\n"
    )


def test_a_problem_of_a_whole_file_has_no_line() -> None:
    assert problems_github((Problem(Place("a.bin"), "binary-file", "not text"),)) == (
        "::error file=a.bin,title=binary-file::not text\n"
    )
