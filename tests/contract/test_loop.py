"""The loop over a real database, with hosts in memory: what goes wrong with the state harms no pod."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from reconciler.model.operations import CreateContainer, RemoveContainer
from reconciler.store.sqlite import SqliteStore
from tests.unit.control.test_loop import NODE, WEB, Cell, until


class KeptCell(Cell):
    """One whose state is a database in a directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory

    def open(self) -> SqliteStore:
        store = SqliteStore(self.directory)
        self.store = cast(Any, store)
        return store


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[KeptCell]:
    cell = KeptCell(tmp_path / "state")
    yield cell
    cast(SqliteStore, cell.store).close()


def full(cell: KeptCell, store: SqliteStore) -> Callable[[], None]:
    """Not a page more than the database has by now."""
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: store._connection.execute("PRAGMA max_page_count = 1000000").close()


def locked(cell: KeptCell, store: SqliteStore) -> Callable[[], None]:
    store._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(cell.directory / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def end() -> None:
        other.execute("ROLLBACK")
        other.close()

    return end


def corrupt(cell: KeptCell, store: SqliteStore) -> None:
    """Every page but the first; nobody takes such a file for good again while the reconciler runs."""
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store._connection.execute("PRAGMA cache_size = 0")
    file = cell.directory / "state.db"
    good = file.read_bytes()
    with file.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xa5" * (len(good) - 4096))


@pytest.mark.fault(76)
@pytest.mark.parametrize("fault", [full, locked, corrupt])
def test_while_the_database_takes_nothing_no_host_is_changed_and_pods_run(
    cell: KeptCell,
    fault: Callable[[KeptCell, SqliteStore], Callable[[], None] | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconciler.control.loop.STORE_RETRY_SECONDS", 0.05)
    store = cell.open()
    cell.web(2)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        before, pods = cell.calls(), cell.pods()
        heal = fault(cell, store)
        cell.web(40, tag="2")
        until(lambda: "StoreFailed" in cell.told.reasons())
        time.sleep(0.3)
        assert (cell.calls(), cell.pods()) == (before, pods)
        assert cell.told.reasons().count("StoreFailed") == 1
        if heal is None:
            return
        heal()
        until(lambda: len(cell.pods(":2")) == 40 and not cell.pods(":1"), 30)


@pytest.mark.fault(79)
def test_an_old_backup_of_the_state_is_put_in_place_and_everything_goes_on(cell: KeptCell, tmp_path: Path) -> None:
    cell.source.put("old.yaml", WEB.format(replicas=1, tag=1).replace("web", "old").replace("old:1", "web:1"))
    cell.web(2)
    run_once(cell)
    shutil.copytree(cell.directory, backup := tmp_path / "backup")
    cell.source.remove("old.yaml")
    cell.source.put("new.yaml", WEB.format(replicas=2, tag=1).replace("web", "new").replace("new:1", "web:1"))
    cell.source.put("third.yaml", NODE.format("c", 3).removeprefix("---\n"))
    cell.web(5, tag="2")
    run_once(cell)
    pods, before = sorted(cell.pods()), {host.name: len(host.calls) for host in cell.hosts.values()}
    assert len(pods) == 7
    shutil.rmtree(cell.directory)
    shutil.copytree(backup, cell.directory)
    run_once(cell)
    assert sorted(cell.pods()) == pods
    later = [call for host in cell.hosts.values() for call in host.calls[before[host.name] :]]
    made = {call.config.name for call in later if isinstance(call, CreateContainer)}
    ended = {call.container for call in later if isinstance(call, RemoveContainer)}
    assert ended <= made, "what ran is adopted, and not touched"


def run_once(cell: KeptCell) -> None:
    """As `apply` does: in the end the hosts are given up, and the state."""
    store = cell.open()
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons(), 30)
    for host in cell.hosts.values():
        host.stop(release=True)
    store.close()
