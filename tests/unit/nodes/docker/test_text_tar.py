"""Texts on their way to a host and back."""

from reconciler.nodes.docker.text_tar import packed, unpacked


def test_files_are_packed_and_unpacked() -> None:
    wanted = {"hosts/a": "10.96.0.1 web\n", "empty": ""}
    assert unpacked(packed(wanted)) == wanted
    assert unpacked(b"no tar") == unpacked(b"") == {}
