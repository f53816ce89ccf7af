"""What a full listing asks Docker, and what it takes from the listing before."""

from typing import Any

import pytest

from reconciler.model.observed import Facts, ProxyState, Reachable
from reconciler.nodes.docker.watch import Watcher, state_age
from reconciler.nodes.errors import OutcomeUnknown
from reconciler.nodes.host_cache import HostCache

FACTS = Facts("e", "", "", "", "", 1, 1)
LABELS = {"reconciler.dev/cluster": "demo", "reconciler.dev/uid": "u1", "reconciler.dev/container": "app"}


class CountingEngine:
    """One container of ours; counts how often it is inspected."""

    def __init__(self) -> None:
        self.inspected = 0
        self.status = "Up 5 minutes"
        self.name = "app"
        self.hangs = False
        self.volumes_hang = False

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        state = "exited" if self.status.startswith("Exited") else "running"
        entry = {"Id": "c1", "Names": [f"/{self.name}"], "Labels": LABELS, "Status": self.status, "State": state}
        return [entry]

    def volumes(self, filters: dict[str, list[str]]) -> dict[str, Any]:
        assert filters == {"label": ["reconciler.dev/cluster=demo", "reconciler.dev/claim"]}
        if self.volumes_hang:
            raise TimeoutError("a driver's plug-in hangs")
        return {"Volumes": [{"Name": "demo_default_data"}]}

    def inspect_container(self, container: str) -> dict[str, Any]:
        self.inspected += 1
        if self.hangs:
            raise OutcomeUnknown("inspect c1: no reply within 5 s")
        state = {"Status": self.containers()[0]["State"], "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": 0}
        config = {"Image": "web:1", "Labels": LABELS}
        return {"Id": "c1", "Name": f"/{self.name}", "Config": config, "State": state, "NetworkSettings": {}}


def listed(engine: CountingEngine, *statuses: str) -> int:
    """How often the container was inspected in a listing of each status, after the first."""
    watcher = Watcher(engine, "demo", HostCache(lambda: None))  # type: ignore[arg-type]
    watcher.list_all()
    engine.inspected = 0
    for status in statuses:
        engine.status = status
        watcher.list_all()
    return engine.inspected


def test_the_volumes_that_hold_data_of_claims_are_told_and_stay_known_while_docker_cannot_say() -> None:
    engine, cache = CountingEngine(), HostCache(lambda: None)
    watcher = Watcher(engine, "demo", cache)  # type: ignore[arg-type]
    cache.record_connected(FACTS, frozenset(), ProxyState(), {})
    engine.volumes_hang = True
    watcher.look_at_volumes()
    assert volumes(cache) is None
    engine.volumes_hang = False
    watcher.look_at_volumes()
    assert volumes(cache) == frozenset({"demo_default_data"})
    engine.volumes_hang = True
    watcher.look_at_volumes()
    assert volumes(cache) == frozenset({"demo_default_data"})


def volumes(cache: HostCache) -> frozenset[str] | None:
    seen = cache.observation()
    assert isinstance(seen, Reachable)
    return seen.volumes


def test_what_has_been_so_since_before_the_last_listing_is_not_inspected_again() -> None:
    assert listed(CountingEngine(), "Up 40 seconds", "Up 5 minutes", "Up About an hour", "Up 3 hours") == 0


def test_what_began_or_ended_since_then_is() -> None:
    assert listed(CountingEngine(), "Up Less than a second", "Restarting (1) 5 seconds ago") == 2
    assert listed(CountingEngine(), "Exited (1) 5 minutes ago") == 1, "it ran in the listing before"


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ("Up Less than a second", 0),
        ("Up 1 second", 1),
        ("Up 45 seconds (healthy)", 45),
        ("Up About a minute", 60),
        ("Exited (137) 59 minutes ago", 3540),
        ("Up About an hour", 3600),
        ("Up 2 hours", 3600),
        ("Up 3 weeks (Paused)", 3600),
        ("Created", 0),
        ("", 0),
    ],
)
def test_an_age_in_dockers_words_is_never_taken_for_more_than_it_is(status: str, seconds: float) -> None:
    assert state_age(status) == seconds


def test_what_has_another_name_is() -> None:
    engine = CountingEngine()
    watcher = Watcher(engine, "demo", HostCache(lambda: None))  # type: ignore[arg-type]
    watcher.list_all()
    engine.name, engine.inspected = "renamed", 0
    watcher.list_all()
    assert engine.inspected == 1


def connected() -> HostCache:
    cache = HostCache(lambda: None)
    cache.record_connected(
        Facts("engine", "20.10", "Debian", "6.1", "x86_64", 2, 1 << 30), frozenset(), ProxyState(), {}
    )
    return cache


def reachable(cache: HostCache) -> Reachable:
    seen = cache.observation()
    assert isinstance(seen, Reachable)
    return seen


@pytest.mark.fault(48)
@pytest.mark.parametrize("status", ["Up 5 minutes", "Exited (1) 5 minutes ago"])
def test_of_one_that_docker_does_not_tell_of_nothing_is_concluded_and_it_is_asked_for_again(status: str) -> None:
    engine, cache = CountingEngine(), connected()
    watcher = Watcher(engine, "demo", cache)  # type: ignore[arg-type]
    engine.status, engine.hangs = status, True
    for _ in range(2):
        watcher.list_all()
        assert reachable(cache).busy == {"u1"}
    assert engine.inspected == 2
    engine.hangs = False
    watcher.list_all()
    assert reachable(cache).busy == frozenset()
    assert engine.inspected == 3


@pytest.mark.fault(48)
def test_one_that_hangs_for_a_moment_is_taken_to_be_as_it_was() -> None:
    engine, cache = CountingEngine(), connected()
    watcher = Watcher(engine, "demo", cache)  # type: ignore[arg-type]
    watcher.list_all()
    (before,) = reachable(cache).containers
    engine.status, engine.hangs = "Up Less than a second", True
    watcher.list_all()
    (hanging,) = reachable(cache).containers
    assert (hanging.run, hanging.state) == (before.run, "running")
    assert reachable(cache).busy == {"u1"}
    engine.status, engine.hangs = "Up 5 minutes", False
    watcher.list_all()
    assert reachable(cache).containers == (before,)
