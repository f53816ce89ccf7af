"""Docker's moments: as texts that sort, as numbers, and as `GET /events` takes them. Pure."""

from datetime import UTC, datetime


def event_time(system_time: str) -> str:
    """`SystemTime` of `GET /info` as `GET /events` takes it: Unix seconds, with all nine decimals."""
    seconds, _, fraction = system_time.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return f"{int(moment.timestamp())}.{fraction or 0:0<9}"


def sortable_moment(moment: str) -> str:
    """Docker's RFC 3339 in UTC, with all nine decimals: moments in the order of their texts."""
    seconds, _, fraction = moment.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction:0<9}"


def nanoseconds(moment: str) -> int:
    """Unix time of Docker's `2026-11-23T12:40:01.123456789Z`, or with a zone's `+01:00`; 0 for an empty text.

    ValueError for what is no moment."""
    if not moment:
        return 0
    zone = "" if moment.endswith("Z") or moment[-6:-5] not in ("+", "-") else moment[-6:]
    whole, _, fraction = moment.removesuffix("Z").removesuffix(zone).partition(".")
    seconds = int(datetime.fromisoformat(whole + (zone or "+00:00")).timestamp())
    return seconds * 1_000_000_000 + int(f"{fraction:0<9}"[:9])


def between_runs(ended: int, started: int) -> int:
    """A moment after the last line of one run and before the first of the next; both in Unix nanoseconds.

    Half-way: Docker gives a line its time when it reads it, perhaps a little after the program's end; and writes a
    start down when the program may have written its first lines."""
    return ended + (started - ended) // 2
