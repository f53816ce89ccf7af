"""What a folder does beyond the contract: editors, half-written files, and everything that is no plain file."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify import InotifyEmitter

from reconciler.model.desired import Rejected, SourceSnapshot, Unavailable
from reconciler.sources import folder_watch, rules
from reconciler.sources.folder import FolderSource
from reconciler.sources.folder_tree import FolderTree, Uncertain


class Changes:
    """Counts the calls of `changed`, and waits for them."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0
        self.last = 0.0

    def __call__(self) -> None:
        with self._condition:
            self.count += 1
            self.last = time.monotonic()
            self._condition.notify_all()

    def wait_for(self, count: int, seconds: float = 20.0) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: self.count >= count, seconds), f"{self.count} < {count}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    return folder


@pytest.fixture
def source(folder: Path) -> Iterator[FolderSource]:
    source = FolderSource(folder)
    yield source
    source.close()


def write(path: Path, text: str = "a: 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def settled(path: Path, text: str = "a: 1\n") -> Path:
    """A file that was written a while ago."""
    write(path, text)
    os.utime(path, (time.time() - 60,) * 2)
    return path


def snapshot(source: FolderSource) -> SourceSnapshot:
    found = source.read()
    assert isinstance(found, SourceSnapshot), found
    return found


def paths(found: SourceSnapshot) -> list[str]:
    return [file.path for file in found.files]


def wait_until_read(source: FolderSource, changes: Changes, wanted: Callable[[SourceSnapshot], bool]) -> None:
    """Reads once per call of `changed`, as the loop does."""
    while True:
        count = changes.count
        if isinstance(found := source.read(), SourceSnapshot) and wanted(found):
            return
        changes.wait_for(count + 1, 10)


def problems(source: FolderSource) -> dict[str, str]:
    found = source.read()
    assert isinstance(found, Rejected), found
    return {problem.place.path: problem.code for problem in found.problems}


# --- which files ---------------------------------------------------------------------------------------------


def test_only_manifests_outside_of_hidden_folders_are_read(folder: Path, source: FolderSource) -> None:
    for name in ("b.yaml", "a/x.yml", "a/y.json", "a.yaml"):
        settled(folder / name)
    for name in (
        "README.md",
        ".git/config.yaml",
        ".github/workflows/ci.yaml",
        ".b.yaml.swp",
        ".#b.yaml",
        "b.yaml~",
    ):
        settled(folder / name)
    assert [file.path for file in snapshot(source).files] == ["a.yaml", "a/x.yml", "a/y.json", "b.yaml"]


@pytest.mark.fault(11)
@pytest.mark.rule(1)
def test_links_pipes_sockets_and_devices_are_rejected_and_never_opened(folder: Path, source: FolderSource) -> None:
    settled(folder / "good.yaml")
    canary = settled(folder.parent / "canary.yaml", "secret")
    (folder / "link.yaml").symlink_to(canary)
    (folder / "dangling.yaml").symlink_to("nowhere")
    (folder / "above").symlink_to("..")
    os.mkfifo(folder / "pipe.yaml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.yaml"))
        assert problems(source) == {
            "link.yaml": "symlink",
            "dangling.yaml": "symlink",
            "above": "symlink",
            "pipe.yaml": "special-file",
            "socket.yaml": "special-file",
        }


def test_what_bears_no_manifests_name_is_nobodys_business(folder: Path, source: FolderSource) -> None:
    settled(folder / "good.yaml")
    (folder / "README.md").symlink_to("../README.md")
    os.mkfifo(folder / "pipe")
    assert [file.path for file in snapshot(source).files] == ["good.yaml"]


@pytest.mark.fault(13)
def test_a_large_file_is_rejected_without_reading_it(folder: Path, source: FolderSource) -> None:
    path = settled(folder / "large.yaml")
    os.truncate(path, 100 << 30)
    os.utime(path, (0, 0))
    assert problems(source) == {"large.yaml": "file-too-large"}


@pytest.mark.fault(10)
def test_an_unreadable_file_rejects_the_revision_and_is_never_taken_for_absent() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        settled(folder / "good.yaml")
        settled(folder / "private.yaml").chmod(0)
        (folder / "closed").mkdir(mode=0)
        source = FolderSource(folder)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        try:
            assert problems(source) == {"private.yaml": "unreadable-file", "closed": "unreadable-file"}
        finally:
            os.seteuid(me)
        (folder / "private.yaml").chmod(0o644)
        (folder / "closed").chmod(0o755)
        assert len(snapshot(source).files) == 2


