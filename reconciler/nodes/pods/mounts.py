"""What a container is to mount, looked at on the host before it is made: types, parts of volumes, escapes.

Docker learns only of what is left then: a path that no pod can change, or a volume's name.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from reconciler.model.api.core.volume import HostPathType
from reconciler.model.container_config import ClaimMount, ContainerConfig, HostMount, Mount
from reconciler.model.host_paths import parts_of
from reconciler.model.names import LABEL_CONTAINER, LABEL_MOUNTS, LABEL_UID, Uid
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.errors import CommandFailed
from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.pinning import How, Step
from reconciler.nodes.pods.volumes import PodFiles
from reconciler.nodes.ssh.shell import Shell

MOUNTS_VERSION: Final = "1"
"""The version in LABEL_MOUNTS; if it is another one, containers that mount a part or a hostPath are made anew
before they start."""
_SECONDS: Final = 10.0
_WANTED: Final[dict[HostPathType, str]] = {
    "Directory": "directory",
    "DirectoryOrCreate": "directory",
    "File": "regular file",
    "FileOrCreate": "regular file",
    "Socket": "socket",
    "CharDevice": "character special file",
    "BlockDevice": "block special file",
}
_MADE: Final[dict[HostPathType, str]] = {"DirectoryOrCreate": "directory", "FileOrCreate": "file"}
_LOOK: Final = """\
set -eu
make=$1 path=$2
case $make in
    directory) [ -e "$path" ] || mkdir -p -m 0755 "$path" ;;
    file) [ -e "$path" ] || (umask 022 && : >>"$path") ;;
