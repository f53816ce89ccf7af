"""Files in tar streams: what comes out is what went in, and nothing lands outside of the target."""

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.cli.packing import UnsafeEntry, packed, unpack

Entry = tuple[str, str, str | bytes]
"""kind, name, content or aim"""


def stream(*entries: Entry) -> Iterator[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for kind, name, what in entries:
            entry = tarfile.TarInfo(name)
            entry.mode = 0o6777
            entry.type = {
                "file": tarfile.REGTYPE,
                "dir": tarfile.DIRTYPE,
                "sym": tarfile.SYMTYPE,
                "hard": tarfile.LNKTYPE,
                "fifo": tarfile.FIFOTYPE,
            }[kind]
            if isinstance(what, bytes):
                entry.size = len(what)
                tar.addfile(entry, io.BytesIO(what))
            else:
                entry.linkname = what
                tar.addfile(entry)
    data = out.getvalue()
    return (data[at : at + 100] for at in range(0, len(data), 100))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("before")
    return tmp_path / "target"


@pytest.fixture
def put(target: Path) -> Callable[..., list[str]]:
    """Unpack these entries at the target; what was said."""

    def put(*entries: Entry) -> list[str]:
        said: list[str] = []
        unpack(stream(*entries), target, said.append)
        return said

    return put


def test_a_directory_there_and_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep/er").mkdir(parents=True)
    (source / "deep/er/file").write_bytes(os.urandom(100_000))
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("deep/er/file")
    (source / ("é" * 60)).write_text("a long name that is not ASCII")
    said: list[str] = []
    unpack(packed(source, "renamed"), tmp_path / "copy", said.append)
    found = {path.relative_to(tmp_path / "copy"): path for path in (tmp_path / "copy").rglob("*")}
    assert found.keys() == {path.relative_to(source) for path in source.rglob("*")}
    assert found[Path("deep/er/file")].read_bytes() == (source / "deep/er/file").read_bytes()
    assert found[Path("run.sh")].stat().st_mode & 0o777 == 0o755
    assert found[Path("link")].readlink() == Path("deep/er/file")
    assert said == []


def test_a_file_takes_the_name_of_the_target(put: Callable[..., list[str]], target: Path) -> None:
    put(("file", "etc-passwd", b"x"))
    assert target.read_bytes() == b"x"
    assert target.stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("name", ["../secret", "d/../../secret", "/etc/secret", "d/sub/../../../secret"])
def test_a_name_that_leads_out_ends_the_copy(put: Callable[..., list[str]], target: Path, name: str) -> None:
    with pytest.raises(UnsafeEntry):
        put(("dir", "d", ""), ("file", name, b"after"))
    assert (target.parent / "secret").read_text() == "before"


@pytest.mark.parametrize("aim", ["/etc", "..", "../secret", "sub/../../secret", "../../.."])
def test_a_link_that_leads_out_is_left_out(put: Callable[..., list[str]], target: Path, aim: str) -> None:
    assert "leads out" in put(("dir", "d", ""), ("dir", "d/sub", ""), ("sym", "d/link", aim))[0]
    assert not (target / "link").is_symlink()


def test_a_link_over_a_link_cannot_lead_out(put: Callable[..., list[str]], target: Path) -> None:
    """`deep/up` leads to the target's top, so `deep/up/..` would be outside, though it does not look so."""
    said = put(
        ("dir", "d", ""),
        ("dir", "d/a", ""),
        ("dir", "d/a/b", ""),
        ("sym", "d/a/b/up", "../.."),
        ("sym", "d/out", "a/b/up/../secret"),
    )
    assert len(said) == 1
    assert (target / "a/b/up").is_symlink()
    assert not (target / "out").is_symlink()


def test_nothing_is_written_through_a_link(put: Callable[..., list[str]], target: Path) -> None:
    with pytest.raises(UnsafeEntry):
        put(("dir", "d", ""), ("dir", "d/real", ""), ("sym", "d/link", "real"), ("file", "d/link/file", b"x"))
    assert not (target / "real/file").exists()


def test_a_file_replaces_a_link_and_does_not_follow_it(put: Callable[..., list[str]], target: Path) -> None:
    target.mkdir()
    (target / "f").symlink_to("../secret")
    put(("dir", "d", ""), ("file", "d/f", b"after"))
    assert (target / "f").read_bytes() == b"after"
    assert (target.parent / "secret").read_text() == "before"


def test_hard_links_stay_inside(put: Callable[..., list[str]], target: Path) -> None:
    put(("dir", "d", ""), ("file", "d/one", b"x"), ("hard", "d/two", "d/one"))
    assert (target / "two").read_bytes() == b"x"
    with pytest.raises(UnsafeEntry):
        put(("dir", "d", ""), ("hard", "d/three", "d/../../secret"))


def test_a_device_or_pipe_is_left_out(put: Callable[..., list[str]], target: Path) -> None:
    assert put(("dir", "d", ""), ("fifo", "d/pipe", "")) != []
    assert not (target / "pipe").exists()
