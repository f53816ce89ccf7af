"""Names of hosts: a resolver that fails or hangs says nothing of the hosts, and holds nobody up."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from reconciler.nodes.ssh.host_addresses import Answer, Resolver, look_up_ipv4

LONG = 60.0


class Names:
    """What the master's resolver says; what it says nothing of hangs."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self.released = threading.Event()

    def look_up(self, name: str) -> tuple[list[str], str]:
        self.asked.append(name)
        if name not in self.addresses:
            self.released.wait(LONG)
        found = self.addresses.get(name, [])
        return found, "" if found else f"cannot resolve {name}"


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names(web=["192.0.2.2", "192.0.2.3"], gone=[])
    yield names
    names.released.set()


def test_an_address_is_its_own_answer(names: Names) -> None:
    assert Resolver(names.look_up).resolve(["192.0.2.9"]) == {"192.0.2.9": Answer("192.0.2.9")}
    assert names.asked == []


def test_names_have_addresses_or_a_complaint(names: Names) -> None:
    assert Resolver(names.look_up, LONG).resolve(["web", "gone"]) == {
        "web": Answer("192.0.2.2"),
        "gone": Answer("", "cannot resolve gone"),
    }


def test_a_name_that_fails_keeps_the_address_that_was_known_last(names: Names) -> None:
    resolver = Resolver(names.look_up, LONG, fresh_seconds=0)
    resolver.resolve(["web"])
    names.addresses["web"] = []
    assert resolver.resolve(["web"]) == {"web": Answer("192.0.2.2", "cannot resolve web")}
    names.addresses["web"] = ["192.0.2.7"]
    assert resolver.resolve(["web"]) == {"web": Answer("192.0.2.7")}


def test_of_several_addresses_the_known_one_stays_whatever_their_order(names: Names) -> None:
    resolver = Resolver(names.look_up, LONG, fresh_seconds=0)
    resolver.resolve(["web"])
    names.addresses["web"].reverse()
    assert resolver.resolve(["web"]) == {"web": Answer("192.0.2.2")}


def test_names_that_hang_are_waited_for_together_and_once(names: Names) -> None:
    resolver = Resolver(names.look_up, seconds=1)
    hanging = [f"hanging-{number}" for number in range(40)]
    began = time.monotonic()
    answers = resolver.resolve([*hanging, "web"])
    again = [resolver.resolve(hanging) for _ in range(40)]
    assert time.monotonic() - began < 20, "not a second for each"
    assert answers["web"] == Answer("192.0.2.2")
    assert (
        answers["hanging-0"]
        == Answer("", "cannot resolve hanging-0: no answer within 1 s")
        == again[-1]["hanging-0"]
    )
    assert sorted(names.asked) == sorted([*hanging, "web"])


def test_a_slow_answer_is_taken_up_when_it_comes(names: Names) -> None:
    resolver = Resolver(names.look_up, seconds=0.01)
    assert not resolver.resolve(["slow"])["slow"].address
    names.addresses["slow"] = ["192.0.2.5"]
    names.released.set()
    deadline = time.monotonic() + LONG
    while not resolver.resolve(["slow"])["slow"].address and time.monotonic() < deadline:
        time.sleep(0.01)
    assert resolver.resolve(["slow"]) == {"slow": Answer("192.0.2.5")}


def test_what_is_known_is_not_doubted_while_an_answer_is_under_way(names: Names) -> None:
    resolver = Resolver(names.look_up, LONG, fresh_seconds=0)
    resolver.resolve(["web"])
    hasty = Resolver(names.look_up, seconds=0.01, fresh_seconds=0)
    hasty._names = resolver._names
    del names.addresses["web"]
    assert hasty.resolve(["web"]) == {"web": Answer("192.0.2.2")}


def test_names_are_not_asked_for_again_and_again(names: Names) -> None:
    resolver = Resolver(names.look_up, LONG, fresh_seconds=LONG)
    for _ in range(3):
        resolver.resolve(["web", "gone"])
    assert sorted(names.asked) == ["gone", "web"]


def test_the_masters_own_loopback_is_no_way_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(*addresses: str) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)

    known("127.0.1.1", "192.0.2.1")
    assert look_up_ipv4("master") == (["192.0.2.1"], "")
    known("127.0.1.1")
    addresses, why = look_up_ipv4("master")
    assert addresses == []
    assert "master, which the master resolves to 127.0.1.1, leads no other host there" in why
    (answer,) = Resolver().resolve(["127.0.0.1"]).values()
    assert not answer.address
    assert "127.0.0.1 leads no other host there" in answer.complaint


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a" * 64 + ".example", ""])
def test_what_cannot_be_a_name_is_a_complaint(name: str) -> None:
    addresses, why = look_up_ipv4(name)
    assert addresses == []
    assert why.startswith("cannot resolve")
