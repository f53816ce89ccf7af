"""A remote repository over SSH: who is trusted, what is sent to whom, deadlines, and clones that were damaged."""

import itertools
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import paramiko
import pygit2
import pytest

from reconciler.model.desired import SourceSnapshot, Unavailable
from reconciler.sources import git_tree
from reconciler.sources.git import GitSource
from reconciler.sources.git_address import HEAD, GitAccess, GitTarget
from tests.git_server import GitServer
from tests.unit.control.test_loop import CLUSTER, NODE, WEB, Cell, until


def git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, "-C", str(repository), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


def commit(repository: Path, text: str, *options: str) -> str:
    (repository / "a.yaml").write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", f"Say {text}", *options)
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    commit(path, "one")
    return path


@pytest.fixture(scope="module")
def client_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[paramiko.PKey, Path]:
    path = tmp_path_factory.mktemp("keys") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=30)
    return paramiko.Ed25519Key.from_private_key_file(str(path)), path


@pytest.fixture
def server(repository: Path, client_key: tuple[paramiko.PKey, Path]) -> Iterator[GitServer]:
    server = GitServer(repository, client_key[0])
    yield server
    server.close()


@pytest.fixture
def access(server: GitServer, client_key: tuple[paramiko.PKey, Path]) -> GitAccess:
    return GitAccess(host_key=server.known_host, ssh_key=str(client_key[1]))


@pytest.fixture
def make(server: GitServer, access: GitAccess, tmp_path: Path) -> Iterator[Callable[..., GitSource]]:
    made: list[GitSource] = []

    def make(target: GitTarget = HEAD, **settings: object) -> GitSource:
        known: dict[str, Any] = {
            "access": access,
            "cache": tmp_path / "cache",
            "timeout": 20.0,
            "poll": 0.2,
            "stall": 5.0,
        }
        made.append(GitSource(server.url, target, **(known | settings)))
        return made[-1]

    yield make
    for source in made:
        source.close()


def content(source: GitSource) -> str:
    found = source.read()
    assert isinstance(found, SourceSnapshot), found
    return found.files[0].content.decode()


def unavailable(source: GitSource) -> str:
    found = source.read()
    assert isinstance(found, Unavailable), found
    return f"{found.why} / {found.fix}"


def clone_of(tmp_path: Path) -> Path:
    (clone,) = (tmp_path / "cache").glob("*.git")
    return clone


def test_a_remote_branch_is_cloned_and_followed(make: Callable[..., GitSource], repository: Path) -> None:
    source = make()
    found = source.read()
    assert isinstance(found, SourceSnapshot)
    assert found.revision.id == git(repository, "rev-parse", "HEAD")
    assert found.revision.title == "Say one"
    assert found.revision.origin.endswith("work (main)")
    assert source.read() is found
    commit(repository, "two")
    commit(repository, "three")
    assert content(source) == "three"


def test_only_the_newest_commit_is_cloned(
    make: Callable[..., GitSource], repository: Path, tmp_path: Path
) -> None:
    commit(repository, "two")
    assert content(make()) == "two"
    assert git(clone_of(tmp_path), "rev-list", "--count", "refs/reconciler/tip") == "1"


def test_a_forced_push_is_followed_and_logged(
    make: Callable[..., GitSource], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make()
    assert content(source) == "one"
    commit(repository, "two")
    assert content(source) == "two"
    assert "rewritten" not in capsys.readouterr().out
    commit(repository, "three", "--amend")
    assert content(source) == "three"
    assert "git history was rewritten" in capsys.readouterr().out


@pytest.mark.fault(28)
def test_a_forced_push_that_drops_most_objects_is_followed_logged_and_held(
    make: Callable[..., GitSource], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "a.yaml").unlink()
    whole = {"cluster.yaml": CLUSTER + NODE.format("a", 1), "web.yaml": WEB.format(replicas=2, tag=1)}
    for number in range(8):
        whole[f"c{number}.yaml"] = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\n"

    def push(files: Mapping[str, str]) -> str:
        for path in repository.glob("*.yaml"):
            path.unlink()
        for name, text in files.items():
            (repository / name).write_text(text)
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "--amend", "-m", f"Say {len(files)}")
        return git(repository, "rev-parse", "HEAD")

    push(whole)
    cell = Cell()
    cell.source = cast(Any, make())
    with cell.running() as loop:
        until(lambda: "Converged" in cell.told.reasons())
        before, pods = cell.calls(), cell.pods()
        tip = push({"cluster.yaml": whole["cluster.yaml"]})
        until(lambda: "Held" in cell.told.reasons())
        (held,) = [event for event in cell.told.events if event.reason == "Held"]
        assert tip[:8] in held.message, "the new tip is what waits for a confirmation"
        assert "git history was rewritten" in capsys.readouterr().out
        push(whole)
        until(lambda: loop.refusal is None)
        assert (cell.calls(), cell.pods()) == (before, pods), "not one pod was touched"


