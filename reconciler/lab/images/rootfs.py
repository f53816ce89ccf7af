"""Turn a layer's recipe into files: unpack Debian packages, take the programs and the libraries they load."""

import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from reconciler.lab.commands import run
from reconciler.lab.errors import LabError
from reconciler.lab.images.recipes import PACKAGES, SUITE, Layer

_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)


@dataclass(frozen=True)
class RootfsEntry:
    """One thing in a layer: a file (`data`), a symbolic link (`target`) or a directory (neither)."""

    path: str
    mode: int
    data: bytes | None = None
    target: str | None = None


def unpack_packages(directory: Path) -> None:
    """Unpack the packages (not even their scripts run) with everything they depend on."""
    if directory.exists():
        shutil.rmtree(directory)
    include = ",".join(PACKAGES)
    run(["mmdebstrap", "--quiet", "--variant=extract", f"--include={include}", SUITE, str(directory)], timeout=300)


def layer_entries(layer: Layer, root: Path, below: Mapping[str, RootfsEntry]) -> list[RootfsEntry]:
    """Everything of the layer that the layers `below` do not have, sorted by path."""
    entries = {entry.path: entry for entry in _entries(layer, root)}
    return [entry for path, entry in sorted(entries.items()) if below.get(path) != entry]


def resolve_inside(root: Path, path: str) -> Path:
    """Follow `path` and its symbolic links as a process chrooted to `root` would."""
    parts = list(PurePosixPath(path).parts[1:])
    here = PurePosixPath("/")
    for _ in range(200):
        if not parts:
            return root / here.relative_to("/")
        part = parts.pop(0)
        if part == "..":
            here = here.parent
            continue
        step = here / part
        on_disk = root / step.relative_to("/")
        if on_disk.is_symlink():
            target = PurePosixPath(on_disk.readlink())
            parts = [*(target.parts[1:] if target.is_absolute() else target.parts), *parts]
            here = PurePosixPath("/") if target.is_absolute() else here
        else:
            here = step
    raise LabError(f"{path} in {root}: too many symbolic links")


def parse_libraries(listing: str) -> list[str]:
    """The paths in what `ld.so --list PROGRAM` prints."""
    return _LIBRARY.findall(listing)


def _entries(layer: Layer, root: Path) -> Iterator[RootfsEntry]:
    for directory in layer.directories:
        yield RootfsEntry(directory, 0o1777 if directory in ("tmp", "var/tmp") else 0o755)
    for program in layer.programs:
        yield from _with_libraries(program, root)
        if program == "/bin/busybox":
            yield from _applets(root)
    for tree in layer.trees:
        yield from _tree(tree, layer.without, root)
    for path, target in layer.links.items():
        yield RootfsEntry(path, 0o777, target=target)
    files = resources.files("reconciler.lab.images") / "files"
    for path, source_name in layer.files.items():
        mode = 0o755 if path.startswith("bin/") else 0o644
        yield RootfsEntry(path, mode, files.joinpath(source_name).read_bytes())


def _with_libraries(program: str, root: Path) -> Iterator[RootfsEntry]:
    for path in (program, *_libraries(program, root)):
        yield RootfsEntry(path.lstrip("/"), 0o755, resolve_inside(root, path).read_bytes())


def _tree(tree: str, without: Collection[str], root: Path) -> Iterator[RootfsEntry]:
    """Its files; a link among them becomes a copy of what it leads to."""
    top = root / tree.lstrip("/")
    for source in sorted(top.rglob("*")):
        within = source.relative_to(top)
        path = f"{tree}/{within}"
        if not set(without).isdisjoint(within.parts):
            continue
        if source.suffix == ".so" and not source.is_symlink():
            yield from _with_libraries(path, root)
        elif (found := resolve_inside(root, path)).is_file():
            yield RootfsEntry(path.lstrip("/"), 0o644, found.read_bytes())


def _libraries(program: str, root: Path) -> list[str]:
    loaders = sorted(path for place in ("lib64", "lib") for path in (root / place).glob("ld-linux-*.so.*"))
    if not loaders:
        raise LabError(f"no dynamic loader in {root}: unpacking the Debian packages went wrong")
    loader = f"/{loaders[0].relative_to(root)}"
    return parse_libraries(run(["chroot", str(root), loader, "--list", program]).stdout)


def _applets(root: Path) -> Iterator[RootfsEntry]:
    for applet in run(["chroot", str(root), "/bin/busybox", "--list"]).stdout.split():
        if applet != "busybox":
            yield RootfsEntry(f"bin/{applet}", 0o777, target="busybox")
