"""What `docker save` writes, read just far enough to send it on without the layers that a host has already.

Format: https://github.com/moby/moby/blob/v20.10.24/image/spec/v1.2.md (manifest.json beside one tar per layer)
"""

import json
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

_BLOCK: Final = 1 << 18
_LONGEST_JSON: Final = 16 << 20


class NoImage(Exception):
    """The file holds no image as `docker save` writes one."""


class SavedImage(Struct, frozen=True):
    id: str
    """`sha256:…`, of its configuration: what Docker calls it on every host."""
    tags: tuple[str, ...]
    layers: tuple[tuple[str, str], ...]
    """The file's name in the archive, and the layer's diff id, from the bottom up."""


def read_image(path: Path) -> SavedImage:
    """NoImage where there is none, or more than one."""
    try:
        with tarfile.open(path, "r:") as tar:
            manifests = _json(tar, "manifest.json")
            if not isinstance(manifests, list) or len(manifests) != 1:
                raise NoImage(f"{path} holds {len(manifests)} images: save one alone")
            manifest = manifests[0]
            config = _json(tar, manifest["Config"])
            diff_ids = config["rootfs"]["diff_ids"]
    except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise NoImage(f"{path} is not what `docker save` writes: {error}") from error
    if len(diff_ids) != len(manifest["Layers"]):
        raise NoImage(f"{path} is damaged: its layers are not those of its configuration")
    digest = Path(manifest["Config"]).name.removesuffix(".json")
    return SavedImage(
        f"sha256:{digest}",
        tuple(manifest.get("RepoTags") or ()),
        tuple(zip(manifest["Layers"], diff_ids, strict=True)),
    )


def missing(image: SavedImage, present: Collection[tuple[str, ...]]) -> frozenset[str]:
    """The layer files that a host needs. `present`: the diff ids of each of its images, from the bottom up.

    Docker finds a layer by all that is below it too: only the longest common beginning is there already."""
    wanted = [diff_id for _, diff_id in image.layers]
    common = 0
    for other in present:
        length = 0
        while length < min(len(other), len(wanted)) and other[length] == wanted[length]:
            length += 1
        common = max(common, length)
    needed = {file for file, _ in image.layers[common:]}
    return frozenset(needed)


def size_of(path: Path, image: SavedImage, needed: Collection[str]) -> int:
    """About how many bytes `without` will yield."""
    left_out = {file for file, _ in image.layers} - set(needed)
    with tarfile.open(path, "r:") as tar:
        return sum(tarfile.BLOCKSIZE + entry.size for entry in tar if entry.name not in left_out)


def without(path: Path, image: SavedImage, needed: Collection[str]) -> Iterator[bytes]:
    """The archive with no other layer files than `needed`."""
    left_out = {file for file, _ in image.layers} - set(needed)
    with tarfile.open(path, "r:") as tar:
        for entry in tar:
            if entry.name in left_out or (entry.issym() and _aim(entry) in left_out):
                continue
            yield entry.tobuf(tarfile.PAX_FORMAT)
            content = tar.extractfile(entry) if entry.isreg() else None
            if content is None:
                continue
            while chunk := content.read(_BLOCK):
                yield chunk
            yield bytes(-entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _aim(entry: tarfile.TarInfo) -> str:
    """Of a link `<layer>/layer.tar -> ../<other>/layer.tar`, which is how equal layers are written."""
    return entry.linkname.removeprefix("../")


def _json(tar: tarfile.TarFile, name: str) -> Any:
    entry = tar.getmember(name)
    content = tar.extractfile(entry)
    if content is None or entry.size > _LONGEST_JSON:
        raise NoImage(f"{name} is no file")
    return json.loads(content.read())
