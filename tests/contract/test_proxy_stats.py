"""What HAProxy itself says of its traffic, read as the statistics of pods."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import ProxySection, config_text
from reconciler.model.sections import Section, ServiceSection
from reconciler.model.service_options import ServiceOptions
from reconciler.model.traffic import SectionTraffic, TrafficCounts
from reconciler.nodes.proxy.stats import read_stats
from reconciler.services.balancing import lay_out
from reconciler.services.haproxy import node_proxy
from reconciler.services.ingress_files import INSIDE
from reconciler.services.parts import section
from tests.haproxy_process import Client, answering, free_ports, running

WEB = ServiceSection(Ref("Service", "shop", "web"), "http")
RAW = ServiceSection(Ref("Service", "shop", "raw"), "db")
EMPTY = ServiceSection(Ref("Service", "shop", "empty"), "db")


class Site:
    """Three services on loopback, as a node has them: by request, by connection, and one without pods. Of the two
    pods of the others nobody can connect to the second."""

    def __init__(self, folder: Path) -> None:
        self.web, self.raw, self.empty, answers, nowhere = free_ports(5)
        self.admin = folder / "admin.sock"
        self.arguments = [word for name in ("haproxy.cfg", "pods.cfg") for word in ("-f", str(folder / name))]
        (folder / "servers.state").write_text("1\n")
        (folder / "pods.cfg").write_text(answering({"one": answers}))
        config = config_text(node_proxy("image", list(self._sections(answers, nowhere))))
        (folder / "haproxy.cfg").write_text(config.replace(INSIDE, str(folder)))

    def _sections(self, answers: int, nowhere: int) -> Iterator[ProxySection]:
        services = {
            one.service: Service(
                ObjectMeta(one.service.name, one.service.namespace),
                ServiceSpec(ports=(ServicePort(port, one.port),)),
                ServiceOptions(protocol="http" if one == WEB else ""),
            )
            for one, port in ((WEB, self.web), (RAW, self.raw), (EMPTY, self.empty))
        }
        pods = tuple(
            Endpoint(f"u{name}", name, "node-1", "127.0.0.1", (port,), ready=True)
            for name, port in (("one", answers), ("two", nowhere))
        )
        for part in lay_out(services, dict.fromkeys(services, ServiceRecord("127.0.0.1")), "127.0.0.0/8").parts:
            made = section(part, "node-1", False, () if part.name == EMPTY.name else pods)
            assert made is not None
            yield made

    def stats(self) -> dict[Section, SectionTraffic]:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self.admin))
            asked.sendall(b"show stat\n")
            text = b"".join(iter(lambda: asked.recv(65536), b"")).decode()
        return {one.section: one for one in read_stats(text)}

    def settle(self, seconds: float = 10.0) -> None:
        """Until it is known that nobody can connect to the second pod."""
        deadline = time.monotonic() + seconds
        while any(server.up == (server.pod == "two") for one in self.stats().values() for server in one.servers):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def counted(
        self, which: Section, enough: Callable[[TrafficCounts], bool], seconds: float = 5.0
    ) -> SectionTraffic:
        """Once it is: HAProxy counts what it has done a moment after the client has seen it."""
        deadline = time.monotonic() + seconds
        while not enough((found := self.stats()[which]).counts) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Each test has sections of its own."""
    site = Site(tmp_path_factory.mktemp("haproxy"))
    with running(site.arguments, site.web):
        site.settle()
        yield site


def test_pods_are_seen_as_its_checks_see_them(site: Site) -> None:
    one, two = site.stats()[RAW].servers
    assert (one.pod, one.state, one.check, one.weight) == ("one", "UP", "L4OK", 1)
    assert (two.pod, two.state, two.check, two.said) == ("two", "DOWN", "L4CON", "Connection refused")
    assert one.address.startswith("127.0.0.1:")
    assert one.address != two.address


def test_requests_are_counted_by_their_status_and_with_their_pod(site: Site) -> None:
    with Client(site.web) as client:
        assert {client.get("h", "/")[0] for _ in range(3)} == {200}
    found = site.counted(WEB, lambda counts: sum(counts.responses) >= 3 and counts.bytes_out > counts.bytes_in)
    assert found.by_request
    assert (found.counts.sessions, found.counts.responses) == (3, (0, 3, 0, 0, 0))
    assert found.counts.bytes_out > found.counts.bytes_in > 0
    assert {server.pod: server.counts.sessions for server in found.servers} == {"one": 3, "two": 0}


def test_connections_are_counted_while_they_last(site: Site) -> None:
    assert site.stats()[RAW].counts == TrafficCounts()
    with Client(site.raw) as client:
        assert client.get("h", "/")[0] == 200
        during = site.stats()[RAW]
        assert (during.by_request, during.counts.sessions, during.counts.current) == (False, 1, 1)
        assert during.counts.responses == ()
    deadline = time.monotonic() + 5
    while (after := site.stats()[RAW].counts).current or not after.bytes_out:
        assert time.monotonic() < deadline
    assert (after.sessions, after.bytes_in > 0) == (1, True)


def test_who_finds_no_pod_is_an_error(site: Site) -> None:
    with Client(site.empty) as client, pytest.raises((http.client.HTTPException, OSError)):
        client.get("h", "/")
    found = site.counted(EMPTY, lambda counts: bool(counts.errors))
    assert (found.counts.sessions, found.counts.errors, found.servers) == (1, 1, ())
