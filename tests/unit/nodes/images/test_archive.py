"""An archive of `docker save`, sent on without the layers that a host has."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from reconciler.nodes.images.archive import NoImage, SavedImage, missing, read_image, size_of, without

LAYERS = {"a/layer.tar": b"base" * 500, "b/layer.tar": b"web", "c/layer.tar": b"app" * 100}
DIFF_IDS = ["sha256:a", "sha256:b", "sha256:c"]
IMAGE = SavedImage("sha256:feed", ("lab/app:1",), tuple(zip(LAYERS, DIFF_IDS, strict=True)))


def saved(path: Path, images: int = 1, layers: dict[str, bytes] = LAYERS) -> Path:
    manifest = {"Config": "feed.json", "RepoTags": ["lab/app:1"], "Layers": list(layers)}
    files = {
        **layers,
        "feed.json": json.dumps({"rootfs": {"diff_ids": DIFF_IDS}}).encode(),
        "manifest.json": json.dumps([manifest] * images).encode(),
    }
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_what_it_is(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path / "image.tar")) == IMAGE


def test_what_it_is_not(tmp_path: Path) -> None:
    two, text, less = tmp_path / "two.tar", tmp_path / "text", tmp_path / "less.tar"
    text.write_text("no archive")
    for path in (saved(two, images=2), text, saved(less, layers={"a/layer.tar": b"base"})):
        with pytest.raises(NoImage):
            read_image(path)


@pytest.mark.parametrize(
    ("present", "needed"),
    [
        ([], {"a/layer.tar", "b/layer.tar", "c/layer.tar"}),
        ([("sha256:a", "sha256:x"), ("sha256:a", "sha256:b", "sha256:y")], {"c/layer.tar"}),
        ([("sha256:x", "sha256:b", "sha256:c")], {"a/layer.tar", "b/layer.tar", "c/layer.tar"}),
        ([tuple(DIFF_IDS)], set()),
    ],
)
def test_a_layer_is_there_with_all_that_is_below_it(present: list[tuple[str, ...]], needed: set[str]) -> None:
    assert missing(IMAGE, present) == needed


def test_the_rest_is_sent_as_it_is(tmp_path: Path) -> None:
    path = saved(tmp_path / "image.tar")
    data = b"".join(without(path, IMAGE, {"c/layer.tar"}))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["c/layer.tar", "feed.json", "manifest.json"]
        content = tar.extractfile("c/layer.tar")
        assert content is not None
        assert content.read() == LAYERS["c/layer.tar"]
    assert size_of(path, IMAGE, {"c/layer.tar"}) < size_of(path, IMAGE, set(LAYERS))
