"""A local repository: which commit is read, and what in its trees is refused. Trees are written by hand, since
no honest Git would make them."""

import threading
import time
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ObjectType

from reconciler.model.desired import Rejected, SourceSnapshot, Unavailable
from reconciler.sources import git_tree, rules
from reconciler.sources.git import GitSource
from reconciler.sources.git_address import BadSource, GitTarget
from reconciler.sources.git_local import Checkout, commit_around, path_in_repository

BLOB, LINK, TREE, SUBMODULE = "100644", "120000", "40000", "160000"


class Repository:
    """Makes commits of trees given as {name: text}, {name: tree} or {name: (mode, id or text)}."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git = pygit2.init_repository(str(path), bare=True, initial_head="main")

    def tree(self, entries: dict[str | bytes, object]) -> str:
        rows = []
        for name, what in entries.items():
            mode, oid = self._entry(what)
            raw = name.encode() if isinstance(name, str) else name
            rows.append(
                (raw + (b"/" if mode == TREE else b""), mode.encode() + b" " + raw + b"\0" + bytes.fromhex(oid))
            )
        return str(self.git.odb.write(ObjectType.TREE, b"".join(row for _, row in sorted(rows))))

    def commit(
        self, entries: dict[str | bytes, object], ref: str = "refs/heads/main", title: str = "Change"
    ) -> str:
        lines = [f"tree {self.tree(entries)}"]
        if (parent := self.git.references.get(ref)) is not None:
            lines.append(f"parent {parent.target}")
        who = "Test <test@example.com> 1700000000 +0000"
        text = "\n".join([*lines, f"author {who}", f"committer {who}", "", title])
        oid = self.git.odb.write(ObjectType.COMMIT, text.encode())
        self.git.references.create(ref, oid, force=True)
        return str(oid)

    def _entry(self, what: object) -> tuple[str, str]:
        match what:
            case dict():
                return TREE, self.tree(what)
            case (str() as mode, str() as value):
                return mode, value if len(value) == 40 else str(self.git.create_blob(value.encode()))
            case _:
                return BLOB, str(self.git.create_blob(str(what).encode()))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository.git")


def snapshot(source: GitSource) -> SourceSnapshot:
    found = source.read()
    assert isinstance(found, SourceSnapshot), found
    return found


def problems(repository: Repository, subpath: str = "") -> dict[str, str]:
    found = GitSource(str(repository.path), subpath=subpath).read()
    assert isinstance(found, Rejected), found
    return {problem.place.path: problem.code for problem in found.problems}


# --- which commit --------------------------------------------------------------------------------------------


def test_a_revision_is_a_commit_with_its_title_and_where_it_was_read(repository: Repository) -> None:
    commit = repository.commit({"a.yaml": "a"}, title="Add a\x1b[31m\n\nbody")
    revision = snapshot(GitSource(f"file://{repository.path}")).revision
    assert revision.id == commit
    assert revision.title == "Add a\N{REPLACEMENT CHARACTER}[31m"
    assert revision.origin == f"{repository.path} (main)"


def test_branch_tag_and_commit_are_told_apart(repository: Repository) -> None:
    first = repository.commit({"a.yaml": "1"})
    repository.commit({"a.yaml": "2"}, "refs/tags/main")
    repository.commit({"a.yaml": "3"})
    path = str(repository.path)
    assert snapshot(GitSource(path)).files[0].content == b"3"
    assert snapshot(GitSource(path, GitTarget(branch="main"))).files[0].content == b"3"
    assert snapshot(GitSource(path, GitTarget(tag="main"))).files[0].content == b"2"
    assert snapshot(GitSource(path, GitTarget(commit=first))).files[0].content == b"1"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (GitTarget(branch="gone"), "it has no refs/heads/gone"),
        (GitTarget(tag="gone"), "it has no refs/tags/gone"),
        (GitTarget(commit="0" * 40), f"it has no commit {'0' * 40}"),
    ],
)
def test_what_is_missing_is_unavailable(repository: Repository, target: GitTarget, words: str) -> None:
    repository.commit({"a.yaml": "1"})
    found = GitSource(str(repository.path), target).read()
    assert isinstance(found, Unavailable)
    assert found.why == f"{repository.path}: {words}"


def test_a_repository_without_a_commit_is_unavailable(repository: Repository) -> None:
    assert isinstance(GitSource(str(repository.path)).read(), Unavailable)


@pytest.mark.fault(29)
def test_a_checkout_of_another_branch_changes_nothing(repository: Repository) -> None:
    repository.commit({"a.yaml": "1"})
    repository.commit({"a.yaml": "2"}, "refs/heads/experiment")
    source = GitSource(str(repository.path))
    before = snapshot(source)
    repository.git.references["HEAD"].set_target("refs/heads/experiment")
    assert source.read() is before


@pytest.mark.fault(29)
def test_a_deleted_branch_is_unavailable_in_the_same_words_until_it_is_back(repository: Repository) -> None:
    repository.commit({"a.yaml": "1"})
    source = GitSource(str(repository.path))
    snapshot(source)
    repository.git.references.delete("refs/heads/main")
    found = source.read()
    assert isinstance(found, Unavailable)
    assert " UTC)" in found.why
    time.sleep(0.01)
    assert source.read() == found


def test_a_rewritten_history_is_followed_and_logged(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    first = repository.commit({"a.yaml": "1"})
    repository.commit({"a.yaml": "2"})
    source = GitSource(str(repository.path))
    snapshot(source)
    repository.git.references.create("refs/heads/main", first, force=True)
    repository.commit({"a.yaml": "3"})
    assert snapshot(source).files[0].content == b"3"
    assert "git history was rewritten" in capsys.readouterr().out


@pytest.mark.fault(37)
def test_a_missing_object_is_unavailable_and_never_an_empty_folder(repository: Repository) -> None:
    repository.commit({"a.yaml": "1", "sub": {"b.yaml": "2"}})
    oid = str(repository.git.create_blob(b"2"))
    (repository.path / "objects" / oid[:2] / oid[2:]).unlink()
    found = GitSource(str(repository.path)).read()
    assert isinstance(found, Unavailable)
    assert "cannot be read" in found.why
    assert repository.path.exists(), "a local repository is never removed"


def test_a_commit_is_told_at_once_and_once(repository: Repository) -> None:
    repository.commit({"a.yaml": "1"})
    source = GitSource(str(repository.path))
    told = threading.Semaphore(0)
    snapshot(source)
    source.watch(told.release)
    time.sleep(0.2)
    repository.commit({"a.yaml": "2"})
    assert told.acquire(timeout=20)
    assert snapshot(source).files[0].content == b"2"
    assert not told.acquire(timeout=0.3)
    source.close()


# --- what is in it -------------------------------------------------------------------------------------------


def test_only_manifests_below_the_path_are_read(repository: Repository) -> None:
    below = {"web.yaml": "w", "README.md": "r", ".github": {"ci.yaml": "x"}, "sub": {"db.json": "d"}}
    repository.commit({"other.yaml": "o", "k8s": {"prod": below}})
    found = snapshot(GitSource(str(repository.path), subpath="k8s/prod/"))
    assert [file.path for file in found.files] == ["sub/db.json", "web.yaml"]
    assert found.revision.origin == f"{repository.path} (main:k8s/prod)"


@pytest.mark.fault(3)
@pytest.mark.parametrize("subpath", ["mistyped", "k8s/web.yaml", "link"])
def test_a_path_that_is_no_folder_rejects_the_revision(repository: Repository, subpath: str) -> None:
    repository.commit({"k8s": {"web.yaml": "w"}, "link": (LINK, "k8s")})
    assert problems(repository, subpath=subpath) == {subpath: "path-missing"}


@pytest.mark.fault(34)
@pytest.mark.rule(1)
def test_links_and_submodules_are_rejected(repository: Repository) -> None:
    repository.commit(
        {
            "k8s": {
                "a.yaml": (LINK, "/etc/passwd"),
                "folder": (LINK, "../other"),
                "outside": (LINK, "../../../etc"),
                "module": (SUBMODULE, "1" * 40),
                "README.md": (LINK, "../README.md"),
                "good.yaml": "g",
            },
            "other": {"x.yaml": "x"},
            "README.md": "r",
        }
    )
    assert problems(repository, subpath="k8s") == {
        "a.yaml": "symlink",
        "folder": "symlink",
        "outside": "symlink",
        "module": "submodule",
    }


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "name", ["..", ".", ".GIT", "git~1", ".git ", "a\\b", "a\x1bb", b"a\xff", ".g\u200cit", "sub\nfolder"]
)
def test_names_that_play_tricks_are_rejected(repository: Repository, name: str | bytes) -> None:
    repository.commit({"good.yaml": "g", name: {"x.yaml": "x"}})
    assert list(problems(repository).values()) == ["bad-path"]


@pytest.mark.fault(13, 38)
def test_large_files_and_lfs_pointers_are_rejected(repository: Repository) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    repository.commit({"large.yaml": "x" * (rules.MAX_FILE_BYTES + 1), "pointer.yaml": pointer})
    assert problems(repository) == {"large.yaml": "file-too-large", "pointer.yaml": "lfs-pointer"}


def test_a_tree_that_contains_itself_a_million_times_ends_soon(repository: Repository) -> None:
    tree: dict[str | bytes, object] = {f"{number}.yaml": "x" for number in range(10)}
    oid = repository.tree(tree)
    for _ in range(8):
        oid = repository.tree({f"d{number}": (TREE, oid) for number in range(10)})
    repository.commit({"bomb": (TREE, oid)})
    began = time.process_time()
    assert list(problems(repository).values()) == ["too-many-files"]
    assert time.process_time() - began < 5


def test_reading_ends_at_the_limit_in_the_middle_of_a_folder(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack of some megabytes can hold blobs of many gigabytes."""
    opened: list[bytes] = []

    def is_lfs_pointer(content: bytes) -> bool:
        opened.append(content)
        return False

    monkeypatch.setattr(rules, "MAX_TOTAL_BYTES", 100)
    monkeypatch.setattr(rules, "is_lfs_pointer", is_lfs_pointer)
    repository.commit({f"{number:03}.yaml": f"{number:030}" for number in range(100)})
    assert problems(repository) == {".": "too-many-files"}
    assert len(opened) == 4


