"""An image from this machine to a host, through the SSH connection: only the layers it lacks, where possible.

Docker with its own image store (20.10 to 24) takes an archive without the layers that it has; any other engine is
sent the whole.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import docker.errors
from msgspec import Struct

from reconciler.nodes.access.host import HostAccess
from reconciler.nodes.docker.engine import engine_errors
from reconciler.nodes.errors import CommandFailed, EngineError, OutcomeUnknown
from reconciler.nodes.images.archive import SavedImage, missing, size_of, without

_LOAD_SECONDS: Final = 3600.0

OnProgress = Callable[[int, int], None]
"""(bytes sent, bytes in all)"""


class PushResult(Struct, frozen=True):
    layers: int
    """Sent; 0 where the host had the image already."""
    sent: int
    """How many bytes were sent."""


def push(host: HostAccess, path: Path, image: SavedImage, progress: OnProgress) -> PushResult:
    """Bring the image and its tags to the host. NodeError where it is not there in the end."""
    present = _present(host)
    if image.id in present and _tag(host, image):
        return PushResult(0, 0)
    needed = missing(image, set(present.values()))
    every = frozenset(file for file, _ in image.layers)
    try:
        sent = _load(host, path, image, needed, progress)
    except (EngineError, CommandFailed):
        if needed == every:
            raise
        needed = every
        sent = _load(host, path, image, needed, progress)
    if image.id not in _present(host):
        raise CommandFailed(f"Docker took the archive, and image {image.id[:19]} is not there")
    return PushResult(len(needed), sent)


def _present(host: HostAccess) -> dict[str, tuple[str, ...]]:
    """Image id -> the diff ids of its layers."""
    engine: Any = host.engine
    with engine_errors("list images"):
        ids = {str(each["Id"]) for each in host.engine.images()}
        found: dict[str, tuple[str, ...]] = {}
        for each in ids:
            try:
                found[each] = tuple((engine.inspect_image(each).get("RootFS") or {}).get("Layers") or ())
            except docker.errors.ImageNotFound:
                continue
    return found


def _tag(host: HostAccess, image: SavedImage) -> bool:
    """The image is there: give it the names it has here."""
    with engine_errors("tag"):
        for tag in image.tags:
            name, _, version = tag.rpartition(":")
            host.engine.tag(image.id, name, version)
    return True


def _load(host: HostAccess, path: Path, image: SavedImage, needed: frozenset[str], progress: OnProgress) -> int:
    total = size_of(path, image, needed)
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for chunk in without(path, image, needed):
            yield chunk
            sent += len(chunk)
            progress(sent, total)

    engine: Any = host.engine
    with engine_errors("load"):
        reply = engine._post(
            engine._url("/images/load"),
            params={"quiet": "1"},
            data=chunks(),
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=_LOAD_SECONDS,
        )
        engine._raise_for_status(reply)
        said = reply.content.decode(errors="replace")
    _refuse(said)
    return sent


def _refuse(said: str) -> None:
    """Docker answers 200, and tells of a failure in the lines that follow."""
    for line in said.splitlines():
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise OutcomeUnknown(f"Docker's answer cannot be understood: {line[:200]}") from error
        if "error" in answer:
            raise CommandFailed(f"Docker did not take the image: {answer['error']}")
