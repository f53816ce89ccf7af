"""Build the images once per recipe: a fingerprint of everything that goes in names the cached tar."""

import hashlib
import json
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from reconciler.lab.images import archive, recipes, rootfs


@dataclass(frozen=True)
class ImageSet:
    """All images in one `docker load`-able tar, and the id each tag must have."""

    path: Path
    ids: dict[str, str]


def fingerprint() -> str:
    """Changes when a recipe, one of its files or the code that builds changes."""
    digest = hashlib.sha256(platform.machine().encode())
    package = resources.files("reconciler.lab.images")
    for folder in (package, package / "files"):
        for entry in sorted(folder.iterdir(), key=lambda item: item.name):
            if entry.is_file():
                digest.update(entry.name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def ensure_images(cache: Path, progress: Callable[[str], None]) -> ImageSet:
    """The images from the cache, built first if need be; other recipes' builds are dropped."""
    cache.mkdir(parents=True, exist_ok=True)
    name = f"images-{fingerprint()}"
    tar, index = cache / f"{name}.tar", cache / f"{name}.json"
    if not (tar.exists() and index.exists()):
        for old in cache.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        progress(f"building images from Debian packages: {', '.join(recipes.PACKAGES)}")
        _build(cache / "rootfs", tar, index)
    return ImageSet(tar, json.loads(index.read_text()))


def _build(root: Path, tar: Path, index: Path) -> None:
    rootfs.unpack_packages(root)
    base = rootfs.layer_entries(recipes.LAYERS["base"], root, {})
    below = {entry.path: entry for entry in base}
    layers = {"base": archive.layer_tar(base)}
    for name, layer in recipes.LAYERS.items():
        if name != "base":
            layers[name] = archive.layer_tar(rootfs.layer_entries(layer, root, below))
    unfinished = tar.with_suffix(".part")
    ids = archive.write_archive(unfinished, recipes.IMAGES, layers)
    index.write_text(json.dumps(ids, indent=2))
    unfinished.rename(tar)
    shutil.rmtree(root)