@pytest.mark.fault(38)
def test_a_git_lfs_pointer_is_rejected(folder: Path, source: FolderSource) -> None:
    settled(folder / "big.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert problems(source) == {"big.yaml": "lfs-pointer"}


@pytest.mark.fault(26)
@pytest.mark.rule(11)
def test_a_name_that_could_fool_a_terminal_is_rejected_and_escaped(folder: Path, source: FolderSource) -> None:
    settled(folder / "a\x1b[31m.yaml")
    settled(folder / os.fsdecode(b"b\xff.yaml"))
    assert problems(source) == {"a\\x1b[31m.yaml": "bad-path", "b\\udcff.yaml": "bad-path"}


def test_too_many_files_or_folders_are_rejected(
    folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        settled(folder / f"{number}.yaml")
    monkeypatch.setattr(rules, "MAX_FILES", 10)
    assert problems(source) == {".": "too-many-files"}
    settled(folder / "/".join("abcdefgh" * 5) / "x.yaml")
    monkeypatch.undo()
    assert set(problems(source).values()) == {"too-deep"}


# --- revisions -----------------------------------------------------------------------------------------------


def test_more_bytes_than_manifests_need_are_rejected_however_they_came(
    folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_TOTAL_BYTES", 1000)
    for number in range(10):
        settled(folder / f"{number}.yaml", "x" * 90)
    tree = FolderTree(str(folder), settle=0.05)
    root = os.open(folder, os.O_RDONLY)
    assert isinstance(tree.look_at_all(root), SourceSnapshot)
    settled(folder / "3.yaml", "x" * 300)
    with pytest.raises(Uncertain):
        tree.look_at(root, frozenset({"3.yaml"}))
    os.close(root)
    assert problems(source) == {".": "too-many-files"}


def test_one_byte_more_than_manifests_need_is_too_much(
    folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_TOTAL_BYTES", 100)
    settled(folder / "only.yaml", "x" * 101)
    assert problems(source) == {".": "too-many-files"}


def test_a_file_that_is_too_large_is_named_however_large_it_is(folder: Path, source: FolderSource) -> None:
    with settled(folder / "a.yaml").open("wb") as file:
        file.truncate(rules.MAX_TOTAL_BYTES + 1)
    os.utime(folder / "a.yaml", (0, 0))
    settled(folder / "b.yaml")
    assert problems(source) == {"a.yaml": "file-too-large"}


def test_the_same_content_is_the_same_revision_wherever_and_whenever_it_was_written(tmp_path: Path) -> None:
    for name in ("one", "two"):
        settled(tmp_path / name / "a.yaml")
        settled(tmp_path / name / "b/c.yaml", name[:0])
    one, two = (snapshot(FolderSource(tmp_path / name)) for name in ("one", "two"))
    assert one.revision.id == two.revision.id
    assert one.revision.id.startswith("sha256:")
    settled(tmp_path / "two" / "a.yaml", "a: 2\n")
    assert snapshot(FolderSource(tmp_path / "two")).revision.id != one.revision.id


def test_a_file_touched_but_not_changed_is_the_same_snapshot(folder: Path, source: FolderSource) -> None:
    path = settled(folder / "a.yaml")
    before = snapshot(source)
    os.utime(path, (1000, 1000))
    assert snapshot(source) is before


def test_reading_waits_until_a_file_has_been_left_alone(folder: Path, source: FolderSource) -> None:
    write(folder / "a.yaml")
    assert snapshot(source).files[0].content == b"a: 1\n"


@pytest.mark.fault(3)
def test_a_folder_that_is_missing_is_unavailable_and_not_empty(tmp_path: Path) -> None:
    found = FolderSource(tmp_path / "mistyped").read()
    assert isinstance(found, Unavailable)
    assert "No such file or directory" in found.why


def test_a_file_in_the_place_of_the_folder_is_unavailable(tmp_path: Path) -> None:
    found = FolderSource(settled(tmp_path / "file.yaml")).read()
    assert isinstance(found, Unavailable)
    assert found.why == f"{tmp_path}/file.yaml is a file, and a source is a folder of manifests"
    assert found.fix == f"name the folder it is in: {tmp_path}"


# --- watching ------------------------------------------------------------------------------------------------


@pytest.fixture
def changes(folder: Path, source: FolderSource) -> Changes:
    settled(folder / "a.yaml")
    settled(folder / "sub/b.yaml")
    changes = Changes()
    source.watch(changes)
    snapshot(source)
    return changes


def test_a_save_is_heard_of_and_read_at_once(folder: Path, source: FolderSource, changes: Changes) -> None:
    before = snapshot(source)
    write(folder / "sub/b.yaml", "b: 2\n")
    changes.wait_for(1)
    after = snapshot(source)
    assert [file.content for file in after.files] == [b"a: 1\n", b"b: 2\n"]
    assert after.files[0] is before.files[0]


@pytest.mark.fault(6)
def test_a_file_written_in_two_chunks_is_one_change(folder: Path, source: FolderSource, changes: Changes) -> None:
    with (folder / "a.yaml").open("w", buffering=1) as file:
        file.write("first: 1\n")
        time.sleep(0.3)
        assert changes.count == 0
        file.write("second: 2\n")
    changes.wait_for(1)
    assert snapshot(source).files[0].content == b"first: 1\nsecond: 2\n"
    time.sleep(0.2)
    assert changes.count == 1


@pytest.mark.fault(6)
def test_reading_in_the_middle_of_a_write_waits_for_its_end(
    folder: Path, source: FolderSource, changes: Changes
) -> None:
    file = (folder / "a.yaml").open("w", buffering=1)
    file.write("first: 1\n")
    time.sleep(0.15)

    def finish() -> None:
        file.write("second: 2\n")
        file.close()

    closing = threading.Timer(0.3, finish)
    closing.start()
    assert snapshot(source).files[0].content == b"first: 1\nsecond: 2\n"
    closing.join()


@pytest.mark.fault(6)
def test_a_file_is_not_read_for_as_long_as_somebody_writes_to_it(
    folder: Path, source: FolderSource, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_watch, "WRITER_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(folder_watch, "LONGEST_WAIT_SECONDS", 0.3)
    monkeypatch.setattr("reconciler.sources.folder.SETTLED_WITHIN_SECONDS", 0.2)
    before = snapshot(source)
    with (folder / "a.yaml").open("w") as file:  # As the shell does for `slow program > a.yaml`.
        changes.wait_for(1)
        found = source.read()
        assert isinstance(found, Unavailable)
        assert "a.yaml is still being written" in found.why
        file.write("late: 1\n")
    wait_until_read(source, changes, lambda found: found.revision != before.revision)
    assert snapshot(source).files[0].content == b"late: 1\n"


@pytest.mark.fault(6)
def test_at_the_first_look_too(folder: Path, source: FolderSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.sources.folder.SETTLED_WITHIN_SECONDS", 0.2)
    settled(folder / "a.yaml")
    with (folder / "b.yaml").open("w") as file:
        file.write("a: 1\n---\n")
        file.flush()
        os.utime(folder / "b.yaml", (time.time() - 60,) * 2)
        with (folder / "a.yaml").open():  # Who only reads is no writer.
            found = source.read()
    assert isinstance(found, Unavailable)
    assert "b.yaml is still being written" in found.why
    assert paths(snapshot(source)) == ["a.yaml", "b.yaml"]


@pytest.mark.fault(7)
def test_an_editors_save_by_rename_is_one_change_and_no_file_is_ever_missing(
    folder: Path, source: FolderSource, changes: Changes
) -> None:
    write(folder / "4913").unlink()
    write(folder / ".a.yaml.swp", "swap")
    os.rename(folder / "a.yaml", folder / "a.yaml~")
    write(folder / "a.yaml", "a: 2\n")
    (folder / "a.yaml~").unlink()
    (folder / ".a.yaml.swp").unlink()
    changes.wait_for(1)
    assert [file.content for file in snapshot(source).files] == [b"a: 2\n", b"a: 1\n"]
    write(folder / "a.yaml.tmp123", "a: 3\n")
    os.replace(folder / "a.yaml.tmp123", folder / "a.yaml")
    changes.wait_for(2)
    assert snapshot(source).files[0].content == b"a: 3\n"
    time.sleep(0.2)
    assert changes.count == 2


@pytest.mark.fault(7)
def test_swap_files_alone_are_no_change(folder: Path, changes: Changes) -> None:
    write(folder / ".a.yaml.swp")
    write(folder / "a.yaml~")
    write(folder / ".git/HEAD")
    time.sleep(0.3)
    assert changes.count == 0


def test_new_and_removed_files_and_folders_are_seen(folder: Path, source: FolderSource, changes: Changes) -> None:
    write(folder / "new/deep/c.yaml")
    (folder / "a.yaml").unlink()
    wait_until_read(source, changes, lambda found: paths(found) == ["new/deep/c.yaml", "sub/b.yaml"])
    os.rename(folder / "new", folder.parent / "moved away")
    wait_until_read(source, changes, lambda found: paths(found) == ["sub/b.yaml"])


@pytest.mark.fault(11)
@pytest.mark.rule(1)
def test_a_link_that_appears_later_is_rejected(folder: Path, source: FolderSource, changes: Changes) -> None:
    (folder / "out").symlink_to("/etc")
    changes.wait_for(1)
    assert problems(source) == {"out": "symlink"}
    (folder / "out").unlink()
    changes.wait_for(2)
    assert len(snapshot(source).files) == 2


@pytest.mark.rule(1)
def test_a_folder_swapped_for_a_link_never_leads_outside(
    folder: Path, source: FolderSource, changes: Changes
) -> None:
    outside = settled(folder.parent / "outside/b.yaml", "canary").parent
    os.rename(folder / "sub", folder.parent / "was sub")
    (folder / "sub").symlink_to(outside)
    changes.wait_for(1)
    assert problems(source) == {"sub": "symlink"}


@pytest.mark.fault(9)
def test_a_folder_renamed_away_is_unavailable_until_it_is_back(
    folder: Path, source: FolderSource, changes: Changes
) -> None:
    before = snapshot(source)
    os.rename(folder, folder.parent / "away")
    changes.wait_for(1)
    assert isinstance(source.read(), Unavailable)
    os.rename(folder.parent / "away", folder)
    wait_until_read(source, changes, lambda found: found == before)
    write(folder / "a.yaml", "a: 2\n")
    wait_until_read(source, changes, lambda found: found.files[0].content == b"a: 2\n")


def test_a_burst_of_thousands_of_files_is_read_whole(folder: Path, source: FolderSource, changes: Changes) -> None:
    for number in range(3000):
        (folder / f"burst-{number}.yaml").write_text("x")
    wait_until_read(source, changes, lambda found: len(found.files) == 3002)


@pytest.mark.fault(8)
def test_lost_events_make_everything_be_looked_at(folder: Path, source: FolderSource, changes: Changes) -> None:
    assert source._watch is not None
    observer = source._watch._observer
    assert observer is not None
    (emitter,) = observer.emitters
    assert isinstance(emitter, InotifyEmitter)
    assert emitter._inotify is not None
    stamp = (folder / "a.yaml").stat()
    emitter._event_filter = frozenset()  # from here on, no event arrives
    write(folder / "a.yaml", "a: 9\n")
    time.sleep(0.2)
    assert changes.count == 0
    assert stamp.st_mtime_ns != (folder / "a.yaml").stat().st_mtime_ns
    emitter._event_filter = None
    emitter._inotify.on_queue_overflow()
    changes.wait_for(1)
    assert snapshot(source).files[0].content == b"a: 9\n"


def test_without_events_changes_are_still_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reconciler.sources.inotify.observe", refuse)
    settled(folder / "a.yaml")
    changes = Changes()
    source = FolderSource(folder, rescan=0.1)
    source.watch(changes)
    snapshot(source)
    write(folder / "a.yaml", "a: 2\n")
    changes.wait_for(changes.count + 2)
    assert snapshot(source).files[0].content == b"a: 2\n"
    source.close()


def test_after_close_nothing_is_told(folder: Path, source: FolderSource, changes: Changes) -> None:
    source.close()
    write(folder / "a.yaml", "a: 2\n")
    time.sleep(0.2)
    assert changes.count == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "folder-watch"]
