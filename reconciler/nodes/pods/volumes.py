"""What pods have on their host beside containers: volumes of files in memory, emptyDirs on disk or in memory.

`/run/reconciler/<cluster>` is a tmpfs of its own (many hosts forbid to execute anything on /run) and holds what
must never reach a disk; `/var/lib/reconciler/<cluster>` has the rest. Below both: `pods/<uid>/<volume>`, the uid's
0700. A volume of files is laid out and swapped as upstream's atomic writer does it: `..data` is a link to the
directory with the content in force, named after its fingerprint; every visible name is a link into `..data`.
"""

import io
import re
import tarfile
import threading
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.names import Uid, boot_directory, disk_directory, memory_directory
from reconciler.model.observed import IN_MEMORY
from reconciler.model.operations import MakeDirectory, WriteFiles
from reconciler.nodes.errors import NodeError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods.pinning import Pins
from reconciler.nodes.pods.volume_archive import archive_of, holds_secrets, tar_entry, top_names
from reconciler.nodes.pods.volume_scripts import (
    KEEP_FOR_BOOT,
    LIST_ALL,
    MAKE_IN_MEMORY,
    MAKE_ON_DISK,
    REMOVE_ALL,
    WRITE_FILES,
    volume_script,
)
from reconciler.nodes.ssh.shell import Shell

_SECONDS: Final = 15.0
_SECONDS_PER_MIB: Final = 2.0
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class VolumeListing(Struct, frozen=True):
    """The files and directories of pods, as found on a host."""

    files: Mapping[str, str] = {}
    """`uid/volume` -> fingerprint, or IN_MEMORY."""
    directories: frozenset[Uid] = frozenset()


