"""What is known of a host: replies that overtake each other do no harm, and only changes are told."""

from reconciler.model.addresses import socket_address
from reconciler.model.observed import Facts, ObservedContainer, ProxyState, Reachable, Unreachable
from reconciler.nodes.docker.looks import Seen
from reconciler.nodes.host_state import HostView

FACTS = Facts("engine", "20.10", "Debian", "6.1", "x86_64", 2, 1 << 30)


class Told:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def container(state: str = "running", **more: object) -> Seen:
    known: dict[str, object] = {"id": "c1", "name": "web", "image": "web:1", "cluster": "demo", "uid": "u1"}
    ours = ObservedContainer(**(known | {"state": state} | more))  # type: ignore[arg-type]
    return Seen(ours, ours.name, ())


def connected(told: Told) -> HostView:
    view = HostView(told)
    view.connected(FACTS, frozenset(), ProxyState(), {})
    return view


def states(view: HostView) -> list[str]:
    seen = view.observation()
    assert isinstance(seen, Reachable)
    return [found.state for found in seen.containers]


def test_nothing_is_known_and_nothing_told_before_the_first_word() -> None:
    told = Told()
    view = HostView(told)
    view.list_all(view.look(), {"c1": container()})
    assert isinstance(view.observation(), Unreachable)
    assert told.count == 0
    view.connected(FACTS, frozenset(), ProxyState(), {})
    assert (states(view), told.count) == (["running"], 1)


def test_an_older_look_never_overwrites_a_newer_one() -> None:
    view = connected(Told())
    older, newer = view.look(), view.look()
    view.saw(newer, "c1", container("exited"))
    view.saw(older, "c1", container("running"))
    assert states(view) == ["exited"]


def test_a_full_list_keeps_what_was_looked_at_since_it_was_asked_for() -> None:
    view = connected(Told())
    view.saw(view.look(), "c2", container("running", id="c2", name="old"))
    listing = view.look()
    view.saw(view.look(), "c1", container("running"))
    view.saw(view.look(), "c2", None)
    view.list_all(listing, {"c2": container("running", id="c2", name="old")})
    assert states(view) == ["running"]
    assert view.container("web") is not None


def test_a_look_from_before_a_full_list_is_ignored_after_it() -> None:
    view = connected(Told())
    before = view.look()
    view.list_all(view.look(), {})
    view.saw(before, "c1", container("running"))
    assert states(view) == []


def test_an_older_full_list_says_nothing_after_a_newer_one() -> None:
    view = connected(Told())
    older, newer = view.look(), view.look()
    view.list_all(newer, {"c1": container()})
    view.list_all(older, {})
    assert states(view) == ["running"]


def test_the_same_again_is_not_told() -> None:
    told = Told()
    view = connected(told)
    view.saw(view.look(), "c1", container())
    count = told.count
    view.saw(view.look(), "c1", container())
    view.list_all(view.look(), {"c1": container()})
    view.heard(Facts("engine", "20.10", "Debian", "6.1", "x86_64", 2, 1 << 30, load1=9.0))
    assert told.count == count


def test_a_lost_host_keeps_its_last_state_and_since_when() -> None:
    told = Told()
    view = connected(told)
    view.saw(view.look(), "c1", container())
    view.lost("cut", refused=False)
    first = view.observation()
    view.lost("still cut", refused=False)
    second = view.observation()
    assert isinstance(first, Unreachable)
    assert isinstance(second, Unreachable)
    assert second.last is not None
    assert [found.name for found in second.last.containers] == ["web"]
    assert (second.since, second.why) == (first.since, "still cut")


def test_repeating_why_it_is_lost_is_not_told() -> None:
    told = Told()
    view = HostView(told)
    view.lost("down", refused=False)
    view.lost("down", refused=False)
    assert told.count == 1


def test_an_answer_counts_for_the_run_of_the_pod_that_gave_it() -> None:
    view = connected(Told())
    view.saw(view.look(), "c1", container(ip="10.244.1.2", started_at="t1"))
    view.answered({socket_address("10.244.1.2:80"): view.pod_run("10.244.1.2")})
    seen = view.observation()
    assert isinstance(seen, Reachable)
    assert seen.listening == {socket_address("10.244.1.2:80")}
    view.saw(view.look(), "c1", container(ip="10.244.1.2", started_at="t2"))
    again = view.observation()
    assert isinstance(again, Reachable)
    assert again.listening == frozenset()


def test_a_foreign_container_shows_only_in_its_ports() -> None:
    view = connected(Told())
    view.saw(view.look(), "x", Seen(None, "nginx", (80,)))
    seen = view.observation()
    assert isinstance(seen, Reachable)
    assert (seen.containers, seen.used_ports) == ((), {80: "nginx"})
    assert view.holder(80) == "nginx"


def test_a_pod_is_busy_from_begin_to_end() -> None:
    view = connected(Told())
    view.begin("u1")
    seen = view.observation()
    assert isinstance(seen, Reachable)
    assert seen.busy == {"u1"}
    view.end("u1")
    after = view.observation()
    assert isinstance(after, Reachable)
    assert after.busy == frozenset()


def test_waiting_for_an_end_is_woken_by_it() -> None:
    view = connected(Told())
    view.saw(view.look(), "c1", container())
    assert not view.wait_until_ended("c1", 0.01)
    view.saw(view.look(), "c1", container("exited"))
    assert view.wait_until_ended("c1", 0)
    assert view.wait_until_ended("never seen", 0)


def test_a_repair_of_the_network_is_counted_over_connections() -> None:
    view = connected(Told())
    view.has_network("wanted", "")
    assert view.network_in_force() == "wanted"
    view.network_repaired("route to 10.244.2.0/24")
    view.lost("gone", False)
    view.connected(FACTS, frozenset(), ProxyState(), {})
    seen = view.observation()
    assert isinstance(seen, Reachable)
    assert (seen.network.fingerprint, seen.network.repairs) == ("", 1)
    assert view.network_in_force() == "wanted"
    view.has_network("wanted", "no route to a peer")
    assert view.network_in_force() == ""
