"""Texts by path, as a tar: how files that belong together get to a host and back in one command. Pure."""

import io
import tarfile
from collections.abc import Mapping


def packed(files: Mapping[str, str]) -> bytes:
    """Each file readable for all."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, text in sorted(files.items()):
            entry, data = tarfile.TarInfo(path), text.encode()
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def unpacked(archive: bytes) -> dict[str, str]:
    """The files in a tar; what is no file, or no tar, counts as not there."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for entry in tar:
                if entry.isfile() and (content := tar.extractfile(entry)) is not None:
                    found[entry.name.removeprefix("./")] = content.read().decode(errors="replace")
    except (tarfile.TarError, ValueError):
        return {}
    return found
