"""Says at the end of a run how many tests of each tier passed: a tier that ran nothing is seen at once."""

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from _pytest.terminal import TerminalReporter

from tests.command_server import end_server

TESTS = Path(__file__).parent

# Hundreds of tests start Python: without bytecode, each of them compiles half a second of modules.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What is collected, some thousand tests, stays to the end: Python's collector does not look at it again and again.
gc.disable()


LONGEST_FIRST = (
    "lab/test_security.py",
    "lab/test_faults.py",
    "lab/test_masters.py",
    "lab/test_end_to_end.py",
    "lab/test_rollouts.py",
    "lab/test_pods_faults.py",
    "lab/test_node_failures.py",
    "lab/test_lab_commands.py",
    "lab/test_cli_pods.py",
    "lab/test_host_identity.py",
    "lab/test_boot_alone.py",
    "lab/test_lost_state.py",
    "lab",
    "contract",
    "properties/test_simulation.py",
    "properties",
)
"""Files and folders whose tests begin first, so that no worker is left with a long file at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; mark every test that needs the lab, so that `-m "not lab"` brings up none.

    Those are all of `tests/lab`, and the tests of a contract that use the fixture `lab`; a unit test's fixture
    of that name boots nothing. A test that asks for the fixture by name while it runs (`getfixturevalue`) has
    the mark on its parameter.
    """
    items.sort(key=_place)
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        uses_it = isinstance(item, pytest.Function) and "lab" in item.fixturenames
        if tier == "lab" or (tier == "contract" and uses_it):
            item.add_marker(pytest.mark.lab)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def _place(item: pytest.Item) -> int:
    path = item.path.relative_to(TESTS)
    named = (str(path), path.parts[0])
    return next((number for number, name in enumerate(LONGEST_FIRST) if name in named), len(LONGEST_FIRST))


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that a test calls says where all logs go from then on."""
    yield
    structlog.reset_defaults()


def pytest_sessionfinish() -> None:
    end_server()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    tiers: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if isinstance(report, pytest.TestReport):
                tier = report.nodeid.removeprefix("tests/").split("/")[0].split("::")[0]
                tiers.setdefault(tier, Counter())[outcome] += 1
    terminalreporter.section("tiers")
    for tier, counts in sorted(tiers.items()):
        terminalreporter.line(f"{tier:12} " + ", ".join(f"{counts[key]} {key}" for key in counts))
