"""What is known of a host: replies that overtake each other do no harm, and only changes are told."""

from reconciler.model.addresses import socket_address
from reconciler.model.observed import Facts, ObservedContainer, ProxyState, Reachable, Unreachable
from reconciler.nodes.docker.looks import HostContainer
from reconciler.nodes.host_cache import HostCache

FACTS = Facts("engine", "20.10", "Debian", "6.1", "x86_64", 2, 1 << 30)


class Told:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def container(state: str = "running", **more: object) -> HostContainer:
    known: dict[str, object] = {"id": "c1", "name": "web", "image": "web:1", "cluster": "demo", "uid": "u1"}
    ours = ObservedContainer(**(known | {"state": state} | more))  # type: ignore[arg-type]
    return HostContainer(ours, ours.name, ())


def connected(told: Told) -> HostCache:
    cache = HostCache(told)
    cache.record_connected(FACTS, frozenset(), ProxyState(), {})
    return cache


def states(cache: HostCache) -> list[str]:
    seen = cache.observation()
    assert isinstance(seen, Reachable)
    return [found.state for found in seen.containers]


def test_nothing_is_known_and_nothing_told_before_the_first_word() -> None:
    told = Told()
    cache = HostCache(told)
    cache.record_all(cache.ticket(), {"c1": container()})
    assert isinstance(cache.observation(), Unreachable)
    assert told.count == 0
    cache.record_connected(FACTS, frozenset(), ProxyState(), {})
    assert (states(cache), told.count) == (["running"], 1)


def test_an_older_look_never_overwrites_a_newer_one() -> None:
    cache = connected(Told())
    older, newer = cache.ticket(), cache.ticket()
    cache.record(newer, "c1", container("exited"))
    cache.record(older, "c1", container("running"))
    assert states(cache) == ["exited"]


def test_a_full_list_keeps_what_was_looked_at_since_it_was_asked_for() -> None:
    cache = connected(Told())
    cache.record(cache.ticket(), "c2", container("running", id="c2", name="old"))
    listing = cache.ticket()
    cache.record(cache.ticket(), "c1", container("running"))
    cache.record(cache.ticket(), "c2", None)
    cache.record_all(listing, {"c2": container("running", id="c2", name="old")})
    assert states(cache) == ["running"]
    assert cache.container("web") is not None


def test_a_look_from_before_a_full_list_is_ignored_after_it() -> None:
    cache = connected(Told())
    before = cache.ticket()
    cache.record_all(cache.ticket(), {})
    cache.record(before, "c1", container("running"))
    assert states(cache) == []


def test_an_older_full_list_says_nothing_after_a_newer_one() -> None:
    cache = connected(Told())
    older, newer = cache.ticket(), cache.ticket()
    cache.record_all(newer, {"c1": container()})
    cache.record_all(older, {})
    assert states(cache) == ["running"]


def test_the_same_again_is_not_told() -> None:
    told = Told()
    cache = connected(told)
    cache.record(cache.ticket(), "c1", container())
    count = told.count
    cache.record(cache.ticket(), "c1", container())
    cache.record_all(cache.ticket(), {"c1": container()})
    cache.record_facts(Facts("engine", "20.10", "Debian", "6.1", "x86_64", 2, 1 << 30, load1=9.0))
    assert told.count == count


def test_a_lost_host_keeps_its_last_state_and_since_when() -> None:
    told = Told()
    cache = connected(told)
    cache.record(cache.ticket(), "c1", container())
    cache.record_lost("cut", refused=False)
    first = cache.observation()
    cache.record_lost("still cut", refused=False)
    second = cache.observation()
    assert isinstance(first, Unreachable)
    assert isinstance(second, Unreachable)
    assert second.last is not None
    assert [found.name for found in second.last.containers] == ["web"]
    assert (second.since, second.why) == (first.since, "still cut")


def test_repeating_why_it_is_lost_is_not_told() -> None:
    told = Told()
    cache = HostCache(told)
    cache.record_lost("down", refused=False)
    cache.record_lost("down", refused=False)
    assert told.count == 1


def test_an_answer_counts_for_the_run_of_the_pod_that_gave_it() -> None:
    cache = connected(Told())
    cache.record(cache.ticket(), "c1", container(ip="10.244.1.2", started_at="t1"))
    cache.record_answers({socket_address("10.244.1.2:80"): cache.pod_run("10.244.1.2")})
    seen = cache.observation()
    assert isinstance(seen, Reachable)
    assert seen.listening == {socket_address("10.244.1.2:80")}
    cache.record(cache.ticket(), "c1", container(ip="10.244.1.2", started_at="t2"))
    again = cache.observation()
    assert isinstance(again, Reachable)
    assert again.listening == frozenset()


def test_a_foreign_container_shows_only_in_its_ports() -> None:
    cache = connected(Told())
    cache.record(cache.ticket(), "x", HostContainer(None, "nginx", (80,)))
    seen = cache.observation()
    assert isinstance(seen, Reachable)
    assert (seen.containers, seen.used_ports) == ((), {80: "nginx"})
    assert cache.holder(80) == "nginx"


def test_a_pod_is_busy_from_begin_to_end() -> None:
    cache = connected(Told())
    cache.begin_work("u1")
    seen = cache.observation()
    assert isinstance(seen, Reachable)
    assert seen.busy == {"u1"}
    cache.end_work("u1")
    after = cache.observation()
    assert isinstance(after, Reachable)
    assert after.busy == frozenset()


def test_waiting_for_an_end_is_woken_by_it() -> None:
    cache = connected(Told())
    cache.record(cache.ticket(), "c1", container())
    assert not cache.wait_until_ended("c1", 0.01)
    cache.record(cache.ticket(), "c1", container("exited"))
    assert cache.wait_until_ended("c1", 0)
    assert cache.wait_until_ended("never seen", 0)


def test_a_repair_of_the_network_is_counted_over_connections() -> None:
    cache = connected(Told())
    cache.record_network("wanted", "")
    assert cache.network_in_force() == "wanted"
    cache.record_network_repair("route to 10.244.2.0/24")
    cache.record_lost("gone", False)
    cache.record_connected(FACTS, frozenset(), ProxyState(), {})
    seen = cache.observation()
    assert isinstance(seen, Reachable)
    assert (seen.network.fingerprint, seen.network.repairs) == ("", 1)
    assert cache.network_in_force() == "wanted"
    cache.record_network("wanted", "no route to a peer")
    assert cache.network_in_force() == ""