def test_a_tag_and_a_commit_are_found(make: Callable[..., GitSource], repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "-a", "v1", "-m", "Release")
    commit(repository, "two")
    assert content(make(GitTarget(tag="v1"))) == "one"
    assert content(make(GitTarget(commit=first))) == "one"
    assert "it has no commit" in unavailable(make(GitTarget(commit="0" * 40)))


@pytest.mark.fault(37)
def test_a_commit_is_found_where_only_branches_are_given_out(
    make: Callable[..., GitSource], repository: Path
) -> None:
    first = git(repository, "rev-parse", "HEAD")
    commit(repository, "two")
    git(repository, "config", "protocol.version", "0")
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "false")
    assert content(make()) == "two"
    assert content(make(GitTarget(commit=first))) == "one"


def test_a_missing_branch_is_unavailable(make: Callable[..., GitSource]) -> None:
    assert "it has no refs/heads/gone" in unavailable(make(GitTarget(branch="gone")))


@pytest.mark.fault(29)
def test_a_deleted_branch_is_unavailable_and_says_when_it_was_last_read(
    make: Callable[..., GitSource], repository: Path
) -> None:
    git(repository, "branch", "release")
    source = make(GitTarget(branch="release"))
    assert content(source) == "one"
    git(repository, "branch", "-D", "release")
    assert re.search(r"last read at \S+ \S+ UTC", unavailable(source))
    git(repository, "branch", "release")
    assert content(source) == "one"


@pytest.mark.fault(29)
def test_the_branch_that_head_named_first_is_kept(make: Callable[..., GitSource], repository: Path) -> None:
    source = make()
    assert content(source) == "one"
    git(repository, "checkout", "-q", "-b", "experiment")
    commit(repository, "experimental")
    assert content(source) == "one"


@pytest.mark.fault(33)
@pytest.mark.rule(2)
def test_a_server_with_another_key_gets_no_credential(
    make: Callable[..., GitSource], server: GitServer, repository: Path
) -> None:
    source = make()
    assert content(source) == "one"
    logins = server.logins
    known = server.host_key
    server.host_key = paramiko.ECDSAKey.generate()
    commit(repository, "two")
    said = unavailable(source)
    assert "its host key is not the one that --git-host-key gives" in said
    assert "no credential was sent" in said
    assert server.logins == logins
    server.host_key = known
    assert content(source) == "two"


@pytest.mark.fault(33)
@pytest.mark.rule(2)
def test_a_server_that_known_hosts_does_not_name_is_not_trusted(
    make: Callable[..., GitSource], server: GitServer, access: GitAccess, tmp_path: Path
) -> None:
    known_hosts = tmp_path / "known_hosts"
    settings = GitAccess(known_hosts=str(known_hosts), ssh_key=access.ssh_key)
    said = make(access=settings).read()
    assert isinstance(said, Unavailable)
    assert f"its host key is not known: {known_hosts} has no line for [127.0.0.1]:{server.port}" in said.why
    assert "ssh-keygen -lf -" in said.fix
    assert "--git-host-key" in said.fix
    assert server.logins == 0
    other = paramiko.ECDSAKey.generate()
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {other.get_name()} {other.get_base64()}\n")
    assert f"its host key is not the one that {known_hosts} has" in unavailable(make(access=settings))
    assert server.logins == 0
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.known_host}\n")
    assert content(make(access=settings)) == "one"


@pytest.mark.fault(30)
def test_a_refused_key_is_unavailable_and_not_offered_for_ever(
    make: Callable[..., GitSource], server: GitServer, access: GitAccess, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True, timeout=30)
    said = unavailable(make(access=GitAccess(host_key=access.host_key, ssh_key=str(other))))
    assert "access was refused" in said
    assert server.logins <= 2


def test_a_server_that_stalls_is_given_up_at_the_deadline(
    make: Callable[..., GitSource], server: GitServer, tmp_path: Path
) -> None:
    server.stalls = True
    began = time.monotonic()
    assert "no answer within 5 s" in unavailable(make(timeout=5.0, stall=60.0))
    assert time.monotonic() - began < 30
    assert server.fetches == 1
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_dir() and "-" in path.name] == []


def stalling(channel: paramiko.Channel) -> None:
    """Nothing more, and no end."""
    while not channel.closed:
        time.sleep(0.05)


def dripping(channel: paramiko.Channel) -> None:
    """A keep-alive of the pack's protocol, again and again."""
    while not channel.closed:
        channel.sendall(b"0005\x02")
        time.sleep(0.05)


def cut(channel: paramiko.Channel) -> None:
    channel.close()


