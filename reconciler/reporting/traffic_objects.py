"""What proxies told, for programs: `reconciler describe -o json`."""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.model.sections import ServiceSection
from reconciler.model.traffic import ProxyTraffic, SectionTraffic, ServerTraffic, Silent, TrafficCounts

_Object = dict[str, Any]
_CODES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")


def traffic_objects(traffic: Mapping[str, ProxyTraffic]) -> list[_Object]:
    """One for each node: its sections, or `error`, which says why it told nothing."""
    return [
        {"node": node, "error": told.why}
        if isinstance(told, Silent)
        else {"node": node, "ports": [_section(one) for one in told.sections]}
        for node, told in sorted(traffic.items())
    ]


def _section(one: SectionTraffic) -> _Object:
    section = one.section
    named: _Object
    if isinstance(section, ServiceSection):
        named = {"port": section.port, **({"way": section.way} if section.way else {})}
    else:
        named = {"service": section.service, "port": section.port, "httpsOnly": section.https_only}
    backends = [_server(server, one.by_request) for server in one.servers]
    return {**named, **_counts(one.counts, one.by_request), "denied": one.denied, "backends": backends}


def _server(server: ServerTraffic, by_request: bool) -> _Object:
    return {
        "pod": server.pod,
        "address": server.address,
        "state": server.state,
        "up": server.up,
        "stateSeconds": server.changed_seconds,
        "weight": server.weight,
        "check": server.check,
        **({"message": server.said} if server.said else {}),
        **_counts(server.counts, by_request),
    }


def _counts(counts: TrafficCounts, by_request: bool) -> _Object:
    return {
        "sessions": counts.sessions,
        "current": counts.current,
        "rate": counts.rate,
        "maxRate": counts.max_rate,
        "bytesIn": counts.bytes_in,
        "bytesOut": counts.bytes_out,
        "connectErrors": counts.connect_errors,
        "responseErrors": counts.response_errors,
        "retries": counts.retries,
        "redispatches": counts.redispatches,
        **({"responses": dict(zip(_CODES, counts.responses, strict=False))} if counts.responses else {}),
        "queueMilliseconds": counts.queue_ms,
        "connectMilliseconds": counts.connect_ms,
        **({"responseMilliseconds": counts.response_ms} if by_request else {}),
        "totalMilliseconds": counts.total_ms,
    }
