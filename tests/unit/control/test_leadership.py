"""Who leads: several candidates and the leases of some hosts, all of it values."""

import pytest

from reconciler.control.leadership import Candidate, Leadership, led_nodes
from reconciler.model.api.cluster import Cluster, ClusterSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.leases import Claim, HostLease, Seat
from reconciler.model.names import Ref
from reconciler.model.records import Event
from tests.fake_node import FakeLease
from tests.published import node

CLUSTER = Cluster(ObjectMeta("demo"), ClusterSpec())


class Hosts:
    def __init__(self, names: str = "abc") -> None:
        self.leases = {name: FakeLease() for name in names}

    def fall_silent(self) -> None:
        for lease in self.leases.values():
            lease.expire()

    def owners(self) -> set[tuple[str, int]]:
        return {(lease.now.owner, lease.now.epoch) for lease in self.leases.values() if lease.now is not None}


class Master:
    def __init__(self, hosts: Hosts, owner: str, take_over: bool = False) -> None:
        self.hosts = hosts
        self.ended: set[str] = set()
        self.events: list[Event] = []
        self.claim: Claim | None = None
        self.unreached: set[str] = set()
        self.held: set[str] = set()
        self.refused: dict[str, int] = {}
        me = Candidate(owner, f"{owner}@here", take_over, f"process-of-{owner}")
        self.it = Leadership(me, self._lead, self.events.append, lambda process: process in self.ended)
        self.now = 100.0

    def _lead(self, claim: Claim | None) -> None:
        if claim is None and self.claim is not None:
            for name in self.held:
                self.hosts.leases[name].release(self.claim)
        self.claim, self.held = claim, set()
        self.refused.clear()

    def answers(self, names: str = "abc") -> None:
        """Of these hosts, to what they were asked last."""
        if self.claim is not None:
            for name in set(names) - self.unreached:
                if self.hosts.leases[name].take(self.claim):
                    self.held.add(name)
                else:
                    self.refused[name] = self.claim.epoch

    def step(self, settled: bool = True) -> bool:
        seats = {}
        for name, host in self.hosts.leases.items():
            lease = host.now
            ours = lease is not None and self.claim is not None and lease.is_held_by(self.claim)
            granted = self.claim.epoch if self.claim is not None and ours and name in self.held else 0
            reached = name not in self.unreached
            seats[name] = Seat(reached, lease if reached else None, granted, self.refused.get(name, 0))
        self.it.step(seats, self.now, CLUSTER, settled)
        return self.it.leading

    def comes_to_lead(self) -> bool:
        for _ in range(6):
            self.step()
            self.answers()
            self.now += 3.0
        return self.step()


def test_one_leads_and_the_next_one_waits_and_names_it() -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second")
    assert first.comes_to_lead()
    assert not second.comes_to_lead()
    assert second.claim is None
    assert second.it.blocked is not None
    assert "first@here leads this cluster (epoch 1; its lease on a, b, c" in second.it.blocked.why
    assert len(second.events) == 1
    assert first.step()
    assert first.events == []


def test_nothing_is_claimed_before_every_host_has_answered_and_a_refusal_does_not_wait_for_that() -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second")
    assert not first.step(settled=False)
    assert first.claim is None
    assert first.comes_to_lead()
    second.step(settled=False)
    assert second.it.blocked is not None


def test_one_that_waits_goes_on_when_the_leader_fell_silent() -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second")
    assert first.comes_to_lead()
    assert not second.comes_to_lead()
    hosts.fall_silent()
    assert second.comes_to_lead()
    assert second.it.blocked is None
    assert second.claim is not None
    assert second.claim.epoch == 2
    assert second.events[-1].message == "became leader, with epoch 2"
    assert not first.step()
    assert first.it.blocked is not None
    assert "second@here" in first.it.blocked.why
    assert first.events[-1].message.startswith("stopped leading: second@here leads this cluster (epoch 2")


def test_taking_over_asks_nobody_and_the_other_stops_everywhere_and_does_not_come_back() -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second", take_over=True)
    assert first.comes_to_lead()
    assert second.comes_to_lead()
    assert not first.comes_to_lead()
    assert first.claim is None
    assert second.step()


def test_one_that_was_released_is_free() -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second")
    assert first.comes_to_lead()
    first._lead(None)
    second.unreached = {"a", "b"}
    assert second.comes_to_lead()


def test_who_reaches_half_of_the_nodes_does_not_follow_one_that_fell_silent() -> None:
    hosts = Hosts("ab")
    first, second = Master(hosts, "first"), Master(hosts, "second")
    first.answers("ab")
    for _ in range(3):
        first.step()
        first.answers("ab")
    assert first.step()
    hosts.fall_silent()
    second.unreached = {"b"}
    for _ in range(3):
        assert not second.step()
        second.answers("ab")
    assert second.it.blocked is not None
    assert "only 1 of 2 nodes are reached" in second.it.blocked.why
    assert "--take-over" in second.it.blocked.fix


@pytest.mark.parametrize("order", ["ab c", "a bc", "abc "])
def test_of_two_that_begin_at_once_one_comes_to_lead(order: str) -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second")
    first.step()
    second.step()
    of_first, of_second = order.split(" ")
    first.answers(of_first)
    second.answers(of_second)
    for _ in range(40):
        for master in (second, first):
            master.answers()
            master.step()
            master.now += 0.25
        assert not (first.it.leading and second.it.leading)
    assert first.it.leading or second.it.leading


def test_a_host_that_comes_back_with_a_lease_of_before_is_taken() -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second", take_over=True)
    assert first.comes_to_lead()
    second.unreached = {"c"}
    assert second.comes_to_lead()
    second.unreached = set()
    second.answers()
    assert {owner for owner, _ in hosts.owners()} == {"second"}
    assert second.step()


def test_a_host_that_others_led_meanwhile_is_led_with_a_higher_epoch() -> None:
    hosts = Hosts()
    it = Master(hosts, "first")
    it.unreached = {"c"}
    assert it.comes_to_lead()
    hosts.leases["c"].now = HostLease("other", 7, "other@there", 0.0)
    it.unreached = set()
    it.answers()
    it.step()
    assert it.comes_to_lead()
    assert hosts.owners() == {("first", 8)}


def test_without_any_host_there_is_nothing_to_ask() -> None:
    it = Master(Hosts(), "first")
    it.unreached = set("abc")
    assert it.step()
    assert it.claim is None
    it.unreached = {"b"}
    assert not it.step()
    assert it.claim is not None


def test_nodes_say_who_leads() -> None:
    ref = Ref("Node", "", "a")
    known = node("a")
    seat = Seat(True, HostLease("first", 4, "me@here", 9.0))
    (led,) = led_nodes({ref: known}, {"a": seat}).values()
    annotations = {"reconciler.dev/leader": "me@here", "reconciler.dev/lease-epoch": "4"}
    assert led == node("a", annotations=annotations)
    assert not led_nodes({ref: led}, {"a": seat})
    ended = Seat(True, HostLease("first", 4, "me@here", 0.0))
    assert led_nodes({ref: led}, {"a": ended}) == {ref: known}


def test_the_leases_of_a_process_that_is_seen_to_have_ended_are_free() -> None:
    hosts = Hosts()
    first, second = Master(hosts, "first"), Master(hosts, "second")
    assert first.comes_to_lead()
    assert not second.comes_to_lead()
    second.ended = {"process-of-first"}
    assert second.comes_to_lead()
    assert hosts.owners() == {("second", 2)}