@pytest.mark.fault(32, 36)
@pytest.mark.parametrize("ends", [stalling, dripping, cut])
def test_a_transfer_that_does_not_come_to_its_end_costs_its_deadline_and_nothing_else(
    make: Callable[..., GitSource],
    repository: Path,
    server: GitServer,
    tmp_path: Path,
    ends: Callable[[paramiko.Channel], None],
) -> None:
    source = make(timeout=4.0, stall=60.0)
    assert content(source) == "one"
    before = server.fetches
    (repository / "large").write_bytes(os.urandom(300_000))
    commit(repository, "two")
    server.ends = ends
    began = time.monotonic()
    assert "last read at" in unavailable(source)
    assert time.monotonic() - began < 30
    assert server.fetches > before
    assert len(list((tmp_path / "cache").iterdir())) <= 2, "the clone and its lock, and nothing of the half"
    server.ends = None
    assert content(source) == "two"


@pytest.mark.fault(35)
def test_a_revision_is_one_commit_even_if_others_are_pushed_while_it_is_read(
    make: Callable[..., GitSource], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a local repository, whose very files change meanwhile."""
    texts = itertools.count()

    def push() -> str:
        text = f"pushed {next(texts)}"
        for folder in ("b", "c"):
            (repository / folder).mkdir(exist_ok=True)
            (repository / folder / "same.yaml").write_text(text)
        return commit(repository, text)

    list_folder = git_tree._Walk._list

    def pushed_at(walk: git_tree._Walk, path: str, tree: pygit2.Oid) -> git_tree._Folder:
        listed = list_folder(walk, path, tree)
        push()
        return listed

    for source in (make(), GitSource(str(repository))):
        wanted = push()
        with monkeypatch.context() as patched:
            patched.setattr(git_tree._Walk, "_list", pushed_at)
            found = source.read()
        assert isinstance(found, SourceSnapshot)
        assert found.revision.id == wanted
        title = found.revision.title.removeprefix("Say ")
        assert {file.content.decode() for file in found.files} == {title}
        assert git(repository, "rev-parse", "HEAD") != wanted
        source.close()


def test_what_a_killed_process_left_of_a_clone_is_swept_up(make: Callable[..., GitSource], tmp_path: Path) -> None:
    source = make()
    assert content(source) == "one"
    (clone,) = (tmp_path / "cache").rglob("*.git")
    (left_over := clone.with_name(f"{clone.stem}-killed")).mkdir()
    assert content(source) == "one"
    assert not left_over.exists()


@pytest.mark.fault(30)
def test_a_server_that_cannot_be_reached_keeps_the_last_answer_out(
    make: Callable[..., GitSource], server: GitServer
) -> None:
    source = make()
    assert content(source) == "one"
    server.close()
    assert "last read" in unavailable(source)


def break_lock(clone: Path) -> None:
    (clone / "shallow.lock").touch()


def break_pack(clone: Path) -> None:
    (pack,) = (clone / "objects" / "pack").glob("*.pack")
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:20])


def break_config(clone: Path) -> None:
    (clone / "config").write_bytes(b"\0[[")


def break_everything(clone: Path) -> None:
    shutil.rmtree(clone / "objects")
    (clone / "HEAD").write_text("nothing")


@pytest.mark.fault(31, 36)
@pytest.mark.parametrize("damage", [break_lock, break_pack, break_config, break_everything])
def test_a_damaged_clone_is_made_again(
    make: Callable[..., GitSource], repository: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    assert content(make()) == "one"
    damage(clone_of(tmp_path))
    source = make()
    deadline = time.monotonic() + 20
    while not isinstance(source.read(), SourceSnapshot):
        assert time.monotonic() < deadline
    assert content(source) == "one"
    commit(repository, "two")
    assert content(source) == "two"
    assert len(list((tmp_path / "cache").iterdir())) == 2  # the clone and its lock


def test_a_push_is_told_once_and_read_without_waiting_for_the_network(
    make: Callable[..., GitSource], repository: Path, server: GitServer
) -> None:
    source = make()
    assert content(source) == "one"
    told = threading.Semaphore(0)
    source.watch(told.release)
    assert not told.acquire(timeout=0.5)
    commit(repository, "two")
    assert told.acquire(timeout=10)
    server.stalls = True
    began = time.monotonic()
    assert content(source) == "two"
    assert time.monotonic() - began < 5
    assert not told.acquire(timeout=0.5)


def test_closing_ends_a_fetch_that_is_under_way(make: Callable[..., GitSource], server: GitServer) -> None:
    server.stalls = True
    source = make(timeout=60.0, stall=60.0)
    source.watch(lambda: None)
    deadline = time.monotonic() + 10
    while not server.fetches:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 30
    assert not [thread for thread in threading.enumerate() if thread.name == "git-watch"]
