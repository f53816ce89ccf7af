"""A host is recognised by its init alone, and nothing else may look like one."""

import os

import pytest

from reconciler.lab.errors import LabError
from reconciler.lab.processes import is_namespace_init, is_suspended, parse_init_arguments, wait_until


def arguments(*words: str) -> bytes:
    return "\0".join(words).encode() + b"\0"


def test_an_init_names_its_host_and_lab() -> None:
    cmdline = arguments("sh", "-c", "a script", "reconciler-lab-host", "node-1", "/lab", "/lab/hosts/node-1")
    assert parse_init_arguments(cmdline) == ("node-1", "/lab")


@pytest.mark.parametrize(
    "cmdline",
    [
        b"",
        arguments("grep", "reconciler-lab-host", "node-1"),
        arguments("unshare", "--pid", "sh", "-c", "a script", "reconciler-lab-host", "node-1", "/lab"),
        arguments("sh", "-c", "a script", "reconciler-lab-host"),
        b"\xff\xfe\0\xff",
    ],
)
def test_nothing_else_is_an_init(cmdline: bytes) -> None:
    assert parse_init_arguments(cmdline) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("NSpid:\t7196\t1", True),
        ("NSpid:\t7196", False),
        ("NSpid:\t7196\t17", False),
        ("NSpid:\t7196\t40\t1", False),
        ("NStgid:\t7196\t1", False),
    ],
)
def test_an_init_is_process_one_of_a_namespace_just_below(line: str, expected: bool) -> None:
    assert is_namespace_init(f"Name:\tsh\n{line}\nThreads:\t1\n") is expected


def test_a_running_process_is_not_suspended() -> None:
    assert not is_suspended(os.getpid())


def test_waiting_ends_at_its_deadline_and_says_for_what() -> None:
    with pytest.raises(LabError, match=r"0\.05 s in vain for rain; look up"):
        wait_until(lambda: False, 0.05, "rain", "look up")
