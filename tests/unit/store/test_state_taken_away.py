"""The state's files are removed, replaced or overwritten under the process that writes to them."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.records import Event
from reconciler.store.errors import StateLost
from reconciler.store.schema import DATABASE_FILE
from reconciler.store.sqlite import SqliteStore
from reconciler.stores import open_reader

ONE = replace(Memory(), incarnations={Ref("Deployment", "default", "web"): 1})
TWO = replace(Memory(), incarnations={Ref("Deployment", "default", "web"): 2})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(state: Path) -> Iterator[SqliteStore]:
    with SqliteStore(state) as store:
        store.save(ONE)
        yield store


def _remove(state: Path) -> None:
    shutil.rmtree(state)


def _remove_the_database(state: Path) -> None:
    (state / DATABASE_FILE).unlink()


def _remove_the_log(state: Path) -> None:
    (state / f"{DATABASE_FILE}-wal").unlink()


def _remove_the_lock(state: Path) -> None:
    (state / "lock").unlink()


def _replace_the_lock(state: Path) -> None:
    (state / "new").touch()
    os.replace(state / "new", state / "lock")


def _move(state: Path) -> None:
    state.rename(state.with_name("elsewhere"))


def _replace(state: Path) -> None:
    shutil.copy(state / DATABASE_FILE, state / "copy")
    os.replace(state / "copy", state / DATABASE_FILE)


def _overwrite(state: Path) -> None:
    content = (state / DATABASE_FILE).read_bytes()
    (state / DATABASE_FILE).write_bytes(content)


def _empty(state: Path) -> None:
    os.truncate(state / DATABASE_FILE, 0)


@pytest.mark.fault(76)
@pytest.mark.parametrize(
    "harm",
    [
        *(_remove, _remove_the_database, _remove_the_log, _remove_the_lock, _replace_the_lock),
        *(_move, _replace, _overwrite, _empty),
    ],
)
def test_nothing_is_written_any_more_and_the_message_says_how_to_go_on(
    store: SqliteStore, state: Path, harm: Callable[[Path], None]
) -> None:
    store.check()
    harm(state)
    event = Event(Ref("Store", "", "state"), "Normal", "Tested", "x")
    for write in (
        store.check,
        lambda: store.save(TWO),
        lambda: store.save(ONE),
        lambda: store.publish({}),
        lambda: store.record([event]),
    ):
        with pytest.raises(StateLost, match=r"while this reconciler runs on it .*start it again"):
            write()


def test_what_comes_back_as_it_was_is_written_to_again(store: SqliteStore, state: Path) -> None:
    _move(state)
    with pytest.raises(StateLost):
        store.check()
    state.with_name("elsewhere").rename(state)
    store.save(TWO)
    with open_reader(state) as reader:
        assert reader.memory().incarnations == TWO.incarnations


def test_many_writes_and_readers_are_no_harm(store: SqliteStore, state: Path) -> None:
    for number in range(300):
        count = replace(
            Memory(), incarnations={Ref("Deployment", "default", f"web{i}"): number for i in range(50)}
        )
        store.save(count)
        if number % 50 == 0:
            with open_reader(state) as reader:
                assert len(reader.memory().incarnations) == 50
    store.check()


@pytest.mark.fault(79)
def test_a_state_is_the_same_after_a_restart_and_a_copy_of_it_is_another(state: Path) -> None:
    with SqliteStore(state) as store:
        first = store.identity
    with SqliteStore(state) as store:
        assert store.identity == first
    shutil.copytree(state, state.with_name("copy"))
    with SqliteStore(state.with_name("copy")) as copy:
        assert copy.identity != first
