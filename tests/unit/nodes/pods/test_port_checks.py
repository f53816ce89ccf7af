"""Pods are tried until they answer, and each run of a pod anew."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import structlog

from reconciler.model.addresses import SocketAddress
from reconciler.model.observed import Facts, ObservedContainer, ProxyState, Reachable
from reconciler.nodes.docker.looks import HostContainer
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods.port_checks import PortChecker

WEB, SILENT = SocketAddress("10.244.1.2", 80), SocketAddress("10.244.1.3", 80)


class Ports:
    """Stands in for the host's side of the network."""

    def __init__(self) -> None:
        self.open: set[SocketAddress] = set()
        self.tried: list[SocketAddress] = []

    def accepts(self, ip: str, port: int, timeout: float) -> bool:
        self.tried.append(SocketAddress(ip, port))
        return SocketAddress(ip, port) in self.open


class Bench:
    def __init__(self) -> None:
        self.ports = Ports()
        self.cache = HostCache(self._changed)
        self.cache.record_connected(Facts("e", "", "", "", "", 1, 1), frozenset(), ProxyState(), {})
        self.checker = PortChecker(self.ports.accepts, self.cache, structlog.get_logger())
        self.thread = threading.Thread(target=self.checker.work, daemon=True)

    def _changed(self) -> None:
        if hasattr(self, "checker"):
            self.checker.changed()

    def run(self, ip: str, started_at: str = "t1", state: str = "running") -> None:
        ours = ObservedContainer(ip, ip, "web:1", state, "demo", uid=ip, ip=ip, started_at=started_at)  # type: ignore[arg-type]
        self.cache.record(self.cache.ticket(), ip, HostContainer(ours, ip, ()))

    def listening(self) -> frozenset[SocketAddress]:
        seen = self.cache.observation()
        assert isinstance(seen, Reachable)
        return seen.listening


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.thread.start()
    yield bench
    bench.checker.stop()
    bench.thread.join(2)
    assert not bench.thread.is_alive()


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 2
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_pod_is_tried_until_it_answers_and_then_no_more(bench: Bench) -> None:
    bench.checker.want(frozenset({WEB}))
    bench.run("10.244.1.2")
    eventually(lambda: len(bench.ports.tried) > 1)
    bench.ports.open.add(WEB)
    eventually(lambda: bench.listening() == {WEB})
    tried = len(bench.ports.tried)
    time.sleep(0.1)
    assert len(bench.ports.tried) == tried


def test_a_pod_that_does_not_run_is_not_tried(bench: Bench) -> None:
    bench.run("10.244.1.2", state="exited")
    bench.checker.want(frozenset({WEB, SILENT}))
    time.sleep(0.05)
    assert bench.ports.tried == []


def test_a_restarted_pod_must_answer_again(bench: Bench) -> None:
    bench.ports.open.add(WEB)
    bench.checker.want(frozenset({WEB}))
    bench.run("10.244.1.2")
    eventually(lambda: bench.listening() == {WEB})
    bench.ports.open.clear()
    bench.run("10.244.1.2", started_at="t2")
    assert bench.listening() == frozenset()
    bench.ports.open.add(WEB)
    eventually(lambda: bench.listening() == {WEB})


def test_a_silent_pod_does_not_starve_the_others_and_is_asked_ever_more_rarely(bench: Bench) -> None:
    bench.checker.want(frozenset({WEB, SILENT}))
    bench.run("10.244.1.3")
    time.sleep(0.3)
    assert len(bench.ports.tried) < 20
    bench.ports.open.add(WEB)
    bench.run("10.244.1.2")
    eventually(lambda: bench.listening() == {WEB})


def test_the_first_look_tries_each_once_before_anything_is_told() -> None:
    bench = Bench()
    bench.run("10.244.1.2")
    bench.run("10.244.1.3")
    bench.ports.open.add(WEB)
    assert bench.checker.first_look(frozenset({WEB, SILENT, SocketAddress("10.244.1.4", 80)})).keys() == {WEB}
    assert sorted(bench.ports.tried) == [WEB, SILENT]
