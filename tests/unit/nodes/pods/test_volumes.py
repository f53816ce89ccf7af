"""Files of pods as an archive and as a listing; names that would lead elsewhere are refused."""

import io
import tarfile

import pytest

from reconciler.model.observed import IN_MEMORY
from reconciler.model.operations import VolumeFile, WriteFiles
from reconciler.model.secrets import SecretText
from reconciler.nodes.errors import NodeError
from reconciler.nodes.pods.volume_archive import archive_of, top_names
from reconciler.nodes.pods.volumes import read_listing


def unpacked(operation: WriteFiles, user: str = "") -> dict[str, tuple[bytes, int, int, int]]:
    with tarfile.open(fileobj=io.BytesIO(archive_of(operation, user))) as archive:
        found = {}
        for entry in archive:
            content = archive.extractfile(entry)
            found[entry.name] = (content.read() if content else b"/", entry.mode, entry.uid, entry.gid)
        return found


def test_contents_modes_and_owners_are_in_the_archive() -> None:
    files = (
        VolumeFile("a", "text", 0o644),
        VolumeFile("d/e/f", SecretText("hidden"), 0o440),
        VolumeFile("d/g", SecretText("AP8="), 0o400, encoded=True),
    )
    assert unpacked(WriteFiles("u", "v", files, "f", owner=7, group=8)) == {
        "a": (b"text", 0o644, 7, 8),
        "d": (b"/", 0o755, 0, 8),
        "d/e": (b"/", 0o755, 0, 8),
        "d/e/f": (b"hidden", 0o440, 7, 8),
        "d/g": (b"\x00\xff", 0o400, 7, 8),
    }
    assert top_names(files) == ("a", "d")


@pytest.mark.parametrize(
    ("user", "mode", "owner"),
    [("", 0o400, 0), ("root", 0o400, 0), ("12:13", 0o400, 12), ("nobody", 0o444, 0), ("nobody:3", 0o444, 0)],
)
def test_without_an_owner_the_images_user_can_read(user: str, mode: int, owner: int) -> None:
    operation = WriteFiles("u", "v", (VolumeFile("a", "x", 0o400),), "f", image="web")
    assert unpacked(operation, user)["a"] == (b"x", mode, owner, 0)


@pytest.mark.parametrize("path", ["/a", "../a", "a/../b", "", "a//b", "..data/x", "./a", "a/"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(NodeError):
        archive_of(WriteFiles("u", "v", (VolumeFile(path, "x", 0o644),), "f"), "")


def test_a_listing_tells_what_is_in_force_and_whose_directories_there_are() -> None:
    lines = (
        *("d u1 ", "d u1/conf ", "d u1/conf/..abc ", "l u1/conf/..data ..abc", "l u1/bare/..data ..def"),
        *("d u2 ", "d u2/fast ", "d u3 ", "m /run/reconciler/demo/pods/u2/fast", "k u1/conf.tar "),
    )
    output = "".join(f"{line}\n" for line in lines)
    listed = read_listing(output, "/run/reconciler/demo")
    assert listed.files == {"u1/conf": "abc", "u2/fast": IN_MEMORY}, (
        "without what a boot makes it from, it is written"
    )
    assert listed.directories == {"u1", "u2", "u3"}
    assert read_listing("", "/run/reconciler/demo").files == {}
