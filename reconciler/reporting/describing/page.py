"""A page of labelled values: aligned among siblings, indented below their heading."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from reconciler.model.api.core.node import ANNOTATION_LEADER, ANNOTATION_LEASE_EPOCH
from reconciler.model.api.core.persistent_volume_claim import ANNOTATION_SELECTED_NODE
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.moments import rfc3339, unix_seconds
from reconciler.model.records import Event
from reconciler.reporting.ages import age
from reconciler.reporting.lines import Line, Style, inert

NONE: Final = "<none>"
_WEEKDAYS: Final = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_GIVEN: Final = frozenset({ANNOTATION_LEADER, ANNOTATION_LEASE_EPOCH, ANNOTATION_SELECTED_NODE})
"""Annotations that the reconciler adds, and for which the pages have lines of their own."""


class Entry(Struct, frozen=True):
    label: str
    """Empty: the values stand alone."""
    values: tuple[str, ...] = ()
    """One below the other."""
    inside: tuple["Entry", ...] = ()


def entry(label: str, *values: str) -> Entry:
    return Entry(label, values)


def known(label: str, value: str) -> tuple[Entry, ...]:
    """Nothing at all where there is no value."""
    return (Entry(label, (value,)),) if value else ()


def heading(label: str, inside: Iterable[Entry], value: str = "") -> Entry:
    return Entry(label, (value,) if value else (), tuple(inside))


def pairs(label: str, values: Mapping[str, str], sign: str = "=") -> Entry:
    """`app=web`, one below the other, sorted."""
    return Entry(label, tuple(f"{key}{sign}{values[key]}" for key in sorted(values)) or (NONE,))


def named(metadata: ObjectMeta) -> tuple[Entry, ...]:
    """How every page begins: with the name, and with what the manifest notes on the object."""
    written = {key: note for key, note in metadata.annotations.items() if key not in _GIVEN}
    return (
        entry("Name", metadata.name),
        *known("Namespace", metadata.namespace),
        pairs("Labels", metadata.labels),
        pairs("Annotations", written, ": "),
    )


def joined(labels: Mapping[str, str]) -> str:
    """`app=web,tier=front`, sorted."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) or NONE


def page(entries: Sequence[Entry]) -> list[Line]:
    return [Line(Style.PLAIN, text) for text in _texts(entries, 0)]


def rows(table: Sequence[Sequence[str]]) -> Entry:
    """Columns, aligned; a text of several lines goes on below itself."""
    widths = [max(len(inert(row[at])) for row in table) for at in range(len(table[0]) - 1)]
    lines = []
    for row in table:
        start = "  ".join(f"{inert(cell):{width}}" for cell, width in zip(row[:-1], widths, strict=True))
        first, *more = row[-1].splitlines() or [""]
        lines += [f"{start}  {first}".rstrip(), *(f"{' ' * (len(start) + 2)}{text}" for text in more)]
    return Entry("", tuple(lines))


def moment(seconds: float) -> str:
    """`Mon, 23 Nov 2026 12:40:01 +0000`; empty for 0."""
    if not seconds:
        return ""
    text = rfc3339(seconds)
    weekday = _WEEKDAYS[int(seconds) // 86400 % 7]
    return f"{weekday}, {text[8:10]} {_MONTHS[int(text[5:7]) - 1]} {text[:4]} {text[11:19]} +0000"


def moment_of(text: str) -> str:
    """The same, of an RFC 3339 text."""
    return moment(unix_seconds(text))


def events_entry(events: Sequence[Event], now: float) -> Entry:
    """The latest last. `now` is Unix seconds."""
    if not events:
        return entry("Events", NONE)
    header = (("Type", "Reason", "Age", "From", "Message"), ("----", "------", "----", "----", "-------"))
    told = sorted(events, key=lambda event: event.at)
    return heading("Events", [rows([*header, *(_event(event, now) for event in told)])])


def _event(event: Event, now: float) -> tuple[str, ...]:
    times = f" (x{event.count})" if event.count > 1 else ""
    who = f"reconciler, {event.node}" if event.node else "reconciler"
    return event.type, event.reason, f"{age(now - event.at)}{times}", who, event.message


def _texts(entries: Sequence[Entry], indent: int) -> Iterator[str]:
    width = max((len(one.label) for one in entries if one.label and not one.inside), default=0) + 1
    start = " " * indent
    for one in entries:
        if not one.label:
            yield from (f"{start}{inert(text)}" for text in one.values)
            continue
        first, *more = one.values or ("",)
        label = f"{inert(one.label)}:"
        yield f"{start}{label if one.inside and not first else f'{label:{width}}  {inert(first)}'}".rstrip()
        yield from (f"{start}{'':{width}}  {inert(text)}" for text in more)
        yield from _texts(one.inside, indent + 2)
