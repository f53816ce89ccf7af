"""Ending a program and what it has started, by their numbers: no other process is ever touched."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.prober.processes import end, uptime


class Program:
    """A shell with a child, and a grandchild whose parent is gone."""

    def __init__(self) -> None:
        self.since = uptime()
        script = "(sleep 1000 & echo $!); sleep 1000 & echo $!; wait"
        self._shell = subprocess.Popen(
            ["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._shell.stdout is not None
        self.first = self._shell.pid
        self.all = [self.first, *(int(self._shell.stdout.readline()) for _ in range(2))]
        self.container = Path(f"/proc/{self.first}/cgroup").read_text().strip()
        time.sleep(0.6)  # Younger than one look at all processes.

    def alive(self) -> list[int]:
        self._shell.poll()
        return [number for number in self.all if _lives(number)]

    def close(self) -> None:
        for number in self.alive():
            os.kill(number, 9)
        self._shell.wait(5)
        assert self._shell.stdout is not None
        self._shell.stdout.close()


def _lives(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    yield program
    program.close()


def test_all_that_it_has_started_ends_with_it(program: Program) -> None:
    assert end(program.first, program.container, program.since)
    deadline = time.monotonic() + 10
    while program.alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert program.alive() == []


def test_a_process_of_another_container_or_of_an_earlier_time_is_left_alone(program: Program) -> None:
    assert not end(program.first, "0123456789abcdef", program.since)
    assert not end(program.first, program.container, program.since + 60)
    assert not end(0, program.container, program.since)
    assert program.alive() == program.all
