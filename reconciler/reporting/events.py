"""Events: a line as each one happens, a table of those that are kept, and both for programs."""

from collections.abc import Sequence
from typing import Any

from reconciler.model.records import Event
from reconciler.reporting.ages import age
from reconciler.reporting.lines import inert
from reconciler.reporting.tables import Table


def event_line(event: Event) -> str:
    """`Started            Pod shop/web-0 on node-1: container web`; whoever prints it puts the time before."""
    node = f" on {event.node}" if event.node and event.node != event.about.name else ""
    times = f" (x{event.count})" if event.count > 1 else ""
    return inert(f"{event.reason:18} {event.about}{node}: {event.message}{times}")


def event_json(event: Event) -> dict[str, Any]:
    """`at` is Unix seconds; a live one that has not been stored has none yet."""
    return {
        "type": event.type,
        "reason": event.reason,
        "kind": event.about.kind,
        "namespace": event.about.namespace,
        "name": event.about.name,
        "node": event.node,
        "message": event.message,
        "count": event.count,
        **({"at": event.at} if event.at else {}),
    }


def events_table(events: Sequence[Event], now: float) -> Table:
    """Return the table that `kubectl get events` shows, the latest event last. `now` is Unix seconds, as the
    events' own time is.
    """
    header = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
    return Table(header, tuple(_row(event, now) for event in sorted(events, key=lambda event: event.at)))


def _row(event: Event, now: float) -> tuple[str, ...]:
    times = f" (x{event.count})" if event.count > 1 else ""
    about = f"{event.about.kind.lower()}/{event.about.name}"
    return f"{age(now - event.at)}{times}", event.type, event.reason, about, event.message
