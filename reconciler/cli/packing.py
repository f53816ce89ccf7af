"""Tar streams of local files, and what such a stream may put on this machine: nothing outside of its target.

What comes from a container is not trusted: its names and links may be made to lead elsewhere.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

_BLOCK = 1 << 16


class UnsafeEntry(Exception):
    """An entry that would act outside of the target, or is no file, directory or link."""


def packed(source: Path, name: str) -> Iterator[bytes]:
    """A tar stream of a file or directory, which is called `name` in it; links stay links.

    OSError where something cannot be read; sockets and the like are left out."""
    for path in _below(source):
        entry = _entry(path, name if path == source else f"{name}/{path.relative_to(source).as_posix()}")
        if entry is None:
            continue
        yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if entry.isreg():
            yield from _content(path, entry.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def unpack(chunks: Iterable[bytes], target: Path, tell: Callable[[str], None]) -> None:
    """Put the stream's first part at `target` itself, and what is below it there.

    Links that lead out of `target` are left out, and told; anything else that would is UnsafeEntry.
    """
    with tarfile.open(fileobj=_ChunkReader(chunks), mode="r|") as tar:
        for entry in tar:
            _put(tar, entry, target, tell)


def _below(source: Path) -> Iterator[Path]:
    """The directory before what is in it; links are not followed."""
    yield source
    if source.is_dir() and not source.is_symlink():
        for each in sorted(source.iterdir()):
            yield from _below(each)


def _entry(path: Path, name: str) -> tarfile.TarInfo | None:
    found = path.lstat()
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = stat.S_IMODE(found.st_mode), int(found.st_mtime)
    if stat.S_ISLNK(found.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISDIR(found.st_mode):
        entry.type = tarfile.DIRTYPE
    elif stat.S_ISREG(found.st_mode):
        entry.size = found.st_size
    else:
        return None
    return entry


def _content(path: Path, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes, whatever happens to the file meanwhile, up to the end of a block."""
    left = size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(_BLOCK, left))):
            left -= len(chunk)
            yield chunk
    if left:
        raise OSError(f"{path} became shorter while it was read")
    yield bytes(-size % tarfile.BLOCKSIZE)


def _put(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path, tell: Callable[[str], None]) -> None:
    path = _place(entry.name, target)
    if entry.isdir():
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        path.unlink()
    if entry.isreg():
        source = tar.extractfile(entry)
        assert source is not None
        with source, path.open("xb") as out:
            shutil.copyfileobj(source, out, _BLOCK)
        path.chmod(entry.mode & 0o755)
    elif entry.issym():
        if path == target or not _stays_inside(path, entry.linkname, target):
            tell(f"left out the link {entry.name} -> {entry.linkname}: it leads out of {target}")
            return
        path.symlink_to(entry.linkname)
    elif entry.islnk():
        other = _place(entry.linkname, target)
        if not other.is_file() or other.is_symlink():
            raise UnsafeEntry(f"{entry.name} is a link to {entry.linkname}, which did not come before it")
        os.link(other, path)
    else:
        tell(f"left out {entry.name}: it is neither a file, a directory nor a link")


def _place(name: str, target: Path) -> Path:
    """Where an entry goes. No part of the way may be a link, even one of the stream's own."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise UnsafeEntry(f"the container sent {name!r}, which leads out of the target; nothing more is copied")
    path = target
    for part in parts[1:]:
        if path.is_symlink():
            raise UnsafeEntry(f"the container sent {name!r}, which leads through a link; nothing more is copied")
        path = path / part
    return path


def _stays_inside(link: Path, aim: str, target: Path) -> bool:
    """`..` only at its beginning: after the name of another link, it would lead on from where that one leads."""
    parts = PurePosixPath(aim).parts
    ups = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    if aim.startswith("/") or ".." in parts[ups:]:
        return False
    whole, path = Path(os.path.normpath(target)), Path(os.path.normpath(link.parent / aim))
    return path == whole or whole in path.parents


class _ChunkReader(io.RawIOBase):
    """Chunks, read as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            if not (chunk := next(self._chunks, b"")):
                break
            self._rest += chunk
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
