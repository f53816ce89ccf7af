"""Others are asked for a silent node: who reaches it, who is sure not to, and who is no witness."""

import threading
import time
from collections.abc import Callable

from reconciler.model.observed import Peers
from reconciler.nodes.peers import Inquiry, Neighbours, address_of
from reconciler.nodes.ssh.pulse import Pulse

DEADLINE = 30.0
SSH = ("192.0.2.2", 22)


class Other:
    """Another node's connection, with the answer that it gives."""

    def __init__(self, answer: bool | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, int]] = []

    def reaches(self, ip: str, port: int, timeout: float) -> bool | None:
        self.asked.append((ip, port))
        return self.answer


class Asked:
    """An inquiry about node-2 among these others."""

    def __init__(self, **others: bool | None) -> None:
        self.neighbours = Neighbours()
        self.others = {name.replace("_", "-"): Other(answer) for name, answer in others.items()}
        for name, other in self.others.items():
            self.neighbours.enter(name)
            self.neighbours.connected(name, other)
        self.neighbours.enter("node-2")
        self.told: list[Peers] = []
        self.inquiry = Inquiry("node-2", self.neighbours, lambda: [SSH], self.told.append)

    def until(self, holds: Callable[[Peers], bool]) -> Peers:
        self.inquiry.begin()
        deadline = time.monotonic() + DEADLINE
        while not (self.told and holds(self.told[-1])):
            assert time.monotonic() < deadline, self.told
            time.sleep(0.01)
        return self.told[-1]


def test_one_that_reaches_it_is_enough_to_know_that_it_is_up() -> None:
    asked = Asked(node_1=True, node_3=False)
    before = time.monotonic()
    found = asked.until(lambda peers: peers.reaching != () and peers.failing != ())
    assert (found.reaching, found.failing) == (("node-1",), ("node-3",))
    assert found.reached_at >= before
    assert not asked.inquiry.nobody_reaches_it
    asked.inquiry.end()
    assert asked.told[-1] == Peers()


def test_nobody_is_sure_at_once_that_he_does_not_reach_it() -> None:
    asked = Asked(node_1=False)
    began = time.monotonic()
    found = asked.until(lambda peers: peers.failing != ())
    assert time.monotonic() - began > 1
    assert (found.reaching, found.reached_at) == ((), 0.0)
    assert asked.inquiry.nobody_reaches_it
    asked.others["node-1"].answer = True
    found = asked.until(lambda peers: peers.reaching != ())
    assert found.failing == ()
    asked.inquiry.end()


def test_who_cannot_tell_says_nothing() -> None:
    asked = Asked(node_1=None)
    asked.inquiry.begin()
    deadline = time.monotonic() + DEADLINE
    while len(asked.others["node-1"].asked) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert asked.others["node-1"].asked[:4] == [SSH] * 4
    assert not asked.inquiry.nobody_reaches_it
    asked.inquiry.end()
    assert all(peers == Peers() for peers in asked.told)


def test_three_are_asked_the_next_ones_by_name_and_never_itself() -> None:
    asked = Asked(**{f"node_{number}": True for number in (1, 3, 4, 5)})
    asked.neighbours.connected("node-2", Other(True))
    assert list(asked.neighbours.witnesses_for("node-2")) == ["node-3", "node-4", "node-5"]
    assert list(asked.neighbours.witnesses_for("node-4")) == ["node-5", "node-1", "node-2"]


def test_where_most_are_silent_nobody_is_asked() -> None:
    asked = Asked(node_1=True, node_3=True, node_4=True)
    asked.neighbours.silent("node-3")
    assert list(asked.neighbours.witnesses_for("node-2")) == ["node-4", "node-1"]
    asked.neighbours.silent("node-4")
    assert asked.neighbours.witnesses_for("node-2") == {}
    asked.neighbours.leave("node-3")
    asked.neighbours.leave("node-4")
    assert list(asked.neighbours.witnesses_for("node-2")) == ["node-1"]


def test_an_address_that_leads_others_to_themselves_is_none() -> None:
    assert address_of("127.0.0.1") == ""
    assert address_of("192.0.2.9") == "192.0.2.9"
    assert address_of("no such name") == ""


class Line:
    """A connection whose answers are given by hand."""

    def __init__(self) -> None:
        self.alive = True
        self.answers = True

    def pulse(self, timeout: float) -> bool:
        return self.answers

    def pulse_comes(self, timeout: float) -> bool:
        time.sleep(0.01)
        return self.answers


def pulse_of(asked: Asked, line: Line) -> tuple[Pulse, list[str], list[float]]:
    silent: list[str] = []
    heard: list[float] = []
    pulse = Pulse(line, 0.1, asked.inquiry, lambda: heard.append(time.monotonic()), silent.append)
    return pulse, silent, heard


def run(pulse: Pulse) -> threading.Thread:
    thread = threading.Thread(target=pulse.work, daemon=True)
    thread.start()
    return thread


def test_a_connection_without_a_sign_of_life_is_given_up() -> None:
    asked, line = Asked(), Line()
    pulse, silent, heard = pulse_of(asked, line)
    line.answers = False
    run(pulse).join(DEADLINE)
    assert len(silent) == 1
    assert "no sign of life" in silent[0]
    assert heard == []
    asked.inquiry.end()


def test_an_answer_that_comes_late_is_one() -> None:
    asked, line = Asked(node_1=True), Line()
    pulse, silent, heard = pulse_of(asked, line)
    line.answers = False
    line.pulse_comes = lambda timeout: True  # type: ignore[method-assign]
    thread = run(pulse)
    deadline = time.monotonic() + DEADLINE
    while len(heard) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    pulse.stop()
    thread.join(DEADLINE)
    assert (len(heard) >= 3, silent) == (True, [])
    assert asked.told[-1] == Peers(), "it was heard of again"
