"""Write images as one docker-archive tar (what `docker load` reads), the same bytes for the same input."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.lab.images.recipes import Image
from reconciler.lab.images.rootfs import RootfsEntry

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class LayerTar:
    data: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def layer_tar(entries: Sequence[RootfsEntry]) -> LayerTar:
    """The layer's tar: parents before children, no times, owned by root."""
    out = io.BytesIO()
    written: set[str] = set()
    explicit = {entry.path for entry in entries}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry in entries:
            for parent in reversed(Path(entry.path).parents[:-1]):
                if str(parent) not in written | explicit:
                    _add(tar, RootfsEntry(str(parent), 0o755))
                    written.add(str(parent))
            _add(tar, entry)
            written.add(entry.path)
    return LayerTar(out.getvalue())


def image_config(image: Image, layers: Sequence[LayerTar]) -> bytes:
    """The image's config; its SHA-256 is the image's id."""
    config: dict[str, Any] = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *image.environment],
        "Cmd": list(image.command) or None,
        "Entrypoint": list(image.entrypoint) or None,
        "WorkingDir": "/",
    }
    if image.port:
        config["ExposedPorts"] = {f"{image.port}/tcp": {}}
    document = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "reconciler lab"} for _ in layers],
    }
    return json.dumps(document, sort_keys=True).encode()


def write_archive(path: Path, images: Sequence[Image], layers: Mapping[str, LayerTar]) -> dict[str, str]:
    """Write the tar; returns image id (`sha256:…`) by tag."""
    manifest: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    with tarfile.open(path, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for layer in layers.values():
            _add(tar, RootfsEntry(f"{layer.digest}.tar", 0o644, layer.data))
        for image in images:
            own = [layers[name] for name in image.layers]
            config = image_config(image, own)
            digest = hashlib.sha256(config).hexdigest()
            _add(tar, RootfsEntry(f"{digest}.json", 0o644, config))
            ids[image.tag] = f"sha256:{digest}"
            manifest.append(
                {
                    "Config": f"{digest}.json",
                    "RepoTags": [image.tag],
                    "Layers": [f"{layer.digest}.tar" for layer in own],
                }
            )
        _add(tar, RootfsEntry("manifest.json", 0o644, json.dumps(manifest).encode()))
    return ids


def _add(tar: tarfile.TarFile, entry: RootfsEntry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    if entry.target is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
    elif entry.data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(entry.data)
    tar.addfile(info, io.BytesIO(entry.data) if entry.data is not None else None)
