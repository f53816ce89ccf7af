"""Connections to real hosts that break in the middle of something, or are refused for a while."""

import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from reconciler.lab import Lab
from reconciler.model.api.cluster import ClusterSpec, Sync
from reconciler.model.names import Ref
from reconciler.model.observed import Unreachable
from reconciler.model.operations import ContainerStop, CreateContainer, PodWork, StopContainers
from reconciler.nodes.docker.engine import Engine
from reconciler.nodes.docker.notes import Note
from reconciler.nodes.docker.watch import follow_events
from tests.lab.world import engine_events, eventually
from tests.node_host import Host, connect, node_of, sandbox, set_up, started

SSHD_CONFIG = "/etc/ssh/sshd_config"


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with set_up(connect(node_of(lab), lab)) as host:
        yield host


def drop_packets(lab: Lab) -> Callable[[], object]:
    """Of its SSH connections, without a word to either side."""
    rule = ("INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")
    lab.nodes[0].run(["iptables", "-I", *rule])
    return lambda: lab.nodes[0].run(["iptables", "-D", *rule])


def kill_sessions(lab: Lab) -> Callable[[], object]:
    """Every connection's sshd; the listener stays as it is."""
    listing = lab.nodes[0].run(["sh", "-c", "grep -al 'sshd-*[a-z]*: root' /proc/[0-9]*/cmdline || true"]).stdout
    for path in listing.split():
        lab.nodes[0].run(["kill", "-KILL", path.split("/")[2]], check=False)
    return lambda: None


@pytest.mark.fault(41, 42)
@pytest.mark.parametrize("break_it", [drop_packets, kill_sessions])
def test_a_connection_that_breaks_in_the_middle_of_a_command_leaves_an_unknown_outcome(
    lab: Lab, host: Host, break_it: Callable[[Lab], Callable[[], object]]
) -> None:
    """What the host says then decides, and doing it again makes nothing twice."""
    deaf = msgspec.structs.replace(
        sandbox(), image="lab/busybox:1", command=("sh", "-c", "trap '' TERM; while :; do sleep 0.2; done")
    )
    assert host.do("u1", *started(deaf)).failed is None
    before, done = host.look().since, len(host.told.outcomes)
    stop = StopContainers((ContainerStop("web_POD"),), 60)
    there = host.container("web_POD")
    assert there is not None
    killed = (f"container={there.id}", "event=kill")
    host.session.submit(PodWork(host.session.name, Ref("Pod", "default", "web"), "u1", (stop,)))
    host.told.wait_for(lambda: host.look().busy == {"u1"})
    eventually(lambda: engine_events(lab.nodes[0], 60, "{{.Actor.ID}}", *killed), what="the signal to end")
    mend = break_it(lab)
    try:
        host.told.wait_for(lambda: len(host.told.outcomes) > done, 30)
    finally:
        mend()
    outcome = host.told.outcomes[-1]
    assert (outcome.work.uid, outcome.unknown) == ("u1", True), outcome
    host.connected_anew(before)
    found = host.container("web_POD")
    assert found is not None
    assert found.state == "running", "nobody was there to kill it when its grace was over"
    assert host.do("u1", *started(deaf)).failed is None
    assert [each.name for each in host.look().containers if each.uid == "u1"] == ["web_POD"]
    short = StopContainers((ContainerStop("web_POD"),), 1)
    assert host.do("u1", short).failed is None
    ended = host.container("web_POD")
    assert ended is not None
    assert (ended.state, ended.exit_code) == ("exited", 137)


@pytest.mark.fault(43)
def test_an_sshd_that_takes_few_connections_and_sessions_is_waited_for_and_shared(lab: Lab) -> None:
    machine = lab.nodes[0]
    configured = machine.run(["cat", SSHD_CONFIG]).stdout
    _configure(lab, f"{configured}\nMaxStartups 1:100:1\nMaxSessions 10\n")
    try:
        with _only_place(lab):
            host = connect(node_of(lab), lab)
            host.told.wait_for(lambda: host.told.observed_count > 0)
            assert isinstance(host.session.observe(), Unreachable)
        with set_up(host):
            before = len(host.told.outcomes)
            pods = [sandbox(f"u{number}", f"web-{number}_POD", f"10.244.9.{number}") for number in range(10, 40)]
            for config in pods:
                uid = config.labels["reconciler.dev/uid"]
                ref = Ref("Pod", "default", config.name)
                host.session.submit(PodWork(host.session.name, ref, uid, (CreateContainer(config),)))
            host.told.wait_for(lambda: len(host.told.outcomes) == before + len(pods), 120)
            assert [one.failed for one in host.told.outcomes[before:]] == [None] * len(pods)
    finally:
        _configure(lab, configured)


def _configure(lab: Lab, text: str) -> None:
    """sshd reads it at once; its connections stay."""
    machine = lab.nodes[0]
    machine.run(["tee", SSHD_CONFIG], stdin=text)
    listener = machine.status().sshd
    assert listener is not None
    os.kill(listener, signal.SIGHUP)
    eventually(lambda: machine.status().sshd is not None, what="sshd")


@contextmanager
def _only_place(lab: Lab) -> Iterator[None]:
    """Taken by somebody who does not log in, as soon as it is free."""
    for _ in range(200):
        with socket.create_connection((lab.records[0].ip, 22), 10) as connection:
            if connection.recv(4) == b"SSH-":
                yield
                return
        time.sleep(0.1)
    raise AssertionError("sshd lets nobody begin")


@pytest.mark.fault(49)
def test_what_no_event_tells_of_is_found_by_the_next_listing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream of events lives, and nothing comes out of it."""
    ended = threading.Event()

    def follow_in_vain(engine: Engine, since: str, notes: "queue.SimpleQueue[Note]") -> None:
        try:
            follow_events(engine, since, queue.SimpleQueue())
        finally:
            ended.set()

    monkeypatch.setattr("reconciler.nodes.connection.follow_events", follow_in_vain)
    with set_up(connect(node_of(lab), lab, spec=ClusterSpec(sync=Sync(relist_seconds=2)))) as host:
        host.do("u1", *started(sandbox()))
        lab.nodes[0].docker("rm", "-f", "web_POD")
        host.told.wait_for(lambda: host.container("web_POD") is None, 30)
        assert not ended.is_set(), "it was not the end of the stream that told"
