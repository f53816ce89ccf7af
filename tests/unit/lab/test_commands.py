"""Programs end by their deadline, and a failure says which program and what it said."""

import time

import pytest

from reconciler.lab.commands import run
from reconciler.lab.errors import LabError


def test_output_and_input() -> None:
    assert run(["cat"], stdin="täxt").stdout == "täxt"


def test_a_failure_quotes_the_program() -> None:
    with pytest.raises(LabError, match=r"`sh -c 'echo no >&2; exit 3'` failed with exit code 3: no"):
        run(["sh", "-c", "echo no >&2; exit 3"])


def test_a_failure_that_is_expected_is_an_answer() -> None:
    assert run(["false"], check=False).returncode == 1


def test_a_missing_program_tells_how_to_get_it() -> None:
    with pytest.raises(LabError, match="no-such-program is not installed; `reconciler lab up --yes`"):
        run(["no-such-program"])


def test_a_late_program_is_killed_with_its_children() -> None:
    began = time.monotonic()
    with pytest.raises(LabError, match=r"did not end within 0\.2 s"):
        run(["sh", "-c", "sleep 30 & sleep 30"], timeout=0.2)
    assert time.monotonic() - began < 5
