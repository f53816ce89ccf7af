"""A container's outputs as Docker has kept them, and as they come.

Docker keeps one log for all runs of a container. Where one run ends and the next begins is told from its state.
"""

from collections.abc import Iterator
from typing import Any, Final

import requests
import urllib3.exceptions
from msgspec import Struct

from reconciler.nodes.access import FoundContainer, HostAccess
from reconciler.nodes.docker_replies import between_runs, nanoseconds
from reconciler.nodes.engine import engine_errors
from reconciler.nodes.streams import Piece, pieces

_NANO: Final = 1_000_000_000
_BEFORE_START: Final = _NANO // 20
"""Docker writes down the start a moment after the program may have written its first line."""


class LogRequest(Struct, frozen=True):
    follow: bool = False
    previous: bool = False
    """Of the runs before the present one (or the last one, where it does not run)."""
    tail: int = -1
    """Lines from the end; -1: all."""
    since: int = 0
    """Unix nanoseconds; 0: from the start of the run."""
    timestamps: bool = False


def read_log(
    host: HostAccess, container: FoundContainer, wanted: LogRequest, ended_before: str = ""
) -> Iterator[Piece]:
    """`ended_before`: when its run before the present one ended, as far as is known otherwise (RFC 3339).

    With `follow` until the container ends; without, what there is. Raises NodeError."""
    parameters = log_parameters(container, wanted, ended_before)
    with engine_errors("read logs"):
        engine: Any = host.engine
        reply = engine._get(
            engine._url("/containers/{0}/logs", container.id),
            params=parameters,
            stream=True,
            timeout=None if wanted.follow else host.engine.timeout,
        )
        engine._raise_for_status(reply)
        try:
            yield from pieces(_chunks(reply), tty=container.tty)
        finally:
            reply.close()


def now_there(host: HostAccess) -> int:
    """Unix nanoseconds on the host's clock, which its logs have their times from."""
    with engine_errors("info"):
        return nanoseconds(str(host.engine.info()["SystemTime"]))


def log_parameters(container: FoundContainer, wanted: LogRequest, ended_before: str = "") -> dict[str, str]:
    """The query of `GET /containers/{id}/logs`."""
    start = start_of_run(container, ended_before)
    since, until = (wanted.since, start) if wanted.previous else (max(wanted.since, start), 0)
    return {
        "stdout": "1",
        "stderr": "1",
        "follow": "1" if wanted.follow and not wanted.previous else "0",
        "timestamps": "1" if wanted.timestamps else "0",
        "tail": str(wanted.tail) if wanted.tail >= 0 else "all",
        **({"since": _seconds(since)} if since else {}),
        **({"until": _seconds(until)} if until else {}),
    }


def start_of_run(container: FoundContainer, ended_before: str = "") -> int:
    """Unix nanoseconds between the last line of the run before and the first of this one; 0: there was none."""
    started, finished = nanoseconds(container.started_at), nanoseconds(container.finished_at)
    ended = finished if 0 < finished < started else nanoseconds(ended_before)
    if 0 < ended < started:
        return between_runs(ended, started)
    return started - _BEFORE_START if started and (container.restarts or ended) else 0


def _chunks(reply: requests.Response) -> Iterator[bytes]:
    """As they come: a line is not held back until others fill a buffer."""
    raw: urllib3.response.BaseHTTPResponse = reply.raw
    if raw.chunked:
        yield from raw.read_chunked(decode_content=False)
    else:
        yield from raw.stream(4096, decode_content=False)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // _NANO}.{nanoseconds % _NANO:09}"
