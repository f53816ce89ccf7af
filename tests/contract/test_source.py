"""What every source does: a folder, a local Git repository, and the fake."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pygit2
import pytest

from reconciler.control.ports import Source
from reconciler.model.desired import Rejected, SourceSnapshot, Unavailable
from reconciler.model.problems import Place, Problem
from reconciler.sources.folder import FolderSource
from reconciler.sources.git import GitSource
from tests.fake_source import FakeSource


class Origin(Protocol):
    """A source, and the place it reads, which a test can change."""

    source: Source

    def put(self, path: str, text: str) -> None: ...
    def remove(self, path: str) -> None: ...
    def reject(self) -> None: ...
    def take_away(self) -> None: ...
    def bring_back(self) -> None: ...


class FolderOrigin:
    def __init__(self, directory: Path) -> None:
        self._folder = directory / "manifests"
        self._folder.mkdir()
        self.source: Source = FolderSource(self._folder)

    def put(self, path: str, text: str) -> None:
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / path).write_text(text)

    def remove(self, path: str) -> None:
        (self._folder / path).unlink()

    def reject(self) -> None:
        (self._folder / "link.yaml").symlink_to("a.yaml")

    def take_away(self) -> None:
        os.rename(self._folder, self._folder.with_name("away"))

    def bring_back(self) -> None:
        os.rename(self._folder.with_name("away"), self._folder)


class GitOrigin:
    def __init__(self, directory: Path) -> None:
        self._path = directory / "repository.git"
        self._repository = pygit2.init_repository(str(self._path), bare=True, initial_head="main")
        self._index = pygit2.Index()
        self._commit()
        self.source: Source = GitSource(str(self._path))

    def put(self, path: str, text: str) -> None:
        self._add(path, text, pygit2.enums.FileMode.BLOB)

    def remove(self, path: str) -> None:
        self._index.remove(path)
        self._commit()

    def reject(self) -> None:
        self._add("link.yaml", "a.yaml", pygit2.enums.FileMode.LINK)

    def take_away(self) -> None:
        os.rename(self._path, self._path.with_name("away"))

    def bring_back(self) -> None:
        os.rename(self._path.with_name("away"), self._path)

    def _add(self, path: str, text: str, mode: pygit2.enums.FileMode) -> None:
        self._index.add(pygit2.IndexEntry(path, self._repository.create_blob(text.encode()), mode))
        self._commit()

    def _commit(self) -> None:
        repository = self._repository
        who = pygit2.Signature("Test", "test@example.com", 1_700_000_000, 0)
        parents = [] if repository.head_is_unborn else [repository.head.target]
        tree = self._index.write_tree(repository)
        repository.create_commit("refs/heads/main", who, who, "Change\n\nbecause", tree, parents)


class FakeOrigin:
    def __init__(self, directory: Path) -> None:
        self._fake = FakeSource()
        self.source: Source = self._fake
        self.put = self._fake.put
        self.remove = self._fake.remove
        self.bring_back = self._fake.mend

    def reject(self) -> None:
        self._fake.reject(Problem(Place("link.yaml"), "symlink", "a symbolic link"))

    def take_away(self) -> None:
        self._fake.fail("taken away")


@pytest.fixture(params=[FolderOrigin, GitOrigin, FakeOrigin])
def origin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Origin]:
    make: Callable[[Path], Origin] = request.param
    origin = make(tmp_path)
    yield origin
    origin.source.close()


def snapshot(origin: Origin) -> SourceSnapshot:
    found = origin.source.read()
    assert isinstance(found, SourceSnapshot), found
    return found


def contents(origin: Origin) -> dict[str, bytes]:
    return {file.path: file.content for file in snapshot(origin).files}


def test_files_come_in_the_order_of_their_paths(origin: Origin) -> None:
    for path in ("b.yaml", "a/z.yaml", "a.yaml", "a-b/c.yaml"):
        origin.put(path, path)
    assert [file.path for file in snapshot(origin).files] == ["a-b/c.yaml", "a.yaml", "a/z.yaml", "b.yaml"]


def test_an_empty_source_is_a_snapshot_without_files(origin: Origin) -> None:
    assert snapshot(origin).files == ()


def test_a_change_makes_another_revision_and_leaves_other_files_the_same_objects(origin: Origin) -> None:
    origin.put("a.yaml", "a")
    origin.put("sub/b.yaml", "b")
    before = snapshot(origin)
    origin.put("a.yaml", "changed")
    after = snapshot(origin)
    assert after.revision.id != before.revision.id
    assert [file.content for file in after.files] == [b"changed", b"b"]
    assert after.files[0].digest != before.files[0].digest
    assert after.files[1] is before.files[1]


def test_reading_again_gives_the_same_snapshot(origin: Origin) -> None:
    origin.put("a.yaml", "a")
    assert snapshot(origin) is snapshot(origin)


def test_a_removed_file_is_gone(origin: Origin) -> None:
    origin.put("a.yaml", "a")
    origin.put("b.yaml", "b")
    snapshot(origin)
    origin.remove("a.yaml")
    assert contents(origin) == {"b.yaml": b"b"}


def test_what_must_not_be_there_rejects_the_revision_and_names_the_file(origin: Origin) -> None:
    origin.put("a.yaml", "a")
    before = snapshot(origin)
    origin.reject()
    found = origin.source.read()
    assert isinstance(found, Rejected)
    assert [(problem.place.path, problem.code) for problem in found.problems] == [("link.yaml", "symlink")]
    if not isinstance(origin, FakeOrigin):
        assert found.revision.id != before.revision.id


@pytest.mark.fault(9)
def test_a_source_that_is_taken_away_is_unavailable_until_it_is_back(origin: Origin) -> None:
    origin.put("a.yaml", "a")
    before = snapshot(origin)
    origin.take_away()
    found = origin.source.read()
    assert isinstance(found, Unavailable)
    assert found.why
    origin.bring_back()
    assert snapshot(origin) == before


def test_a_change_is_told_while_it_is_watched_and_never_after_close(origin: Origin) -> None:
    told = threading.Semaphore(0)
    origin.put("a.yaml", "a")
    snapshot(origin)
    origin.source.watch(told.release)
    time.sleep(0.1)
    origin.put("a.yaml", "b")
    assert told.acquire(timeout=5)
    while contents(origin) != {"a.yaml": b"b"}:
        assert told.acquire(timeout=5)
    origin.source.close()
    while told.acquire(blocking=False):
        pass
    origin.put("a.yaml", "c")
    assert not told.acquire(timeout=0.3)
