"""What a host's HAProxy has counted: `show stat` of its runtime API, read through a shell in its container.

CSV, of the forms that HAProxy has, is a tenth of the typed one and a fiftieth of its JSON; packed it is a
twentieth of that again: 1,000 services of five pods are 80 kB. Format: https://docs.haproxy.org/2.6/management.html#9.1
"""

import base64
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, Protocol

import paramiko

from reconciler.model.names import SYSTEM_PROXY, system_name
from reconciler.model.sections import section_called
from reconciler.model.traffic import Sections, SectionTraffic, ServerTraffic, TrafficCounts
from reconciler.nodes.errors import CommandFailed, OutcomeUnknown
from reconciler.nodes.proxy.container import ADMIN_SOCKET, INSIDE
from reconciler.nodes.ssh.shell import CommandResult, Shell

_ASK: Final = 'echo "show stat" | socat -t2 - "UNIX-CONNECT:$1" | grep -e "^#" -e "^$2" | gzip -1 | base64'
_ANSWER_SECONDS: Final = 5.0
_HEAD: Final = "# pxname,"
_RESPONSES: Final = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx")
_COLUMNS: Final = (
    *("pxname", "svname", "mode", "addr", "status", "weight", "lastchg", "check_status", "last_chk", "dcon"),
    *("stot", "scur", "rate", "rate_max", "bin", "bout", "econ", "eresp", "wretr", "wredis"),
    *("qtime", "ctime", "rtime", "ttime", *_RESPONSES),
)
_Row = Mapping[str, str]


class ContainerShell(Protocol):
    """A shell in the container of a host's proxy."""

    def run(self, argv: Sequence[str], *, timeout: float) -> CommandResult: ...


class Opener(Protocol):
    """Starts a program on a host: its connection, or the keeper of the lease there."""

    def open(self, argv: Sequence[str]) -> paramiko.Channel: ...


def proxy_shell(host: Opener, cluster: str, node: str) -> Shell:
    """Open a shell in the container of the host's proxy."""
    command = ("docker", "exec", "-i", system_name(cluster, SYSTEM_PROXY), "sh")
    return Shell(lambda: host.open(command), f"{node}'s proxy")


def proxy_traffic(inside: ContainerShell, names: str = "") -> Sections:
    """Read the traffic of the sections whose names begin with this. Raises NodeError."""
    script = ["sh", "-c", _ASK, "sh", f"{INSIDE}/{ADMIN_SOCKET}", names]
    try:
        reply = inside.run(script, timeout=_ANSWER_SECONDS)
        text = gzip.decompress(base64.b64decode(reply.out)).decode(errors="replace")
    except (OutcomeUnknown, ValueError, OSError, EOFError, zlib.error) as error:
        raise CommandFailed(
            "the container of its HAProxy does not answer; `docker ps -a` there tells whether it runs, "
            "or whether Docker hangs"
        ) from error
    if not text.startswith(_HEAD):
        why = reply.err.strip() or "it is just starting, or it hangs"
        raise CommandFailed(f"its HAProxy does not answer on its socket: {why}")
    try:
        return read_stats(text)
    except ValueError as error:
        raise CommandFailed(str(error)) from error


def read_stats(text: str) -> Sections:
    """Read the answer to `show stat`, in its order, without what serves nothing by itself. ValueError if a column
    is missing.

    A section's row follows those of its servers; one that listens has a row of its own before them.
    """
    sections: list[SectionTraffic] = []
    servers: list[ServerTraffic] = []
    denied: dict[str, int] = {}
    for row in _rows(text):
        match row["svname"]:
            case "FRONTEND":
                denied[row["pxname"]] = _number(row, "dcon")
            case "BACKEND":
                if (section := section_called(row["pxname"])) is not None:
                    turned_away, by_request = denied.get(row["pxname"], 0), row["mode"] == "http"
                    sections.append(SectionTraffic(section, _counts(row), tuple(servers), by_request, turned_away))
                servers = []
            case _:
                servers.append(_server(row))
    return tuple(sections)


def _rows(text: str) -> Iterator[_Row]:
    lines = csv.reader(io.StringIO(text.removeprefix("# ")))
    names = next(lines)
    if missing := sorted({*_COLUMNS} - {*names}):
        raise ValueError(f"HAProxy's statistics have no {', '.join(missing)}")
    picked = itemgetter(*(names.index(column) for column in _COLUMNS))
    for cells in lines:
        if len(cells) == len(names):
            yield dict(zip(_COLUMNS, picked(cells), strict=True))


def _server(row: _Row) -> ServerTraffic:
    return ServerTraffic(
        pod=row["svname"],
        address=row["addr"],
        state=row["status"],
        counts=_counts(row),
        weight=_number(row, "weight"),
        check=row["check_status"].removeprefix("* "),
        said=row["last_chk"],
        changed_seconds=_number(row, "lastchg"),
    )


def _counts(row: _Row) -> TrafficCounts:
    return TrafficCounts(
        sessions=_number(row, "stot"),
        current=_number(row, "scur"),
        rate=_number(row, "rate"),
        max_rate=_number(row, "rate_max"),
        bytes_in=_number(row, "bin"),
        bytes_out=_number(row, "bout"),
        connect_errors=_number(row, "econ"),
        response_errors=_number(row, "eresp"),
        retries=_number(row, "wretr"),
        redispatches=_number(row, "wredis"),
        responses=tuple(_number(row, name) for name in _RESPONSES) if row["mode"] == "http" else (),
        queue_ms=_number(row, "qtime"),
        connect_ms=_number(row, "ctime"),
        response_ms=_number(row, "rtime"),
        total_ms=_number(row, "ttime"),
    )


def _number(row: _Row, column: str) -> int:
    """An empty cell is of something that this kind of row does not count."""
    return int(row[column] or 0)
