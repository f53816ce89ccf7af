"""What a command does not need, it does not import: most of the time of a short command is spent on libraries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.stores import open_store

ROOT = Path(__file__).parents[3]
PROGRAM = """\
import json, sys
from reconciler.cli import cli
try:
    cli.main(sys.argv[1:], standalone_mode=False)
except Exception:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
HOSTS = {"docker", "requests", "urllib3", "paramiko", "invoke"}
GIT = {"pygit2"}
CERTIFICATES = {"acme", "josepy", "cryptography"}
WATCHING = {"watchdog", "structlog"}
EXPLAINING = {"jsonschema", "referencing"}
SHOWING = {"rich"}
SERVING = {"prometheus_client", "asyncio", "http"}
NOT_FOR_READING = HOSTS | GIT | CERTIFICATES | WATCHING | SERVING


def imported(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("state")
    open_store(folder).close()
    return str(folder)


def test_help_needs_the_command_line_alone() -> None:
    reading = {"msgspec", "yaml", "jsonschema_rs"}
    assert imported("--help") & (reading | NOT_FOR_READING | EXPLAINING | SHOWING) == set()


def test_validate_needs_neither_hosts_nor_what_explains_and_shows_problems() -> None:
    found = imported("validate", str(ROOT / "example-repo"))
    assert "jsonschema_rs" in found
    assert found & (NOT_FOR_READING | EXPLAINING | SHOWING) == set()


def test_validate_explains_problems_without_hosts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n")
    found = imported("validate", str(tmp_path))
    assert found & NOT_FOR_READING == set()
    assert found >= EXPLAINING | SHOWING


@pytest.mark.parametrize("arguments", [("get", "pods"), ("get", "nodes", "-o", "json"), ("events",)])
def test_what_shows_the_state_needs_no_hosts(state: str, arguments: tuple[str, ...]) -> None:
    found = imported(*arguments, "--state", state)
    assert "sqlite3" in found
    assert found & (NOT_FOR_READING | EXPLAINING) == set()


def test_a_diff_of_a_rejected_revision_meets_no_host(tmp_path: Path, state: str) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n")
    found = imported("diff", str(tmp_path), "--state", state)
    assert found & (HOSTS | GIT | CERTIFICATES) == set()