esac
[ -e "$path" ] || { echo nothing; exit 0; }
stat -L -c %F "$path"
"""
# By a name of a volume of files, where nobody but us writes.
_VISIBLE: Final = """\
set -eu
base=$(realpath -e -- "$1")
found=$(realpath -m -- "$base/$2")
case $found in
    "$base"/*) [ ! -e "$found" ] || echo found ;;
esac
"""
# As Docker has just made it, and with nothing in it: whatever was changed there since is somebody's.
_OPEN: Final = """\
set -eu
[ "$(stat -c %u:%g:%a -- "$1")" = 0:0:755 ] || exit 0
[ -z "$(ls -A -- "$1")" ] || exit 0
chgrp "$3" "$1"
chmod "$2" "$1"
"""


class Mounts:
    """Prepares what containers mount of their host."""

    def __init__(self, engine: Engine, shell: Shell, files: PodFiles) -> None:
        self._engine = engine
        self._shell = shell
        self._files = files
        self._pins = files.pins

    def prepare(self, config: ContainerConfig) -> ContainerConfig:
        """Check every source of a container's mounts; what a pod could put a link into is pinned, and the pin
        takes its place.

        Raises Failed with CreateContainerConfigError where something else is there than was asked for."""
        wanted: dict[int, tuple[Step, ...]] = {}
        mounts = list(config.mounts)
        for number, mount in enumerate(mounts):
            if steps := self._steps(mount):
                wanted[number] = steps
            elif isinstance(mount, HostMount):
                mounts[number] = self._by_name(mount)
        if wanted:
            uid, container = config.labels[LABEL_UID], config.labels[LABEL_CONTAINER]
            self._files.keep(uid)
            sources = self._pins.make(uid, container, tuple(wanted.values()))
            for number, source in zip(wanted, sources, strict=True):
                mounts[number] = HostMount(source, mounts[number].target, mounts[number].read_only)
        labels = dict(config.labels)
        if wanted or any(isinstance(mount, HostMount) and self._may_lead_away(mount) for mount in config.mounts):
            labels[LABEL_MOUNTS] = MOUNTS_VERSION
        return msgspec.structs.replace(config, mounts=tuple(mounts), labels=labels)

    def is_current(self, labels: Mapping[str, str], sources: Iterable[str]) -> bool:
        """Say whether what a container mounts is pinned wherever it must be, and all pins are there; asked before
        it is started again.

        False: it must be made anew. Raises as `prepare`.
        """
        sources = tuple(sources)
        if labels.get(LABEL_MOUNTS) != MOUNTS_VERSION and not all(map(self._files.is_whole, sources)):
            return False
        return self._pins.ensure(sources)

    def release(self, uid: Uid, labels: Mapping[str, str]) -> None:
        """Let go of what a container had mounted, after it was removed."""
        self._pins.remove(uid, labels.get(LABEL_CONTAINER, ""))

    def _may_lead_away(self, mount: HostMount) -> bool:
        """Whether without a pin, or another kind of care, a link could be where Docker looks."""
        return bool(mount.sub_path) or not self._files.is_ours(mount.source)

    def _steps(self, mount: Mount) -> tuple[Step, ...]:
        """How to find what must be pinned; empty: no pod can change what the name leads to."""
        match mount:
            case HostMount(source=source, sub_path=part) if self._files.is_ours(source):
                pinned = part and not self._files.is_volume_of_files(source)
                return (("find", source), *_sub_path(mount)) if pinned else ()
            case HostMount(source=source, beneath=()):
                message = (
                    f"hostPath {source}: no exception of the Cluster's podSecurity.hostPaths allows it any more"
                )
                raise Failed("CreateContainerConfigError", message)
            case HostMount(sub_path=part):
                steps = (*_host_path(mount), *_sub_path(mount))
                return steps if len([how for how, _ in steps if how != "kind"]) > 1 else ()
            case ClaimMount(sub_path=part) if part:
                return (("find", self._mountpoint(mount)), *_sub_path(mount))
            case ClaimMount():
                self._mountpoint(mount)
        return ()

    def _by_name(self, mount: HostMount) -> HostMount:
        if self._files.is_volume_of_files(mount.source):
            # By the visible name, as Docker resolves it at each start: what it leads to now goes with the next
            # change of the content.
            source = self._visible(mount.source, mount.sub_path) if mount.sub_path else mount.source
            return msgspec.structs.replace(mount, source=source, sub_path="")
        self._check_kind(mount)
        return mount

    def _check_kind(self, mount: HostMount) -> None:
        make = _MADE.get(mount.kind, "")
        if not mount.kind:
            if self._files.is_ours(mount.source):
                return
            # As container runtimes do it upstream.
            make = "directory"
        words = (make if mount.makes else "", mount.source)
        found = self._ask(_LOOK, *words).strip().replace("regular empty file", "regular file")
        if found == "nothing" or found != _WANTED.get(mount.kind, found):
            raise Failed("CreateContainerConfigError", wrong_kind(mount, found))

    def _visible(self, source: str, part: str) -> str:
        if self._ask(_VISIBLE, source, part):
            return f"{source}/{part}"
        raise Failed("CreateContainerConfigError", f"subPath {part!r}: the volume has no such file")

    def _ask(self, script: str, *words: str) -> str:
        try:
            return self._shell.script("looking at a volume", script, words, None, _SECONDS)
        except CommandFailed as error:
            raise Failed("CreateContainerConfigError", str(error)) from error

    def _mountpoint(self, mount: ClaimMount) -> str:
        """Of the volume, which is made where it is not there yet: open to whoever mounts it, as an emptyDir."""
        with engine_errors(f"volume {mount.volume}"):
            volume: dict[str, Any] = self._engine.create_volume(mount.volume, labels=dict(mount.labels))
        mountpoint, mode = str(volume["Mountpoint"]), "0777" if mount.group is None else "2777"
        self._ask(_OPEN, mountpoint, mode, str(mount.group or 0))
        return mountpoint


def _sub_path(mount: HostMount | ClaimMount) -> tuple[Step, ...]:
    """Raises Failed for a path that goes up, as upstream refuses it; a subPathExpr may become one."""
    if ".." in mount.sub_path.split("/"):
        message = f"subPath {mount.sub_path!r} leads out of its volume: it has `..` in it"
        raise Failed("CreateContainerConfigError", message)
    makes = isinstance(mount, ClaimMount) or mount.makes
    return (("sub" if makes else "sub-found", mount.sub_path),) if mount.sub_path else ()


def _host_path(mount: HostMount) -> tuple[Step, ...]:
    ways = mount.beneath or (mount.source,)
    parts = [parts_of(way) for way in (*ways, mount.source)]
    # What is to be a file is made alone: directories on its way must be there.
    how: How = "make" if mount.makes and mount.kind in ("", "DirectoryOrCreate") else "find"
    steps: list[Step] = [(how, "/" + "/".join(parts[0]))]
    for above, below in itertools.pairwise(parts):
        if rest := below[len(above) :]:
            steps.append((how, "/".join(rest)))
    if mount.makes and mount.kind == "FileOrCreate":
        steps[-1] = ("file", steps[-1][1])
    return (*steps, ("kind", _WANTED[mount.kind])) if mount.kind else tuple(steps)


def wrong_kind(mount: HostMount, found: str) -> str:
    """The problem in words, with the path."""
    if found == "nothing":
        wanted = f" is to be a {_WANTED[mount.kind]}, and" if mount.kind else ":"
        return f"hostPath {mount.source}{wanted} nothing is there on the host"
    return f"hostPath {mount.source} is to be a {_WANTED[mount.kind]}, and on the host it is a {found}"
