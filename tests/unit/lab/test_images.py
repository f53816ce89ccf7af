"""Images are the same bytes for the same input, and what `docker load` needs is in them."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from reconciler.lab.errors import LabError
from reconciler.lab.images.archive import image_config, layer_tar, write_archive
from reconciler.lab.images.cache import fingerprint
from reconciler.lab.images.recipes import IMAGES, LAYERS, Image
from reconciler.lab.images.rootfs import RootfsEntry, parse_libraries, resolve_inside

ENTRIES = [
    RootfsEntry("bin/tool", 0o755, b"code"),
    RootfsEntry("bin/alias", 0o777, target="tool"),
    RootfsEntry("tmp", 0o1777),
]


def test_a_layer_has_parents_before_children_and_no_times() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer_tar(ENTRIES).data)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["bin", "bin/tool", "bin/alias", "tmp"]
    assert {(member.mtime, member.uid, member.gid) for member in members} == {(0, 0, 0)}
    assert (members[2].linkname, members[3].mode) == ("tool", 0o1777)


def test_a_layer_does_not_repeat_a_directory_that_is_named_later() -> None:
    with tarfile.open(
        fileobj=io.BytesIO(layer_tar([RootfsEntry("a/b", 0o644, b""), RootfsEntry("a", 0o700)]).data)
    ) as tar:
        assert tar.getnames().count("a") == 1


def test_an_archive_names_every_image_by_the_digest_of_its_config(tmp_path: Path) -> None:
    layers = {"base": layer_tar(ENTRIES), "web": layer_tar([RootfsEntry("web", 0o644, b"x")])}
    image = Image("lab/x:1", ("base", "web"), command=("sh",), environment=("A=b",), port=80)
    ids = write_archive(tmp_path / "images.tar", [image], layers)
    with tarfile.open(tmp_path / "images.tar") as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    [entry] = json.loads(contents["manifest.json"])
    assert entry["RepoTags"] == ["lab/x:1"]
    config = contents[entry["Config"]]
    assert ids == {"lab/x:1": "sha256:" + hashlib.sha256(config).hexdigest()}
    parsed = json.loads(config)
    digests = [f"sha256:{hashlib.sha256(contents[name]).hexdigest()}" for name in entry["Layers"]]
    assert parsed["rootfs"]["diff_ids"] == digests
    assert parsed["config"]["Cmd"] == ["sh"]
    assert parsed["config"]["Env"][1:] == ["A=b"]
    assert parsed["config"]["ExposedPorts"] == {"80/tcp": {}}


def test_the_same_recipe_gives_the_same_image() -> None:
    image = Image("lab/x:1", ("base",))
    first, second = (image_config(image, [layer_tar(ENTRIES)]) for _ in range(2))
    assert first == second
    assert fingerprint() == fingerprint()


def test_every_image_is_made_of_known_layers_and_the_base_comes_first() -> None:
    for image in IMAGES:
        assert image.layers[0] == "base"
        assert set(image.layers) <= set(LAYERS)


def test_libraries_are_read_from_the_loaders_listing() -> None:
    listing = (
        "\tlinux-vdso.so.1 (0x00007fc2b393f000)\n"
        "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fc2b3686000)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007fc2b3941000)\n"
    )
    assert parse_libraries(listing) == ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]


def test_links_are_followed_inside_the_root_only(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/real").write_text("x")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "absolute").symlink_to("/lib/real")
    (tmp_path / "up").symlink_to("../../../usr/lib/real")
    for path in ("/lib/real", "/absolute", "/up"):
        assert resolve_inside(tmp_path, path) == tmp_path / "usr/lib/real"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(LabError, match="too many symbolic links"):
        resolve_inside(tmp_path, "/loop")
