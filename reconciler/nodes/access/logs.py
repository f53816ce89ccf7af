"""A container's outputs as Docker has kept them, and as they come.

Docker keeps one log for all runs of a container. Where one run ends and the next begins is told from its state.
"""

import contextlib
import itertools
from collections.abc import Generator, Iterator
from typing import Any, Final

import requests
import urllib3.exceptions
from msgspec import Struct

from reconciler.nodes.access.host import FoundContainer, HostAccess
from reconciler.nodes.access.log_lines import PIECE, LogLine, joined, last_lines, messages
from reconciler.nodes.docker.engine import engine_errors
from reconciler.nodes.docker.moments import between_runs, nanoseconds
from reconciler.nodes.docker.streams import OutputChunk

_NANO: Final = 1_000_000_000
_BEFORE_START: Final = _NANO // 20
"""Docker writes down the start a moment after the program may have written its first line."""
_MORE: Final = 1000
"""Messages that may come between two looks."""


class LogRequest(Struct, frozen=True):
    follow: bool = False
    previous: bool = False
    """Whether the runs before the present one are asked for (or before the last one, if it does not run)."""
    tail: int = -1
    """Lines from the end; -1: all."""
    since: int = 0
    """Unix nanoseconds; 0: from the start of the run."""


def read_log(host: HostAccess, container: FoundContainer, wanted: LogRequest, start: int) -> Iterator[LogLine]:
    """`start`: of its present run. With `follow` until the container ends; without, what there is.

    Raises NodeError."""
    parameters = log_parameters(wanted, start)
    end = _end_of_log(host, container, wanted, parameters) if wanted.tail > 0 else []
    if wanted.tail > 0 and not wanted.follow:
        yield from end
        return
    if wanted.tail > 0:
        parameters |= _going_on(end)
    with contextlib.closing(_messages(host, container, parameters)) as kept:
        yield from itertools.dropwhile(lambda line: _is_before(line, end), joined(kept))


def _going_on(end: list[LogLine]) -> dict[str, str]:
    """The query that begins with these lines, whatever has come after them since."""
    if not end:
        return {"tail": "all"}
    pieces = sum(1 + len(line.text) // PIECE for line in end)
    return {"tail": str(pieces + _MORE), "since": _seconds(nanoseconds(end[0].moment))}


def _is_before(line: LogLine, end: list[LogLine]) -> bool:
    """It began later than the first of these, and ended earlier."""
    if not end:
        return False
    is_first = (line.stream, line.moment) == (end[0].stream, end[0].moment)
    return not is_first and line.moment <= end[-1].moment


def _end_of_log(
    host: HostAccess, container: FoundContainer, wanted: LogRequest, parameters: dict[str, str]
) -> list[LogLine]:
    """The last lines; Docker counts pieces of lines, and of them all, whatever `until` says."""
    asked = 0 if "until" in parameters else wanted.tail + 1
    while True:
        tail = {"tail": str(asked) if asked else "all", "follow": "0"}
        with contextlib.closing(_messages(host, container, parameters | tail)) as kept:
            found = list(kept)
        lines = last_lines(found, wanted.tail, is_all=not asked or len(found) < asked)
        if lines is not None:
            return lines
        asked *= 4


def _messages(host: HostAccess, container: FoundContainer, parameters: dict[str, str]) -> Generator[OutputChunk]:
    with engine_errors("read logs"):
        engine: Any = host.engine
        reply = engine._get(
            engine._url("/containers/{0}/logs", container.id),
            params=parameters,
            stream=True,
            timeout=None if parameters["follow"] == "1" else host.engine.timeout,
        )
        engine._raise_for_status(reply)
        try:
            yield from messages(_chunks(reply), tty=container.tty)
        finally:
            reply.close()


def now_there(host: HostAccess) -> int:
    """Unix nanoseconds on the host's clock, which its logs have their times from."""
    with engine_errors("info"):
        return nanoseconds(str(host.engine.info()["SystemTime"]))


def log_parameters(wanted: LogRequest, start: int) -> dict[str, str]:
    """The query of `GET /containers/{id}/logs`."""
    since, until = (wanted.since, start) if wanted.previous else (max(wanted.since, start), 0)
    return {
        "stdout": "1",
        "stderr": "1",
        "follow": "1" if wanted.follow and not wanted.previous else "0",
        "timestamps": "1",
        "tail": str(wanted.tail) if wanted.tail >= 0 else "all",
        **({"since": _seconds(since)} if since else {}),
        **({"until": _seconds(until)} if until else {}),
    }


def start_of_run(container: FoundContainer, ended_before: str = "", restarts: int = 0) -> int:
    """Unix nanoseconds between the last line of the run before and the first of this one; 0: there was none.

    `ended_before`: the last end that is known otherwise (RFC 3339), of this run or of the one before; `restarts`:
    as many as are known of the container, whoever started it again.
    """
    started, finished = nanoseconds(container.started_at), nanoseconds(container.finished_at)
    known = nanoseconds(ended_before)
    if container.running:
        ended = finished if 0 < finished < started else known
        begins = started
    else:
        # Docker may write a start down after the end of what ran very short: its present end is this run's.
        ended = known if known != finished else 0
        begins = min(started, finished or started)
    if 0 < ended < begins:
        return between_runs(ended, begins)
    return begins - _BEFORE_START if begins and (container.restarts or restarts or ended) else 0


def _chunks(reply: requests.Response) -> Iterator[bytes]:
    """As they come: a line is not held back until others fill a buffer."""
    raw: urllib3.response.BaseHTTPResponse = reply.raw
    if raw.chunked:
        yield from raw.read_chunked(decode_content=False)
    else:
        yield from raw.stream(4096, decode_content=False)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // _NANO}.{nanoseconds % _NANO:09}"
