"""Files in and out of a container as tar streams, through Docker's archive API."""

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from reconciler.nodes.access.host import HostAccess
from reconciler.nodes.docker.engine import engine_errors
from reconciler.nodes.errors import EngineError

_GO_DIRECTORY: Final = 1 << 31
_CHUNK: Final = 1 << 16
_HOURS_SECONDS: Final = 6 * 3600.0
"""A copy may take long; one that has stopped moving is for the person who watches it."""


class PathInfo(Struct, frozen=True):
    """What is at a path in a container."""

    name: str
    directory: bool
    target: str
    """Where a link leads; else empty."""


def look(host: HostAccess, container: str, path: str) -> PathInfo | None:
    """Describe what is at this path of the container; None where nothing is there."""
    engine: Any = host.engine
    with engine_errors("look at a path"):
        reply = engine.head(
            engine._url("/containers/{0}/archive", container), params={"path": path}, timeout=engine.timeout
        )
        if reply.status_code == 404:
            return None
        if reply.status_code >= 400:
            raise EngineError(reply.status_code, f"Docker cannot look at {path} in the container")
    stat = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
    return PathInfo(stat["name"], bool(stat["mode"] & _GO_DIRECTORY), stat.get("linkTarget", ""))


def fetch(host: HostAccess, container: str, path: str) -> Iterator[bytes]:
    """A tar stream whose entries begin with the path's last part. EngineError where nothing is there."""
    engine: Any = host.engine
    with engine_errors("copy"):
        reply = engine._get(
            engine._url("/containers/{0}/archive", container),
            params={"path": path},
            stream=True,
            timeout=_HOURS_SECONDS,
        )
        engine._raise_for_status(reply)
        try:
            yield from reply.iter_content(_CHUNK)
        finally:
            reply.close()


def put(host: HostAccess, container: str, directory: str, tar: Iterable[bytes]) -> None:
    """Unpack a tar stream in a directory of the container, which must be there."""
    engine: Any = host.engine
    with engine_errors("copy"):
        reply = engine._put(
            engine._url("/containers/{0}/archive", container),
            params={"path": directory},
            data=iter(tar),
            timeout=_HOURS_SECONDS,
        )
        engine._raise_for_status(reply)