class PodFiles:
    """The volumes of pods on one host. What it does is recorded at once; `look` reads all of it from the host."""

    def __init__(self, cluster: str, shell: Shell, cache: HostCache) -> None:
        self._cluster = cluster
        self._memory = memory_directory(cluster)
        self._disk = disk_directory(cluster)
        self._shell = shell
        self._cache = cache
        self.pins = Pins(cluster, shell)
        self._changes = 0
        self._lock = threading.Lock()

    def look(self) -> None:
        """Raises NodeError, and changes nothing then."""
        self.pins.look()
        before = self._changes
        words = (self._memory, self._disk)
        listing = self._shell.script("listing the files of pods", LIST_ALL, words, None, _SECONDS)
        listed = read_listing(listing, self._memory)
        with self._lock:
            # What was changed meanwhile is newer than what was read.
            if before == self._changes:
                self._cache.record_files(listed.files, listed.directories)

    def write(self, operation: WriteFiles, image_user: str) -> None:
        """`image_user`: `Config.User` of `operation.image`, empty for root."""
        uid, volume, fingerprint = map(_word, (operation.uid, operation.volume, operation.fingerprint))
        archive = archive_of(operation, image_user)
        doing = f"writing the files of volume {volume}"
        words = (self._memory, uid, volume, fingerprint, *top_names(operation.files))
        seconds = _SECONDS + _SECONDS_PER_MIB * len(archive) / (1 << 20)
        self._shell.script(doing, WRITE_FILES, words, archive, seconds)
        if holds_secrets(operation.files):
            self._forget(uid, volume)
        else:
            self._keep(uid, volume, {"sh": volume_script(WRITE_FILES, words).encode(), "tar": archive}, seconds)
        self._has(uid, volume, fingerprint)

    def make(self, operation: MakeDirectory) -> None:
        uid, volume = _word(operation.uid), _word(operation.volume)
        doing = f"making the directory of volume {volume}"
        if not operation.memory:
            on_disk = (self._disk, uid, volume, _mode(operation), str(operation.group or 0))
            self._shell.script(doing, MAKE_ON_DISK, on_disk, None, _SECONDS)
            self._has(uid)
            return
        words = (self._memory, uid, volume, options_of(operation))
        self._shell.script(doing, MAKE_IN_MEMORY, words, None, _SECONDS)
        self._has(uid, volume, IN_MEMORY)

    def remove(self, uid: Uid) -> None:
        """Everything of this pod. Its containers must be gone."""
        words = (self._memory, self._disk, _word(uid))
        self.pins.remove(uid)
        self._shell.script(f"removing the directories of pod {uid}", REMOVE_ALL, words, None, _SECONDS)
        with self._lock:
            self._changes += 1
            listed = self._cache.files()
            files = {key: value for key, value in listed[0].items() if not key.startswith(f"{uid}/")}
            self._cache.record_files(files, listed[1] - {uid})

    def is_volume_of_files(self, path: str) -> bool:
        """Is this a directory that `write` made? Only we write there."""
        place = path.removeprefix(f"{self._memory}/pods/")
        return place != path and self._cache.files()[0].get(place, IN_MEMORY) != IN_MEMORY

    def is_volume(self, path: str) -> bool:
        """A whole volume of a pod, that `write` or `make` made."""
        return any(
            path.startswith(f"{root}/pods/") and path.count("/") == root.count("/") + 3
            for root in (self._memory, self._disk)
        )

    def is_ours(self, path: str) -> bool:
        """Below a directory of ours: it is made by `write` or `make`, or not there at all."""
        return path.startswith((f"{self._memory}/", f"{self._disk}/"))

    def is_whole(self, path: str) -> bool:
        """A whole volume of ours, or a file of one that only we write: no pod can put a link there."""
        for root in (self._memory, self._disk):
            place = path.removeprefix(f"{root}/pods/")
            if place != path:
                volume = "/".join(place.split("/")[:2])
                return place == volume or self.is_volume_of_files(f"{root}/pods/{volume}")
        return False

    def keep(self, uid: Uid) -> None:
        """Something of this pod is about to be on the host beside its volumes: it is to be removed with them."""
        self._has(_word(uid))

    def leaves(self, uid: Uid) -> None:
        """The pod is not to come up with the host's next boot."""
        self._shell.check(["rm", "-f", f"{boot_directory(self._cluster)}/pods/{_word(uid)}.json"])

    def _keep(self, uid: Uid, volume: str, files: Mapping[str, bytes], seconds: float) -> None:
        """On disk, for a host that boots alone."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for kind, content in files.items():
                entry = tar_entry(f"{volume}.{kind}", 0o600, 0, 0, tarfile.REGTYPE)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        words = (boot_directory(self._cluster), uid)
        self._shell.script(f"keeping volume {volume} for a boot", KEEP_FOR_BOOT, words, out.getvalue(), seconds)

    def _forget(self, uid: Uid, volume: str) -> None:
        """A Secret never reaches a disk: after a boot, such a volume waits for a master."""
        self._keep(uid, volume, {"secret": b""}, _SECONDS)
        kept = f"{boot_directory(self._cluster)}/volumes/{uid}/{volume}"
        self._shell.check(["rm", "-f", f"{kept}.sh", f"{kept}.tar"])

    def _has(self, uid: Uid, volume: str = "", fingerprint: str = "") -> None:
        with self._lock:
            self._changes += 1
            files, directories = self._cache.files()
            more = {f"{uid}/{volume}": fingerprint} if volume else {}
            self._cache.record_files({**files, **more}, directories | {uid})


# --- pure ---------------------------------------------------------------------------------------------------


def options_of(operation: MakeDirectory) -> str:
    """Write the mount options of a tmpfs."""
    size = [f"size={operation.size_bytes}"] if operation.size_bytes else []
    return ",".join((*size, f"mode={_mode(operation)}", f"gid={operation.group or 0}", "nosuid", "nodev"))


def _mode(operation: MakeDirectory) -> str:
    return "0777" if operation.group is None else "2777"


def read_listing(output: str, memory: str) -> VolumeListing:
    """Read what the listing script prints: `d PATH`, `l PATH TARGET` below `pods`, `m PATH` of what is mounted
    there, and `k PATH` of what a boot makes a volume from, or of the sign that it makes none: without either, it
    is to be written.
    """
    files: dict[str, str] = {}
    kept: set[str] = set()
    directories: set[Uid] = set()
    for line in output.splitlines():
        kind, path, *target = line.split(" ")
        if kind == "k":
            kept.add(path.rpartition(".")[0])
            continue
        parts = path.removeprefix(f"{memory}/pods/").split("/")
        directories.add(parts[0])
        if kind == "l" and len(parts) == 3 and parts[2] == "..data" and target:
            files["/".join(parts[:2])] = target[0].removeprefix("..")
        elif kind == "m" and len(parts) == 2:
            files["/".join(parts)] = IN_MEMORY
    known = {key: value for key, value in files.items() if value == IN_MEMORY or key in kept}
    return VolumeListing(known, frozenset(directories))


def _word(text: str) -> str:
    """A uid, a volume's name or a fingerprint: one part of a path, and nothing else."""
    if not _WORD.fullmatch(text) or ".." in text:
        raise NodeError(f"{text!r} cannot name a directory of a pod")
    return text
