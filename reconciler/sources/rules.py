"""Which entries of a source are manifests, which are nobody's business, and which reject the revision.

One set of rules for folders and Git, so that a folder and its commit hold the same manifests. Nothing that is
refused here is ever opened: a link, a pipe or a device is judged by its type alone.
"""

from typing import Final

from reconciler.model.problems import Place, Problem

SUFFIXES: Final = (".yaml", ".yml", ".json")
MAX_FILE_BYTES: Final = 4 << 20
MAX_TOTAL_BYTES: Final = 64 << 20
MAX_FILES: Final = 50_000
MAX_DEPTH: Final = 32
MAX_ENTRIES: Final = 200_000
"""Files of every kind, and folders; ends a Git tree that contains itself a thousand times over."""

_LFS_HEADER: Final = b"version https://git-lfs.github.com/spec/"


def is_manifest(name: str) -> bool:
    """Hidden files are not: editors keep their swap files and locks there (`.web.yaml.swp`, `.#web.yaml`)."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def is_hidden(name: str) -> bool:
    """`.git`, `.github` and the like hold no manifests."""
    return name.startswith(".")


def is_plain(name: str) -> bool:
    """Neither a step out of the tree nor able to play tricks on a terminal or a log."""
    return name not in ("", ".", "..") and name.isprintable() and "/" not in name and "\\" not in name


def shown(path: str) -> str:
    """A path as it may be printed."""
    return path if path.isprintable() else path.encode("unicode_escape", "surrogatepass").decode()


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def symlink(path: str) -> Problem:
    return _problem(
        path, "symlink", "a symbolic link is never followed", "put a copy here, or name the real folder"
    )


def special_file(path: str) -> Problem:
    return _problem(path, "special-file", "a pipe, socket or device is never opened", "remove it or rename it")


def submodule(path: str) -> Problem:
    return _problem(
        path,
        "submodule",
        "a submodule is never read",
        "commit its manifests here, or move it out of this path",
    )


def bad_name(path: str) -> Problem:
    return _problem(
        path,
        "bad-path",
        "the name holds a control character, a backslash or `..`, is not UTF-8, or passes for `.git`",
        "rename it with letters, digits, `-`, `_` and `.`",
    )


def lfs_pointer(path: str) -> Problem:
    return _problem(
        path,
        "lfs-pointer",
        "this is a Git LFS pointer, not a manifest",
        "`git lfs untrack` it and commit the file itself",
    )


def unreadable(path: str, why: str) -> Problem:
    return _problem(path, "unreadable-file", f"cannot be read: {why}", "give this user the right to read it")


def too_large(path: str, size: int) -> Problem:
    return _problem(
        path,
        "file-too-large",
        f"{size:,} bytes; a manifest may have {MAX_FILE_BYTES:,}",
        "split it, or give it another suffix if it is no manifest",
    )


def too_deep(path: str) -> Problem:
    return _problem(path, "too-deep", f"more than {MAX_DEPTH} folders deep", "move the manifests up")


def over_a_limit(entries: int, manifests: int, size: int) -> Problem | None:
    """Say which limit has been passed by what was found so far; the caller then looks no further, and reports
    nothing else.
    """
    for number, limit, unit in (
        (entries, MAX_ENTRIES, "entries"),
        (manifests, MAX_FILES, "manifests"),
        (size, MAX_TOTAL_BYTES, "bytes of manifests"),
    ):
        if number > limit:
            fix = "name the folder that holds the manifests"
            return _problem(".", "too-many-files", f"more than {limit:,} {unit}", fix)
    return None


def is_lfs_pointer(content: bytes) -> bool:
    return content.startswith(_LFS_HEADER)


def _problem(path: str, code: str, message: str, fix: str) -> Problem:
    return Problem(Place(shown(path)), code, message, fix)
