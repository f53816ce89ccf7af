"""How a Service or an Ingress does, on its page: every backend as each node's HAProxy sees it, now."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.model.sections import Section, ServiceSection
from reconciler.model.traffic import (
    ProxyTraffic,
    SectionTraffic,
    ServerTraffic,
    Silent,
    TrafficCounts,
    TrafficReport,
)
from reconciler.reporting.ages import age
from reconciler.reporting.describing.page import NONE, Entry, heading, rows

Traffic = Mapping[str, ProxyTraffic]
"""What the proxies have served, by node."""
NOT_ASKED: Traffic = {}

_HEADER: Final = (
    *("Node", "Backend", "Address", "State"),
    *("Sessions", "Rate", "Errors", "Connect", "Response", "Message"),
)
_UNKNOWN: Final = "<unknown>"
_CODES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_WAYS: Final = {"": "", "external": " from outside", "edge": " at edges"}


def traffic_entries(expected: Sequence[Section], traffic: Traffic) -> Iterator[Entry]:
    """A table for each section that is expected, or found; nothing where nobody was asked.

    A proxy that is silent is a row of each, with the reason: it is not one without traffic."""
    if not traffic:
        return
    found = {one.section for told in traffic.values() if isinstance(told, TrafficReport) for one in told.sections}
    ports = [section.port for section in expected]
    sections = sorted(
        {*found, *expected}, key=lambda one: (ports.index(one.port) if one.port in ports else len(ports), one.name)
    )
    tables = [_table(_title(section), list(_rows(section, traffic))) for section in sections]
    if not tables:
        silent = [_silent(node, told) for node, told in sorted(traffic.items()) if isinstance(told, Silent)]
        tables = [_table("Backends", silent)] if silent else [Entry("", (NONE,))]
    yield heading("Traffic", tables)


def _table(title: str, shown: list[tuple[str, ...]]) -> Entry:
    return heading(title, [rows([_HEADER, tuple("-" * len(word) for word in _HEADER), *shown])])


def _title(section: Section) -> str:
    if isinstance(section, ServiceSection):
        return f"Port {section.port}{_WAYS[section.way]}"
    return f"Backend {section.service}:{section.port}{' (https only)' if section.https_only else ''}"


def _rows(section: Section, traffic: Traffic) -> Iterator[tuple[str, ...]]:
    for node, told in sorted(traffic.items()):
        if isinstance(told, Silent):
            yield _silent(node, told)
            continue
        here = [one for one in told.sections if one.section == section]
        for one in here:
            yield from (_server(node, server, one.by_request) for server in one.servers)
            yield _total(node, one)
        if not here and isinstance(section, ServiceSection) and not section.way:
            yield _row(node, NONE, message="its HAProxy does not serve this port")


def _silent(node: str, told: Silent) -> tuple[str, ...]:
    return _row(node, _UNKNOWN, state=_UNKNOWN, message=told.why)


def _server(node: str, server: ServerTraffic, by_request: bool) -> tuple[str, ...]:
    return _row(node, server.pod, server.address, server.state, _counted(server.counts, by_request), _why(server))


def _total(node: str, one: SectionTraffic) -> tuple[str, ...]:
    staying = [server for server in one.servers if not server.leaves]
    state = f"{sum(server.up for server in staying)}/{len(staying)} UP"
    return _row(node, "(all)", "", state, _counted(one.counts, one.by_request), ", ".join(_noted(one)))


def _row(
    node: str,
    backend: str,
    address: str = "",
    state: str = "",
    counted: tuple[str, ...] = ("", "", "", "", ""),
    message: str = "",
) -> tuple[str, ...]:
    return node, backend, address, state, *counted, message


def _counted(counts: TrafficCounts, by_request: bool) -> tuple[str, ...]:
    """Averages of nothing are not told."""
    connect = f"{counts.connect_ms}ms" if counts.sessions else "-"
    response = f"{counts.response_ms}ms" if counts.sessions and by_request else "-"
    return str(counts.sessions), f"{counts.rate}/s", str(counts.errors), connect, response


def _why(server: ServerTraffic) -> str:
    if server.up:
        return ""
    if server.leaves:
        return f"leaves, for {age(server.changed_seconds)}"
    said = f"{server.check}: {server.said}" if server.said else server.check
    return f"{said}{', ' if said else ''}for {age(server.changed_seconds)}"


def _noted(one: SectionTraffic) -> Iterator[str]:
    counts = one.counts
    yield from (f"{code} {number}" for code, number in zip(_CODES, counts.responses, strict=False) if number)
    for word, number in (
        ("open", counts.current),
        ("denied", one.denied),
        ("retries", counts.retries),
        ("redispatches", counts.redispatches),
        ("highest rate", counts.max_rate),
    ):
        if number:
            yield f"{word} {number}{'/s' if word == 'highest rate' else ''}"
