"""Lines out of what `GET /containers/{id}/logs?timestamps=1` answers. Pure.

Docker keeps a long line in pieces of 16 KiB, writes the time before each, and puts pieces of the other output
between them. Its `local` driver even leaves out the end of such a line.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from reconciler.nodes.docker.streams import STDOUT, OutputChunk, pieces

PIECE: Final = 16 << 10
"""A piece without a line's end that is as long as this, or longer, goes on; a shorter one was the last."""
_LONGEST: Final = 1 << 20
"""What is kept of a line that does not end; then it is handed out in parts."""
_MOMENT: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")

_CUT_SHORT: Final = re.compile(rb"\r(?=" + _MOMENT.pattern + rb")")


class LogLine(NamedTuple):
    """A line that a program wrote, or a part of a very long one."""

    stream: int
    """STDOUT or STDERR."""
    moment: str
    """When Docker read its beginning (RFC 3339)."""
    text: bytes
    """The text with its line's end, unless it goes on or was never ended."""
    begins: bool = True
    """False: it goes on where the part before it has stopped."""


def log_lines(chunks: Iterable[bytes], *, tty: bool) -> Iterator[LogLine]:
    """Join the pieces to lines, in the order in which the lines ended. Raises OutcomeUnknown as `pieces` does."""
    return joined(messages(chunks, tty=tty))


def messages(chunks: Iterable[bytes], *, tty: bool) -> Iterator[OutputChunk]:
    """Yield the messages that Docker has kept, each with its moment before it."""
    return _of_a_terminal(chunks) if tty else pieces(chunks, tty=False)


def joined(kept: Iterable[OutputChunk]) -> Iterator[LogLine]:
    open_lines: dict[int, LogLine] = {}
    for stream, data in kept:
        moment, text = _split(data)
        before = open_lines.pop(stream, None)
        line = before._replace(text=before.text + text) if before else LogLine(stream, moment, text)
        if text.endswith(b"\n"):
            yield line
        elif len(text) < PIECE:
            yield line._replace(text=line.text + b"\n") if before else line
        elif len(line.text) < _LONGEST:
            open_lines[stream] = line
        else:
            yield line
            open_lines[stream] = line._replace(text=b"", begins=False)
    yield from (line for line in open_lines.values() if line.text)


def last_lines(kept: Sequence[OutputChunk], count: int, *, is_all: bool) -> list[LogLine] | None:
    """The last `count` lines of these messages; None: to tell, more messages must be looked at.

    `is_all`: there is nothing before them. Otherwise each output's first one may be the rest of a line, which
    bears the moment of its beginning.
    """
    lines = list(joined(kept))
    if not is_all and kept:
        earliest, _ = _split(kept[0].data)
        first = {line.stream: at for at, line in reversed(list(enumerate(lines)))}
        rests = {at for at in first.values() if lines[at].moment <= earliest}
        lines = [line for at, line in enumerate(lines) if at not in rests]
    begin = [at for at, line in enumerate(lines) if line.begins]
    if not is_all and len(begin) < count:
        return None
    return lines[begin[-count] :] if 0 < count <= len(begin) else lines[: len(lines) if count else 0]


def _split(data: bytes) -> tuple[str, bytes]:
    found = _MOMENT.match(data)
    return (found[0][:-1].decode(), data[found.end() :]) if found else ("", data)


def _of_a_terminal(chunks: Iterable[bytes]) -> Iterator[OutputChunk]:
    """A terminal's output has no frames: a message ends with its line, or at Docker's limit."""
    rest = bytearray()
    goes_on = False
    for chunk in chunks:
        rest += chunk
        while (end := _message_end(rest, goes_on)) > 0:
            yield OutputChunk(STDOUT, bytes(rest[:end]))
            goes_on = rest[end - 1] not in b"\r\n"
            del rest[:end]
    if rest:
        yield OutputChunk(STDOUT, bytes(rest))


def _message_end(data: bytearray, goes_on: bool) -> int:
    """Where the first message in `data` ends; 0: it is not all there. `goes_on`: its line began before it."""
    found = _MOMENT.match(data)
    start = found.end() if found else 0
    at = data.find(b"\n", start, start + PIECE) + 1
    # The `local` driver leaves out the end of a long line: the next message follows at once.
    if goes_on and (cut := _CUT_SHORT.search(data, start, at or len(data))):
        return cut.start() + 1
    return at or (start + PIECE if len(data) >= start + PIECE else 0)
