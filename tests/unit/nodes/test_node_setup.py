"""One thread keeps the parts of a host: what fails is tried again in another way, and nothing waits for ever."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.model.observed import DnsState, ProxyState
from reconciler.model.proxy import NodeProxy
from reconciler.model.setups import NodeDns, NodeNetwork, NodeSetup
from reconciler.nodes import node_setup
from reconciler.nodes.errors import CommandFailed, NodeError, OutcomeUnknown
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.node_setup import HostParts, SetupKeeper

DEADLINE = 20.0
NETWORK = NodeNetwork("10.244.9.0/24", "10.244.0.0/16", (), ())
NEVER = float("inf")


def wanted(fingerprint: str) -> NodeSetup:
    proxy = NodeProxy("lab/proxy:1", "", (), fingerprint, fingerprint)
    return NodeSetup(NETWORK, proxy, dns=NodeDns("lab/proxy:1", ("", ""), "", "", {}, ""))


class FakeProxy:
    """Has a follow-up left; its directory may be gone, which only `read_back` makes it see."""

    def __init__(self) -> None:
        self.due = NEVER
        self.directory = True
        self.container_is_known = False
        self.follow_ups = self.ensured = 0
        self.follow_up_fails: NodeError | None = None

    def read_back(self) -> tuple[ProxyState, frozenset[str]]:
        self.container_is_known = False
        return ProxyState(), frozenset()

    def ensure(self, wanted: NodeProxy, now: ProxyState) -> ProxyState:
        self.ensured += 1
        if not self.container_is_known:
            self.container_is_known = self.directory = True
        if not self.directory:
            raise CommandFailed("cannot create next.cfg.tmp: Directory nonexistent")
        return ProxyState(fingerprint=wanted.fingerprint)

    def follow_up(self, now: ProxyState) -> ProxyState:
        self.follow_ups += 1
        self.due = NEVER
        if self.follow_up_fails is not None:
            raise self.follow_up_fails
        return now


class Stage:
    def __init__(self) -> None:
        self.proxy = FakeProxy()
        self.dns_looks = 0
        self.changes_for_ever = False
        self._changes = 0
        self.cache = HostCache(lambda: None)
        network: Any = SimpleNamespace(keep=lambda _: True, apply=lambda *_, full: True, has_drifted=lambda: False)
        parts: Any = SimpleNamespace(ensure=lambda *_: None, attend=lambda: None)
        dns: Any = SimpleNamespace(ensure=self._dns)
        proxy: Any = self.proxy
        puller: Any = None
        self.keeper = SetupKeeper(
            self.cache, HostParts(network, dns, proxy, parts, parts, lambda: None), puller, 3600.0
        )
        self._thread = threading.Thread(target=self.keeper.work, daemon=True)
        self._thread.start()

    def _dns(self, wanted: NodeDns, full: bool) -> DnsState:
        self.dns_looks += full
        if self.changes_for_ever:
            self._changes += 1
            self.want(f"change {self._changes}")
        return DnsState()

    def want(self, fingerprint: str) -> None:
        self.keeper.want(wanted(fingerprint))

    def comes_to(self, fingerprint: str) -> None:
        self.until(lambda: self.cache.proxy().fingerprint == fingerprint)

    def until(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not what():
            assert time.monotonic() < deadline, self.cache.proxy()
            time.sleep(0.01)

    def end(self) -> None:
        self.keeper.stop()
        self._thread.join(DEADLINE)


@contextmanager
def at_first() -> Iterator[Stage]:
    stage = Stage()
    try:
        stage.want("first")
        stage.comes_to("first")
        yield stage
    finally:
        stage.end()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with at_first() as stage:
        yield stage


def test_a_proxy_that_cannot_write_is_read_back_though_a_follow_up_is_left(stage: Stage) -> None:
    stage.proxy.directory, stage.proxy.due = False, time.monotonic()
    stage.want("second")
    stage.comes_to("second")


def test_what_failed_is_in_doubt_for_the_next_try_not_only_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_setup, "_FIRST_PAUSE", 3600.0)
    with at_first() as stage:
        stage.proxy.directory = False
        stage.want("second")
        stage.until(lambda: stage.cache.proxy().error)
        stage.want("third")
        stage.comes_to("third")


@pytest.mark.parametrize("failure", [None, CommandFailed("no space left"), OutcomeUnknown("lost")])
def test_a_follow_up_is_done_once_whatever_comes_of_it(stage: Stage, failure: NodeError | None) -> None:
    stage.proxy.follow_up_fails = failure
    stage.proxy.due = time.monotonic() + 0.1
    stage.keeper.want(wanted("first"))
    stage.until(lambda: stage.proxy.follow_ups)
    stage.proxy.follow_up_fails = None
    stage.comes_to("first")
    assert stage.proxy.follow_ups == 1
    assert stage.proxy.ensured <= 4


def test_a_look_that_is_long_due_gets_its_turn_among_changes_that_never_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_setup, "_PATIENCE", 0.1)
    looks, stage.changes_for_ever = stage.dns_looks, True
    stage.proxy.directory = False
    stage.want("second")
    stage.until(lambda: stage.dns_looks > looks)
