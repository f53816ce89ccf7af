"""Hosts that we cannot use while others can, or while they are up: why is said, and no pod is moved."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from reconciler.lab import Host, Lab
from tests.lab.conftest import restore
from tests.lab.world import Running, World, cluster, deployment, eventually, fetch, service

WEB = 30080
KEYS = "/root/.ssh/authorized_keys"
MOVES_AFTER = 3
"""Seconds, of silence to everybody."""
Containers = list[tuple[str, str, str]]


class Stand:
    """Six pods on three hosts, under one master; node-2 is the one that has trouble."""

    def __init__(self, world: World, running: Running) -> None:
        self.world = world
        self.running = running
        self.host = world.lab.node("node-2")

    def containers(self) -> Containers:
        return sorted((one.node, one.id, one.state) for one in self.world.containers())

    def sh(self, script: str) -> str:
        return self.host.run(["sh", "-c", script]).stdout

    def not_ready(self, text: str, since: int) -> str:
        found = self.running.wait_for("NodeNotReady", text, since=since)
        assert found["name"] == self.host.name
        return str(found["message"])

    def back(self, since: int) -> None:
        self.running.wait_for("NodeReady", self.host.name, since=since)

    def master(self) -> str:
        """Its address, as the hosts see it."""
        with socket.create_connection((self.host.address, 22)) as connection:
            return str(connection.getsockname()[0])

    def told_of_it(self, since: int) -> list[str]:
        """NodeReady and NodeNotReady, as they came."""
        told = [event["reason"] for event in self.running.events[since:] if event["name"] == self.host.name]
        return [reason for reason in told if reason.startswith("Node") and reason.endswith("Ready")]

    def moved(self) -> list[str]:
        return [event["message"] for event in self.running.events if event["reason"] == "Moved"]


@pytest.fixture(scope="module")
def stand(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    restore(lab)
    world = World(lab, tmp_path_factory.mktemp("silence"))
    world.write("cluster.yaml", cluster(lost_after_seconds=MOVES_AFTER))
    world.write("web.yaml", deployment("web", 6) + "---\n" + service("web", WEB))
    with world.run() as running:
        running.converged()
        yield Stand(world, running)
    restore(lab)


@pytest.fixture(autouse=True)
def whole_and_empty_lab() -> None:
    """These tests share one world; each heals what it breaks."""


def end_sshd(host: Host, *, listener: bool = False) -> None:
    """Every connection's own process; with `listener`, the one that takes new connections too."""
    found = host.run(["sh", "-c", "grep -al '^sshd: ' /proc/[0-9]*/cmdline || true"]).stdout.split()
    for path in found:
        if listener or "[listener]" not in host.run(["cat", path], check=False).stdout:
            host.run(["kill", "-KILL", path.split("/")[2]], check=False)


def allow(stand: Stand, sessions: int) -> None:
    stand.sh(f"echo 'MaxSessions {sessions}' >>/etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)")
    stand.sh(f"cp -p {KEYS}.saved {KEYS}")


@pytest.mark.fault(43)
@pytest.mark.fault(42, 43)
def test_a_host_that_answers_and_does_not_let_us_work_is_not_down(stand: Stand) -> None:
    before, mark = stand.containers(), stand.running.mark()
    host, began = stand.host, time.monotonic()
    stand.sh(f"cp -p {KEYS} {KEYS}.saved; : >{KEYS}")
    troubles: list[tuple[Callable[[], object], str]] = [
        (lambda: end_sshd(host), "authorized_keys"),
        (lambda: stand.sh(f'sed "s,^,command=\\"/bin/false\\" ," {KEYS}.saved >{KEYS}'), "ForceCommand"),
        (lambda: allow(stand, sessions=2), "MaxSessions"),
        (lambda: end_sshd(host, listener=True), "Connection refused"),
    ]
    try:
        for begin, reason in troubles:
            begin()
            assert "the host is up, so nothing is moved" in stand.not_ready(reason, mark)
            assert fetch(stand.world.url(WEB, host.name)), "it serves on"
        while time.monotonic() < began + 2 * MOVES_AFTER:
            time.sleep(0.1)
        assert stand.moved() == []
        assert stand.containers() == before
    finally:
        stand.sh(f"mv {KEYS}.saved {KEYS}; sed -i '/^MaxSessions/d' /etc/ssh/sshd_config")
        host.start()
    stand.back(mark)
    assert stand.containers() == before


@pytest.mark.fault(61)
def test_a_host_that_only_we_do_not_reach_keeps_its_pods(stand: Stand) -> None:
    before, mark = stand.containers(), stand.running.mark()
    ours = stand.master()
    stand.sh(f"iptables -I INPUT -s {ours} -j DROP")
    try:
        told = stand.not_ready("only the way from here is cut", mark)
        assert "node-1 and node-3 reach it" in told
        time.sleep(2 * MOVES_AFTER)
        assert stand.moved() == []
        assert stand.containers() == before
        # Its pods are in rotation, where others reach them.
        own = {f"pod={one.pod}" for one in stand.world.containers("web", ["node-2"])}
        eventually(lambda: not own.isdisjoint(fetch(stand.world.url(WEB, "node-1")).split()))
    finally:
        stand.sh(f"iptables -D INPUT -s {ours} -j DROP")
    stand.back(mark)
    assert stand.containers() == before


@pytest.mark.fault(59)
def test_a_host_whose_packets_get_lost_one_way_keeps_its_pods(stand: Stand) -> None:
    before, mark = stand.containers(), stand.running.mark()
    loss = "-p tcp -m statistic --mode random --probability 0.6 -j DROP"
    stand.sh(f"iptables -I INPUT {loss}")
    try:
        time.sleep(3 * MOVES_AFTER)
    finally:
        stand.sh(f"iptables -D INPUT {loss}")
    assert stand.moved() == []
    if "NodeNotReady" in stand.told_of_it(mark):
        eventually(lambda: stand.told_of_it(mark)[-1] == "NodeReady", what="its return")
    assert stand.containers() == before
