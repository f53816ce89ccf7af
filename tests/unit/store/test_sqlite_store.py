"""What the SQLite store does beyond the contract: what it writes, whom it refuses, how it survives."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import Pod, PodSpec
from reconciler.model.desired import Revision, SourceFile, SourceSnapshot
from reconciler.model.memory import Memory, NodeRecord, PodIntent, RestartRecord, TemplateRevision
from reconciler.model.names import Ref
from reconciler.model.records import Event
from reconciler.model.secrets import SecretText
from reconciler.store.encoding import decoder
from reconciler.store.errors import StoreFailed, StoreLocked
from reconciler.store.ownership import holder_of
from reconciler.store.reader import open_reader
from reconciler.store.sqlite import EVENT_LIMIT, SqliteStore
from tests.published import deployment

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
    store.publish({WEB: deployment(WEB, 1, 1, 1, 1, 1)})
    before = total_changes(store)
    store.save(Memory(pods={"1": intent("1")}))
    store.publish({WEB: deployment(WEB, 1, 1, 1, 1, 1)})
    assert total_changes(store) == before


def test_only_the_file_that_changed_is_kept_again(store: SqliteStore) -> None:
    files = [SourceFile(f"{number}.yaml", "old", b"x") for number in range(50)]
    store.keep_revision(SourceSnapshot(Revision("a", "o"), tuple(files)))
    before = total_changes(store)
    files[3] = SourceFile("3.yaml", "new", b"y")
    store.keep_revision(SourceSnapshot(Revision("b", "o"), tuple(files)))
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
    with pytest.raises(StoreFailed, match=r"schema version 99.*knows version 5.*newer one"):
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
        store.publish({WEB: deployment(WEB, 1, 1, 1, 1, 1)})
        store.keep_revision(SourceSnapshot(Revision("a", "folder"), ()))
        assert reader.memory() == store.load()
        assert list(reader.statuses()) == [WEB]
        assert reader.revision() == Revision("a", "folder")
        assert reader.published_at() == pytest.approx(time.time(), abs=60)
        assert reader.holder() is not None


# --- what it survives ----------------------------------------------------------------------------------------

RUN_UNTIL_KILLED = """
import sys
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Revision, SourceSnapshot, SourceFile
from reconciler.model.memory import Memory, NodeRecord, PodIntent, RestartRecord, TemplateRevision
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
    store.keep_revision(SourceSnapshot(Revision(name, ""), files))
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


# --- templates, and what was written before they were rows of their own ----------------------------------------


def of_template(uid: str, image: str) -> PodIntent:
    return msgspec.structs.replace(intent(uid), spec=PodSpec((Container("app", image),)))


def parts(store: SqliteStore) -> Counter[str]:
    return Counter(part for (part,) in store._connection.execute("SELECT part FROM memory"))


def test_pods_of_one_template_have_one_row_for_it_which_goes_with_the_last(
    store: SqliteStore, directory: Path
) -> None:
    pods = {str(number): of_template(str(number), f"web:{number % 2}") for number in range(10)}
    store.save(Memory(pods=pods))
    assert parts(store) == {"pods": 10, "templates": 2}
    store.close()
    again = SqliteStore(directory)
    assert again.load().pods == pods
    assert again.load().pods["1"].spec is again.load().pods["3"].spec
    again.save(Memory(pods={uid: pod for uid, pod in again.load().pods.items() if uid in ("0", "2", "3")}))
    assert parts(again) == {"pods": 3, "templates": 2}
    again.save(Memory(pods={"0": of_template("0", "web:1"), "2": again.load().pods["2"]}))
    assert parts(again) == {"pods": 2, "templates": 2}
    again.save(Memory(pods={"0": of_template("0", "web:1")}))
    assert parts(again) == {"pods": 1, "templates": 1}
    again.save(Memory())
    assert parts(again) == {}
    again.close()


def test_a_template_that_another_version_wrote_in_other_words_stays_until_its_last_pod_is_written_anew(
    store: SqliteStore, directory: Path
) -> None:
    pods = {str(number): of_template(str(number), "web:1") for number in range(3)}
    store.save(Memory(pods=pods))
    db = store._connection
    (digest,) = (key for (key,) in db.execute("SELECT key FROM memory WHERE part = 'templates'"))
    db.execute("UPDATE memory SET key = 'theirs' WHERE part = 'templates'")
    db.execute("UPDATE memory SET value = replace(value, ?, 'theirs') WHERE part = 'pods'", (digest,))
    store.close()
    for number in range(3):
        again = SqliteStore(directory)
        before = again.load().pods
        assert before == pods
        changed = msgspec.structs.replace(before[str(number)], reason="moved")
        again.save(Memory(pods={**before, str(number): changed}))
        again.close()
        pods[str(number)] = changed
    again = SqliteStore(directory)
    assert again.load().pods == pods
    assert parts(again) == {"pods": 3, "templates": 1}
    again.close()