def test_a_tree_a_thousand_folders_deep_is_rejected(repository: Repository) -> None:
    oid = repository.tree({"x.yaml": "x"})
    for _ in range(1000):
        oid = repository.tree({"d": (TREE, oid)})
    repository.commit({"deep": (TREE, oid)})
    assert list(problems(repository).values()) == ["too-deep"]


def test_unchanged_folders_are_not_listed_again(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.commit({"a": {"x.yaml": "1"}, "b": {"y.yaml": "1", "z.yaml": "1"}})
    source = GitSource(str(repository.path))
    before = snapshot(source)
    repository.commit({"a": {"x.yaml": "1"}, "b": {"y.yaml": "2", "z.yaml": "1"}})
    listed: list[str] = []
    list_folder = git_tree._Walk._list

    def counted(walk: git_tree._Walk, path: str, tree: pygit2.Oid) -> git_tree._Folder:
        listed.append(path)
        return list_folder(walk, path, tree)

    monkeypatch.setattr(git_tree._Walk, "_list", counted)
    after = snapshot(source)
    assert sorted(listed) == ["", "b"]
    assert [new is old for new, old in zip(after.files, before.files, strict=True)] == [True, False, True]


def test_the_commit_around_a_folder_is_found_by_the_names_people_use(tmp_path: Path) -> None:
    repository = pygit2.init_repository(str(tmp_path / "shop"), initial_head="main")
    folder = tmp_path / "shop" / "prod"
    folder.mkdir()
    (folder / "web.yaml").write_text("first")
    repository.index.add_all()
    tree, author = repository.index.write_tree(), pygit2.Signature("a", "a@example.org")
    commit = str(repository.create_commit("HEAD", author, author, "first", tree, []))
    repository.references.create("refs/remotes/origin/main", commit)
    for name in ("main", "origin/main", commit, commit[:10]):
        assert commit_around(folder, name) == Checkout(tmp_path / "shop", "prod", commit)


@pytest.mark.fault(39)
@pytest.mark.parametrize("name", ["absent", "main~1", ":/first", "-x", "HEAD@{1}", ""])
def test_a_base_that_is_no_name_is_refused_and_never_parsed_as_an_expression(tmp_path: Path, name: str) -> None:
    pygit2.init_repository(str(tmp_path), initial_head="main")
    with pytest.raises(ValueError, match="no branch, tag or commit"):
        commit_around(tmp_path, name)


def test_a_repository_that_git_does_not_let_us_read_is_told_how_to_allow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a CI job's container, where the checkout is another user's."""

    def refuse(_: str) -> pygit2.Repository:
        raise pygit2.GitError(f"repository path '{tmp_path}' is not owned by current user")

    pygit2.init_repository(str(tmp_path))
    monkeypatch.setattr(pygit2, "Repository", refuse)
    with pytest.raises(BadSource, match=f"safe.directory {tmp_path}"):
        commit_around(tmp_path, "main")
    with pytest.raises(BadSource, match=f"safe.directory {tmp_path}"):
        path_in_repository(tmp_path)


def test_a_base_outside_of_any_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not inside a Git work tree"):
        commit_around(tmp_path, "main")
