"""A scrape: who is asked, how long it waits, and what it costs when nobody asks."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from reconciler.control.cycle import Turn
from reconciler.control.inbox import Inbox
from reconciler.metrics import CannotListen, MetricsServer, Scraper, registry_of
from reconciler.model.api.cluster import Cluster, ClusterSpec
from reconciler.model.api.core.node import Node
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Desired, Rejected
from reconciler.model.names import Ref
from reconciler.model.observed import Observed
from reconciler.model.plan import Hold
from reconciler.model.sections import ServiceSection
from reconciler.model.traffic import Sections, SectionTraffic, TrafficCounts
from reconciler.nodes.errors import ConnectionLost
from tests.fake_node import FakeNodeSession
from tests.simulated import desired, node

WEB = SectionTraffic(ServiceSection(Ref("Service", "shop", "web"), "http"), TrafficCounts(7))
CLUSTER = Cluster(ObjectMeta("test"), ClusterSpec())


class Reader:
    """A proxy that answers at once, until it is told otherwise."""

    def __init__(self) -> None:
        self.reads = self.rests = 0
        self.closed = False
        self.going = threading.Event()
        self.going.set()
        self.error: Exception | None = None

    def read(self) -> Sections:
        self.reads += 1
        self.going.wait(10)
        if self.error is not None:
            raise self.error
        return (WEB,)

    def rest(self) -> None:
        self.rests += 1

    def close(self) -> None:
        self.closed = True
        self.going.set()


class Cell:
    """Three hosts, and the loop over them as any thread sees it."""

    def __init__(self) -> None:
        nodes = {name: node(name) for name in ("a", "b", "c")}
        self.desired: Desired | None = desired(nodes=nodes.values())
        self.refusal: Rejected | Hold | None = None
        self.turn: Turn | None = None
        self.took: Callable[[float], None] = lambda _: None
        self.hosts = {name: FakeNodeSession(name, "test", Inbox(), frozenset()) for name in nodes}
        self.readers: dict[str, Reader] = {}
        self.observed: Observed | None = None
        self.look()

    def look(self) -> None:
        self.observed = Observed(nodes={name: host.observe() for name, host in self.hosts.items()})

    def open_reader(self, node: Node, cluster: Cluster) -> Reader:
        return self.readers.setdefault(node.metadata.name, Reader())


@pytest.fixture
def cell() -> Cell:
    return Cell()


@pytest.fixture
def scraper(cell: Cell) -> Iterator[Scraper]:
    with closing(Scraper(cell.open_reader, deadline=0.2)) as scraper:
        yield scraper


@pytest.fixture
def port(cell: Cell, scraper: Scraper) -> Iterator[int]:
    with closing(MetricsServer("127.0.0.1", 0)) as server:
        server.serve(registry_of(cell, scraper))
        yield server.port


def get(port: int, path: str = "/metrics", accept: str = "*/*") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(connection):
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def told(port: int, name: str) -> dict[str, float]:
    """By node."""
    families = text_string_to_metric_families(get(port)[1])
    samples = [sample for family in families for sample in family.samples]
    return {one.labels.get("node", ""): one.value for one in samples if one.name == name}


def test_every_host_is_asked_when_somebody_asks_and_never_before(cell: Cell, port: int) -> None:
    assert cell.readers == {}
    assert told(port, "reconciler_service_sessions_total") == {"a": 7, "b": 7, "c": 7}
    assert {reader.reads for reader in cell.readers.values()} == {1}


def test_a_host_that_is_lost_is_not_asked_and_the_others_are(cell: Cell, port: int) -> None:
    cell.hosts["b"].lose()
    cell.look()
    assert told(port, "reconciler_node_up") == {"a": 1, "b": 0, "c": 1}
    assert set(told(port, "reconciler_service_sessions_total")) == {"a", "c"}
    assert cell.readers["b"].reads == 0


def test_one_that_hangs_delays_nobody_and_is_not_asked_twice(cell: Cell, scraper: Scraper) -> None:
    assert cell.desired is not None
    nodes = cell.desired.nodes
    scraper.ask(nodes, CLUSTER, nodes)
    cell.readers["a"].going.clear()
    for _ in range(3):
        began = time.monotonic()
        assert set(scraper.ask(nodes, CLUSTER, nodes)) == {"b", "c"}
        assert time.monotonic() - began < 10
    assert [reader.reads for reader in cell.readers.values()] == [2, 4, 4]
    cell.readers["a"].going.set()
    assert set(scraper.ask(nodes, CLUSTER, nodes)) == {"a", "b", "c"}


def test_one_that_fails_is_down_and_is_asked_again(cell: Cell, scraper: Scraper, port: int) -> None:
    assert set(told(port, "reconciler_proxy_up").values()) == {1}
    cell.readers["c"].error = ConnectionLost("cut")
    assert cell.desired is not None
    nodes = cell.desired.nodes
    assert set(scraper.ask(nodes, CLUSTER, nodes)) == {"a", "b"}
    cell.readers["c"].error = None
    assert set(scraper.ask(nodes, CLUSTER, nodes)) == {"a", "b", "c"}


def test_scrapes_at_the_same_time_share_an_answer(cell: Cell, port: int) -> None:
    threads = [threading.Thread(target=get, args=(port,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reader.reads for reader in cell.readers.values()} == {1}


def test_readers_follow_the_nodes_and_rest_when_nobody_asks(cell: Cell, scraper: Scraper) -> None:
    assert cell.desired is not None
    nodes = cell.desired.nodes
    scraper.ask(nodes, CLUSTER, nodes)
    first = cell.readers.pop("a")
    moved = {"a": replace(nodes["a"], host_key="another"), "b": nodes["b"]}
    scraper.ask(moved, CLUSTER, moved)
    assert first.closed
    assert cell.readers["c"].closed
    scraper.rest()
    assert [cell.readers[name].rests for name in ("a", "b")] == [1, 1]
    scraper.close()
    assert cell.readers["b"].closed
    assert scraper.ask(nodes, CLUSTER, nodes) == {}


def test_who_prefers_openmetrics_gets_it(cell: Cell, port: int) -> None:
    status, text = get(port, accept="application/openmetrics-text;version=1.0.0")
    assert status == 200
    families = {family.name for family in openmetrics(text)}  # type: ignore[no-untyped-call]
    assert {"reconciler_service_sessions", "reconciler_node_up", "reconciler_turn_seconds"} <= families


def test_turns_are_timed(cell: Cell, port: int) -> None:
    cell.took(0.004)
    cell.took(3.0)
    text = get(port)[1]
    assert "reconciler_turn_seconds_count 2.0" in text
    assert 'reconciler_turn_seconds_bucket{le="0.005"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_before_the_first_revision_there_is_an_answer_too(cell: Cell, port: int) -> None:
    cell.desired = cell.observed = None
    status, text = get(port)
    assert status == 200
    assert "reconciler_converged 0.0" in text


def test_there_is_nothing_at_another_path(cell: Cell, port: int) -> None:
    assert get(port, "/")[0] == 404
    assert cell.readers == {}


def test_those_who_say_nothing_keep_no_other_from_being_answered(port: int) -> None:
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(15)]
    try:
        assert get(port)[0] == 200
    finally:
        for one in held:
            one.close()


def test_a_port_that_is_taken_is_said(port: int) -> None:
    with pytest.raises(CannotListen, match=rf"127\.0\.0\.1 port {port}: Address already in use; give `--metrics`"):
        MetricsServer("127.0.0.1", port)


def test_an_address_that_is_not_this_machines_is_said() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1 port 9480: Cannot assign"):
        MetricsServer("192.0.2.1", 9480)