def test_a_revision_of_a_template_has_its_row_also_without_a_pod(store: SqliteStore, directory: Path) -> None:
    pods = {str(number): of_template(str(number), "web:2") for number in range(3)}
    old, new = of_template("0", "web:1").spec, pods["0"].spec
    history = (TemplateRevision("a", 1, old, {"app": "web"}), TemplateRevision("b", 2, new))
    memory = Memory(pods=pods, template_revisions={WEB: history})
    store.save(memory)
    assert parts(store) == {"pods": 3, "templates": 2, "template_revisions": 1}
    store.close()
    again = SqliteStore(directory)
    assert again.load() == memory
    assert again.load().template_revisions[WEB][1].spec is again.load().pods["0"].spec
    again.save(Memory(template_revisions={WEB: history[1:]}))
    assert parts(again) == {"templates": 1, "template_revisions": 1}
    again.save(Memory())
    assert parts(again) == {}
    again.close()


def test_only_the_pods_that_are_named_are_looked_at(store: SqliteStore) -> None:
    pods = {str(number): intent(str(number)) for number in range(3)}
    store.save(Memory(pods=pods, runs={uid: {"app": RestartRecord()} for uid in pods}))
    before = total_changes(store)
    moved = {"0": intent("0", "node-9"), "2": pods["2"], "3": intent("3")}
    store.save(Memory(pods=moved, runs={"2": {"app": RestartRecord()}}), pods=["0", "1", "3"])
    assert total_changes(store) - before == 5
    assert store.load().pods == moved


def test_only_the_statuses_that_are_named_are_looked_at(store: SqliteStore, directory: Path) -> None:
    api = Ref("Deployment", "shop", "api")
    first = {WEB: deployment(WEB, 1, 1, 1, 1, 1), api: deployment(api, 1, 1, 1, 1, 1)}
    store.publish(first, changed=())
    second = {WEB: deployment(WEB, 2, 1, 1, 1, 1)}
    store.publish(second, changed=[WEB, api])
    with open_reader(directory) as reader:
        (found,) = reader.statuses().values()
        assert isinstance(found, Deployment)
        assert found.status == second[WEB].status


def test_a_state_of_the_version_before_is_brought_up_to_date(directory: Path) -> None:
    """It was made by that version: `version-2.sql` is its dump."""
    directory.mkdir(0o700)
    with sqlite3.connect(directory / "state.db") as connection:
        connection.executescript((Path(__file__).parent / "version-2.sql").read_text())
        connection.execute("UPDATE statuses SET status = json_set(status, '$.created', 1795435200.25)")
    before = {
        key: decoder(PodIntent).decode(value)
        for key, value in connection.execute("SELECT key, value FROM memory WHERE part = 'pods'")
    }
    connection.close()
    with SqliteStore(directory) as store:
        memory = store.load()
        assert parts(store)["templates"] == 1
        assert memory.pods == before
        assert memory.nodes["node-1"].pod_cidr == "10.244.1.0/24"
        changes = total_changes(store)
        store.save(msgspec.structs.replace(memory, pods={**memory.pods}))
        assert total_changes(store) == changes
        published = store.published()
        assert published
        assert {ref.kind for ref in published} <= {"Pod", "Service", "Ingress"}
        assert {thing.metadata.creation_timestamp for thing in published.values()} == {"2026-11-23T12:00:00Z"}
        with_times = [one.status.conditions for one in published.values() if isinstance(one, Pod)]
        assert all(each.last_transition_time for conditions in with_times for each in conditions)
        store.save(msgspec.structs.replace(memory, pods={}))
        assert parts(store)["templates"] == 0


def versions(directory: Path) -> dict[str, int]:
    with open_reader(directory) as reader:
        return {ref.name: int(thing.metadata.resource_version) for ref, thing in reader.statuses().items()}


def test_an_objects_resource_version_is_the_counter_of_its_last_write(directory: Path) -> None:
    api = Ref("Deployment", "shop", "api")
    things = {WEB: deployment(WEB, 1, 1, 1, 1, 1), api: deployment(api, 1, 1, 1, 1, 1)}
    with SqliteStore(directory) as store:
        store.publish(things)
        first = versions(directory)
        store.publish({**things, api: deployment(api, 2, 1, 1, 1, 1)})
        second = versions(directory)
    assert first["web"] == first["api"] == second["web"] < second["api"]
    with SqliteStore(directory) as store:
        store.publish({**things, api: deployment(api, 2, 1, 1, 1, 1)})
        assert versions(directory) == second, "a restart writes nothing anew"
