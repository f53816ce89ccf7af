"""What a container is to mount, looked at on the host before it is made: types, parts of volumes, escapes.

Docker learns only of what is left then: a path that is there, or a volume's name.
"""

from typing import Any, Final

import msgspec

from reconciler.model.containers import ClaimMount, ContainerConfig, HostMount, Mount
from reconciler.model.pod_sources import HostPathType
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import CommandFailed
from reconciler.nodes.failures import Failed
from reconciler.nodes.pod_files import PodFiles
from reconciler.nodes.shell import Shell

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
# A path is looked at as it is, links resolved, before anything is made there, and again afterwards.
_PART: Final = """\
set -eu
base=$(realpath -e -- "$1") make=$3
within() {
    case $found in
        "$base" | "${base%/}"/*) ;;
        *) echo outside; exit 0 ;;
    esac
}
found=$(realpath -m -- "$base/$2")
within
if [ ! -e "$found" ]; then
    [ "$make" = directory ] || { echo nothing; exit 0; }
    mkdir -p -m 0755 "$found"
    if [ "$(dirname "$found")" = "$base" ]; then
        chmod --reference="$base" "$found"
        chown --reference="$base" "$found"
    fi
fi
found=$(realpath -e -- "$found")
within
printf 'found %s' "$found"
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
    """For one connection."""

    def __init__(self, engine: Engine, shell: Shell, files: PodFiles) -> None:
        self._engine = engine
        self._shell = shell
        self._files = files

    def prepare(self, config: ContainerConfig) -> ContainerConfig:
        """With every source checked, and in the place of a part of a volume the path it has on the host.

        Raises Failed with CreateContainerConfigError where something else is there than was asked for."""
        mounts = tuple(self._prepared(mount) for mount in config.mounts)
        return config if mounts == config.mounts else msgspec.structs.replace(config, mounts=mounts)

    def _prepared(self, mount: Mount) -> Mount:
        match mount:
            case HostMount(source=source, sub_path=part) if self._files.is_volume_of_files(source):
                # By the visible name, as Docker resolves it at each start: what it leads to now goes with the next
                # change of the content.
                return self._with_source(mount, self._visible(source, part)) if part else mount
            case HostMount(source=source, sub_path=part):
                self._check_kind(mount)
                return self._with_source(mount, self._part_of(source, part)) if part else mount
            case ClaimMount(sub_path=part):
                mountpoint = self._mountpoint(mount)
                return HostMount(self._part_of(mountpoint, part), mount.target, mount.read_only) if part else mount
            case _:
                return mount

    def _with_source(self, mount: HostMount, source: str) -> HostMount:
        return msgspec.structs.replace(mount, source=source, sub_path="")

    def _check_kind(self, mount: HostMount) -> None:
        make = _MADE.get(mount.kind, "")
        if not mount.kind:
            if self._files.is_ours(mount.source):
                return
            # As container runtimes do it upstream.
            make = "directory"
        found = self._ask(_LOOK, make, mount.source).strip().replace("regular empty file", "regular file")
        if found == "nothing" or found != _WANTED.get(mount.kind, found):
            raise Failed("CreateContainerConfigError", wrong_kind(mount, found))

    def _visible(self, source: str, part: str) -> str:
        if self._ask(_PART, source, part, "nothing").startswith("found "):
            return f"{source}/{part}"
        raise Failed("CreateContainerConfigError", f"subPath {part!r}: the volume has no such file")

    def _part_of(self, source: str, part: str) -> str:
        found = self._ask(_PART, source, part, "directory")
        if found.startswith("found "):
            return found.removeprefix("found ")
        raise Failed(
            "CreateContainerConfigError",
            f"subPath {part!r} leads out of its volume {source}: a link in it points elsewhere",
        )

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


def wrong_kind(mount: HostMount, found: str) -> str:
    """The problem in words, with the path."""
    if found == "nothing":
        return f"hostPath {mount.source} is to be a {_WANTED[mount.kind]}, and nothing is there on the host"
    return f"hostPath {mount.source} is to be a {_WANTED[mount.kind]}, and on the host it is a {found}"
