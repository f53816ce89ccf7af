"""What the SQLite store does beyond the contract: what it writes, whom it refuses, how it survives."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from reconciler.model.desired import Revision, Snapshot, SourceFile
from reconciler.model.memory import Memory, NodeRecord, PodIntent
from reconciler.model.names import Ref
from reconciler.model.plan import DeploymentStatus
from reconciler.model.records import Event
from reconciler.model.secrets import SecretText
from reconciler.store.errors import StoreFailed, StoreLocked
from reconciler.store.ownership import holder_of
from reconciler.store.reader import open_reader
from reconciler.store.sqlite import EVENT_LIMIT, SqliteStore

WEB = Ref("Deployment", "shop", "web")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(directory: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(directory)
    yield store
    store.close()


def intent(uid: str, node: str = "node-1") -> PodIntent:
    return PodIntent(uid, "shop", uid, node, "hash", "revision")


def rows(directory: Path, table: str) -> int:
    with sqlite3.connect(directory / "state.db") as connection:
        count = int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    connection.close()
    return count


def total_changes(store: SqliteStore) -> int:
    return store._connection.total_changes


# --- what is written -----------------------------------------------------------------------------------------


def test_only_the_entry_that_changed_is_written(store: SqliteStore) -> None:
    memory = Memory(pods={str(number): intent(str(number)) for number in range(100)}, revision="a")
    store.save(memory)
    before = total_changes(store)
    store.save(msgspec.structs.replace(memory, pods={**memory.pods, "7": intent("7", "node-2")}))
    assert total_changes(store) - before == 1


def test_saving_and_publishing_the_same_again_writes_nothing(store: SqliteStore) -> None:
    memory = Memory(pods={"1": intent("1")})
    store.save(memory)
    store.publish({WEB: DeploymentStatus(WEB, 1, 1, 1, 1, 1)})
    before = total_changes(store)
    store.save(Memory(pods={"1": intent("1")}))
    store.publish({WEB: DeploymentStatus(WEB, 1, 1, 1, 1, 1)})
    assert total_changes(store) == before


def test_only_the_file_that_changed_is_kept_again(store: SqliteStore) -> None:
    files = [SourceFile(f"{number}.yaml", "old", b"x") for number in range(50)]
    store.keep_revision(Snapshot(Revision("a", "o"), tuple(files)))
    before = total_changes(store)
    files[3] = SourceFile("3.yaml", "new", b"y")
    store.keep_revision(Snapshot(Revision("b", "o"), tuple(files)))
    assert total_changes(store) - before == 2  # the file, and the revision's own row


def test_the_events_seen_longest_ago_go_first(store: SqliteStore) -> None:
    store.record([Event(WEB, "Normal", "Created", str(number)) for number in range(EVENT_LIMIT)])
    store.record([Event(WEB, "Normal", "Created", "0"), Event(WEB, "Normal", "Created", "new")])
    with open_reader(store._path.parent) as reader:
        messages = [event.message for event in reader.events()]
    assert len(messages) == EVENT_LIMIT
    assert messages[0] == "2"
    assert messages[-2:] == ["0", "new"]


@pytest.mark.rule(7)
def test_a_secret_is_refused_and_nothing_is_written(store: SqliteStore, directory: Path) -> None:
    hidden = Memory(pods={"1": intent("1")}, applied={WEB: {"data": {"password": SecretText("canary-7f3a")}}})
    with pytest.raises(TypeError, match="SecretText is never stored"):
        store.save(hidden)
    assert store.load() == Memory()
    assert not any(b"canary-7f3a" in file.read_bytes() for file in directory.iterdir())


# --- who may use it ------------------------------------------------------------------------------------------


@pytest.mark.rule(6, 12)
def test_directory_and_files_are_for_this_user_alone(store: SqliteStore, directory: Path) -> None:
    store.save(Memory(revision="a"))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert {"state.db", "state.db-wal", "lock"} <= set(names)
    assert set(names.values()) == {0o600}


def test_a_directory_that_others_may_write_to_is_refused(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(StoreFailed, match="other users may write"):
        SqliteStore(directory)


def test_a_database_that_is_a_symlink_is_refused(directory: Path, tmp_path: Path) -> None:
    directory.mkdir(0o700)
    (directory / "state.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreFailed):
        SqliteStore(directory)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.fault(80)
def test_a_second_instance_is_refused_and_told_who_holds_it(store: SqliteStore, directory: Path) -> None:
    with pytest.raises(StoreLocked) as refusal:
        SqliteStore(directory)
    assert f"pid {os.getpid()}" in str(refusal.value)
    assert "stop that one first" in str(refusal.value)
    store.save(Memory(revision="still usable"))


def test_the_holder_is_known_while_it_lives(store: SqliteStore, directory: Path) -> None:
    holder = holder_of(directory)
    assert holder is not None
    assert holder.pid == os.getpid()
    store.close()
    assert holder_of(directory) is None


def test_a_forked_child_does_not_keep_the_lock_of_a_dead_parent(store: SqliteStore, directory: Path) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)  # until the parent closes its end
        os._exit(0)
    os.close(read)
    try:
        store.close()
        SqliteStore(directory).close()
    finally:
        os.close(write)
        os.waitpid(child, 0)


# --- what it refuses to open ---------------------------------------------------------------------------------


@pytest.mark.fault(80)
def test_a_newer_schema_is_refused(store: SqliteStore, directory: Path) -> None:
    store.close()
    with sqlite3.connect(directory / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreFailed, match=r"schema version 99.*knows version 2.*newer one"):
        SqliteStore(directory)
    with pytest.raises(StoreFailed, match="schema version 99"):
        open_reader(directory)
    assert holder_of(directory) is None


def test_another_programs_database_is_refused(directory: Path) -> None:
    directory.mkdir(0o700)
    with sqlite3.connect(directory / "state.db") as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with pytest.raises(StoreFailed, match="another program"):
        SqliteStore(directory)


@pytest.mark.fault(76)
@pytest.mark.parametrize("offset", [0, 4096 + 8])
def test_a_corrupt_file_is_refused_and_left_as_it_is(directory: Path, offset: int) -> None:
    with_store = SqliteStore(directory)
    with_store.save(Memory(pods={str(number): intent(str(number)) for number in range(500)}))
    with_store.close()
    path = directory / "state.db"
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * 3000)
    damaged = path.read_bytes()
    with pytest.raises(StoreFailed, match="move the file away"):
        SqliteStore(directory)
    assert path.read_bytes() == damaged


def test_a_row_nobody_understands_is_an_error_and_not_an_empty_memory(store: SqliteStore, directory: Path) -> None:
    store.save(Memory(pods={"1": intent("1")}))
    store.close()
    with sqlite3.connect(directory / "state.db") as connection:
        connection.execute("""UPDATE memory SET value = '{"uid": 3}'""")
    connection.close()
    reopened = SqliteStore(directory)
    with pytest.raises(StoreFailed, match="cannot be understood"):
        reopened.load()
    reopened.close()


@pytest.mark.fault(76)
def test_a_locked_database_fails_within_its_deadline(
    store: SqliteStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(directory / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="locked"):
        store.save(Memory(revision="a"))
    other.execute("ROLLBACK")
    other.close()
    store.save(Memory(revision="a"))
    assert store.load().revision == "a"


def test_a_reader_says_where_state_is_missing(directory: Path) -> None:
    with pytest.raises(StoreFailed, match="there is no state here"):
        open_reader(directory)


def test_a_reader_sees_each_complete_write_of_a_living_writer(store: SqliteStore, directory: Path) -> None:
    with open_reader(directory) as reader:
        assert reader.published_at() is None
        store.save(Memory(revision="a", nodes={"n": NodeRecord("n")}))
        store.publish({WEB: DeploymentStatus(WEB, 1, 1, 1, 1, 1)})
        store.keep_revision(Snapshot(Revision("a", "folder"), ()))
        assert reader.memory() == store.load()
        assert list(reader.statuses()) == [WEB]
        assert reader.revision() == Revision("a", "folder")
        assert reader.published_at() == pytest.approx(time.time(), abs=60)
        assert reader.holder() is not None


# --- what it survives ----------------------------------------------------------------------------------------

RUN_UNTIL_KILLED = """
import sys
from reconciler.model.desired import Revision, Snapshot, SourceFile
from reconciler.model.memory import Memory, NodeRecord, PodIntent
from reconciler.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
turn = int(store.load().revision or 0)
while True:
    turn += 1
    name = str(turn)
    store.save(Memory(
        pods={f"{name}-{n}": PodIntent(f"{name}-{n}", "ns", name, "node", "hash", name) for n in range(20)},
        nodes={"node": NodeRecord("node", name)}, revision=name))
    files = tuple(SourceFile(f"{n}.yaml", name, name.encode()) for n in range(5))
    store.keep_revision(Snapshot(Revision(name, ""), files))
    print(name, flush=True)
