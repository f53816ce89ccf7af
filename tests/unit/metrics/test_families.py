"""What a scrape says, read back as Prometheus reads it."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from reconciler.metrics.families import LoopState, loop_families, traffic_families
from reconciler.model.names import Ref
from reconciler.model.observed import Observed, Unreachable
from reconciler.model.plan import Status
from reconciler.model.sections import IngressSection, ServiceSection
from reconciler.model.traffic import Sections, SectionTraffic, ServerTraffic, TrafficCounts
from tests.published import pod, waiting

WEB = ServiceSection(Ref("Service", "shop", "web"), "http")
SITE = IngressSection(Ref("Ingress", "shop", "site"), "web", "http", https_only=True)
COUNTS = TrafficCounts(
    *(9, 1, 2, 3, 100, 2000, 4, 5, 6, 7), responses=(0, 6, 1, 2, 3), connect_ms=2, response_ms=30, total_ms=45
)
AT = {"namespace": "shop", "service": "web", "port": "http", "way": "", "node": "node-1"}


class _Fixed(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read_back(families: Iterable[Metric]) -> Samples:
    registry = CollectorRegistry()
    registry.register(_Fixed(families))
    text = generate_latest(registry).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "no two samples are the same series"
    return found


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def server(name: str, state: str) -> ServerTraffic:
    return ServerTraffic(name, "10.244.0.7:8080", state, COUNTS)


def told(*sections: SectionTraffic) -> dict[str, Sections]:
    return {"node-1": sections}


def test_a_service_is_told_with_its_units() -> None:
    found = read_back(traffic_families(["node-1"], told(SectionTraffic(WEB, COUNTS, (), True, denied=8))))
    assert of(found, "reconciler_service_sessions_total", **AT) == 9
    assert of(found, "reconciler_service_current_sessions", **AT) == 1
    assert of(found, "reconciler_service_bytes_total", **AT, direction="in") == 100
    assert of(found, "reconciler_service_bytes_total", **AT, direction="out") == 2000
    kinds = {"connect": 4, "response": 5, "denied": 8}
    assert {kind: of(found, "reconciler_service_errors_total", **AT, kind=kind) for kind in kinds} == kinds
    assert of(found, "reconciler_service_retries_total", **AT) == 6
    assert of(found, "reconciler_service_redispatches_total", **AT) == 7
    codes = {"1xx": 0, "2xx": 6, "3xx": 1, "4xx": 2, "5xx": 3}
    assert {code: of(found, "reconciler_service_http_responses_total", **AT, code=code) for code in codes} == codes
    assert of(found, "reconciler_service_connect_seconds", **AT) == 0.002
    assert of(found, "reconciler_service_response_seconds", **AT) == 0.03
    assert of(found, "reconciler_service_session_seconds", **AT) == 0.045


def test_what_a_port_by_connection_does_not_count_is_not_told() -> None:
    plain = SectionTraffic(WEB, TrafficCounts(9))
    names = {name for name, _ in read_back(traffic_families(["node-1"], told(plain)))}
    assert "reconciler_service_sessions_total" in names
    assert not names & {"reconciler_service_http_responses_total", "reconciler_service_response_seconds"}


def test_endpoints_are_up_or_not_and_those_that_leave_are_none_any_more() -> None:
    pods = server("a", "UP"), server("b", "DOWN"), server("c", "MAINT")
    found = read_back(traffic_families(["node-1"], told(SectionTraffic(WEB, COUNTS, pods))))
    seen = {dict(labels)["pod"]: up for (name, labels), up in found.items() if name.endswith("_endpoint_up")}
    assert seen == {"a": 1, "b": 0}


def test_the_ways_to_a_port_and_the_backends_of_an_ingress_are_series_of_their_own() -> None:
    edge = ServiceSection(WEB.service, WEB.port, "edge")
    plain = IngressSection(SITE.ingress, SITE.service, SITE.port)
    found = read_back(
        traffic_families(
            ["node-1"], told(*(SectionTraffic(one, TrafficCounts(9)) for one in (WEB, edge, SITE, plain)))
        )
    )
    assert of(found, "reconciler_service_sessions_total", **{**AT, "way": "edge"}) == 9
    at = {"namespace": "shop", "ingress": "site", "service": "web", "port": "http", "node": "node-1"}
    assert of(found, "reconciler_ingress_sessions_total", **at, tls="only") == 9
    assert of(found, "reconciler_ingress_sessions_total", **at, tls="") == 9


def test_series_grow_with_sections_and_with_servers_and_never_with_both() -> None:
    def series(sections: int, servers: int) -> int:
        refs = [Ref("Service", "shop", f"s{n}") for n in range(sections)]
        pods = tuple(server(f"p{n}", "UP") for n in range(servers))
        shown = [SectionTraffic(ServiceSection(ref, "http"), COUNTS, pods, by_request=True) for ref in refs]
        return len(read_back(traffic_families(["node-1"], told(*shown))))

    assert series(2, 0) - series(1, 0) == 17
    assert series(1, 7) - series(1, 2) == 5


def test_a_node_whose_proxy_told_nothing_is_down_and_has_no_other_series() -> None:
    found = read_back(traffic_families(["node-2"], {}))
    assert found == {("reconciler_proxy_up", frozenset({("node", "node-2")})): 0}


def test_the_loop_tells_its_pods_by_phase_its_hosts_and_its_revision() -> None:
    ref = Ref("Pod", "shop", "web-0")
    crashes = waiting("app", "web:1", "CrashLoopBackOff")
    statuses: dict[Ref, Status] = {ref: pod(ref, crashes, ready=True)}
    lost = Observed(nodes={"node-1": Unreachable(0.0, "cut off", None)})
    found = read_back(loop_families(LoopState("3f2a", refused=True, statuses=statuses, observed=lost)))
    assert of(found, "reconciler_pods", phase="Running") == 1
    assert of(found, "reconciler_pods", phase="Failed") == 0
    assert of(found, "reconciler_pods_waiting", reason="CrashLoopBackOff") == 1
    assert of(found, "reconciler_converged") == 0
    assert of(found, "reconciler_revision_refused") == 1
    assert of(found, "reconciler_revision_info", revision="3f2a") == 1
    assert of(found, "reconciler_node_up", node="node-1") == 0


def test_before_there_is_a_revision_none_is_told() -> None:
    assert "reconciler_revision_info" not in {name for name, _ in read_back(loop_families(LoopState()))}
