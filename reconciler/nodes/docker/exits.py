"""How a container's run ended: from what Docker says now, the event of its death, and the end of its log.

Docker starts a crashed container again within 0.1 s, and forgets its exit code then: the event still has it.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.model.observed import Ended, ObservedContainer
from reconciler.nodes.access.log_lines import LogLine, log_lines
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.docker.moments import between_runs, nanoseconds
from reconciler.nodes.docker.notes import Note
from reconciler.nodes.docker.plain_text import plain
from reconciler.nodes.errors import ConnectionLost, NodeError

_LOG_SECONDS: Final = 3.0
_LINES: Final = 10
_CHARACTERS: Final = 2000


def end_of(now: ObservedContainer, note: Note | None, known: Ended | None) -> Ended | None:
    """The end that is seen and is not the known one, without its log. Pure."""
    if now.state in ("exited", "dead", "restarting") and now.finished_at:
        end = Ended(now.exit_code, now.oom_killed, now.finished_at)
    elif note is not None and note.exit_code is not None and now.finished_at:
        end = Ended(note.exit_code, note.oom, now.finished_at)
    else:
        return None
    if known is not None and (known.exit_code, known.at) == (end.exit_code, end.at):
        return None
    return end


def failed(end: Ended) -> bool:
    return end.exit_code != 0 or end.oom_killed


def log_of(engine: Engine, inspected: Mapping[str, Any], earlier: str, ended: str, again: str) -> str:
    """The last lines of the run that ended at `ended`; empty where there are none to be had.

    `earlier`: the end of the run before it; `again`: the start of the run after it; empty: there is none."""
    try:
        with engine_errors("logs"):
            output = engine.log_tail(inspected["Id"], _LINES + 2, _LOG_SECONDS)
        lines = list(log_lines([output], tty=bool(inspected["Config"].get("Tty"))))
    except ConnectionLost:
        raise
    except NodeError:
        # A logging driver that cannot be read from, or a hung one: the end itself is worth telling.
        return ""
    until = between_runs(nanoseconds(ended), nanoseconds(again)) if again else 0
    return plain(within(lines, nanoseconds(earlier), until), _CHARACTERS, _LINES)


def within(lines: Iterable[LogLine], since: int, until: int) -> bytes:
    """Join what was written between two moments (Unix nanoseconds; 0: no limit). Pure."""
    kept = []
    for line in lines:
        with contextlib.suppress(ValueError):  # The rest of a line that Docker has cut.
            at = nanoseconds(line.moment)
            if at > since and (not until or at < until):
                kept.append(line.text)
    return b"".join(kept)