"""


@pytest.mark.fault(75)
def test_a_writer_killed_at_any_moment_leaves_all_or_nothing(directory: Path) -> None:
    for attempt in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", RUN_UNTIL_KILLED, str(directory)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        writer.stdout.readline()  # it has begun to write
        time.sleep(0.002 * attempt)
        writer.send_signal(signal.SIGKILL)
        told = writer.stdout.read().split()
        writer.stdout.close()
        writer.wait(10)
        with SqliteStore(directory) as store:
            memory, kept = store.load(), store.last_revision()
        turn = memory.revision
        assert int(turn) >= int(told[-1] if told else 1), "what was told as saved is there"
        assert set(memory.pods) == {f"{turn}-{number}" for number in range(20)}
        assert memory.nodes == {"node": NodeRecord("node", turn)}
        assert kept is not None
        assert int(kept.revision.id) in (int(turn), int(turn) - 1)
        assert {file.digest for file in kept.files} == {kept.revision.id}
        assert len(kept.files) == 5


@pytest.mark.fault(76)
def test_a_full_disk_fails_the_save_and_keeps_what_was_saved(store: SqliteStore) -> None:
    good = Memory(pods={"1": intent("1")}, revision="good")
    store.save(good)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    used = store._path.with_name("state.db-wal").stat().st_size
    too_much = Memory(pods={str(number): intent(str(number)) for number in range(3000)}, revision="too much")
    resource.setrlimit(resource.RLIMIT_FSIZE, (used + 20_000, limits[1]))
    try:
        with pytest.raises(StoreFailed, match=r"free|disk"):
            store.save(too_much)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.load() == good
    store.save(too_much)
    assert store.load() == too_much


def test_a_save_after_close_is_an_error_and_never_silent(store: SqliteStore) -> None:
    store.close()
    with pytest.raises(StoreFailed):
        store.save(Memory(revision="lost"))
