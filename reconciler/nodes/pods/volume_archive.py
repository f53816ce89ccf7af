"""The files of a ConfigMap, Secret, downward or projected volume as a tar, for a host to lay them out. Pure."""

import base64
import io
import tarfile
from collections.abc import Iterable

from reconciler.model.operations import VolumeFile, WriteFiles
from reconciler.model.secrets import SecretText
from reconciler.nodes.errors import NodeError


def archive_of(operation: WriteFiles, image_user: str) -> bytes:
    """The files as a tar archive, with their modes and owners."""
    owner, for_all = operation.owner, 0
    if owner is None and image_user:
        name = image_user.partition(":")[0]
        if name.isdecimal():
            owner = int(name)
        elif name != "root":
            # Its number is in the image alone. The directory of the pod is closed to everybody else.
            for_all = 0o444
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        known: set[str] = set()
        for file in operation.files:
            parts = _parts(file.path)
            for end in range(1, len(parts)):
                if (directory := "/".join(parts[:end])) not in known:
                    known.add(directory)
                    archive.addfile(tar_entry(directory, 0o755, 0, operation.group or 0, tarfile.DIRTYPE))
            content = _bytes_of(file)
            entry = tar_entry(file.path, file.mode | for_all, owner or 0, operation.group or 0, tarfile.REGTYPE)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def holds_secrets(files: Iterable[VolumeFile]) -> bool:
    return any(isinstance(file.content, SecretText) for file in files)


def tar_entry(path: str, mode: int, owner: int, group: int, kind: bytes) -> tarfile.TarInfo:
    """Describe an entry of a tar with these rights, and no moment in it."""
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.uid, entry.gid = kind, mode, owner, group
    return entry


def _bytes_of(file: VolumeFile) -> bytes:
    content = file.content.reveal() if isinstance(file.content, SecretText) else file.content
    data = content.encode() if isinstance(content, str) else content
    return base64.b64decode(data) if file.encoded else data


def _parts(path: str) -> list[str]:
    """Of a path that stays where it belongs. The manifests have been checked; this is the last door."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or parts[0].startswith("..") or "\0" in path:
        raise NodeError(f"{path!r} is no path of a file in a volume: relative, without `..`")
    return parts


def top_names(files: Iterable[VolumeFile]) -> tuple[str, ...]:
    """Return the names that are to be seen at the top of the volume."""
    return tuple(sorted({_parts(file.path)[0] for file in files}))
