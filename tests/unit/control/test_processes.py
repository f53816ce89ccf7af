"""Whether the holder of a lease is known to have ended."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from reconciler.control.processes import UNKNOWN, has_ended, this_process


def named(number: int) -> str:
    place, _, _ = this_process().split("/")
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return f"{place}/{number}/{fields[19]}"


def test_a_process_that_runs_or_is_paused_has_not_ended_and_one_that_is_killed_has() -> None:
    assert not has_ended(this_process())
    with subprocess.Popen(["sleep", "60"]) as process:
        name = named(process.pid)
        assert not has_ended(name)
        process.send_signal(signal.SIGSTOP)
        assert not has_ended(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(name), "all that is left is its exit status"
        process.wait()
    assert has_ended(name)


def test_another_process_of_the_same_number_is_not_the_one_that_was_named() -> None:
    place, number, start = this_process().split("/")
    assert has_ended(f"{place}/{number}/{int(start) + 1}")


@pytest.mark.parametrize(
    "process", [UNKNOWN, "", "/", "elsewhere.1/1/1", "elsewhere.1/999999999/1", "no words at all", "a/b/c"]
)
def test_nothing_is_known_of_processes_that_are_not_seen_from_here(process: str) -> None:
    assert not has_ended(process)
