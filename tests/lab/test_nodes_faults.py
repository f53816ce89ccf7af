"""Real hosts that are wrong, dead, hung or cut off: said in words within seconds, and no other host notices."""

import time
from collections.abc import Iterator

import pytest

from reconciler.lab import Lab
from reconciler.model.addresses import socket_address
from reconciler.model.names import Ref
from reconciler.model.observed import Unreachable
from reconciler.model.operations import CreateContainer, PodWork, StartContainer
from tests.lab.world import eventually
from tests.node_host import Host, app, connect, node_of, sandbox, set_up, setup, started


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with set_up(connect(node_of(lab), lab)) as host:
        yield host


def refused(host: Host) -> str:
    try:
        host.told.wait_for(lambda: isinstance(seen := host.session.observe(), Unreachable) and seen.refused)
        seen = host.session.observe()
        assert isinstance(seen, Unreachable)
        return seen.why
    finally:
        host.session.close()


@pytest.mark.fault(40)
@pytest.mark.rule(2)
def test_another_host_key_is_refused_before_any_credential_is_sent(lab: Lab) -> None:
    log = lab.nodes[0].disk.log / "sshd.log"
    before = log.stat().st_size
    other = lab.records[1].host_key
    why = refused(connect(node_of(lab, host_key=other), lab))
    assert "reconciler.dev/host-key" in why
    assert why.count("SHA256:") == 2
    told = log.read_bytes()[before:]
    assert b"Accepted" not in told
    assert b"user root" not in told
    right = connect(node_of(lab), lab)
    right.found()
    right.session.close()
    eventually(lambda: b"Accepted publickey for root" in log.read_bytes()[before:], what="what is looked for")


def test_a_host_without_a_pinned_key_and_without_known_hosts_is_refused(lab: Lab) -> None:
    assert "no credential was sent" in refused(connect(node_of(lab, host_key=""), lab))


def test_another_engine_than_the_remembered_one_is_refused(lab: Lab) -> None:
    why = refused(connect(node_of(lab), lab, engine_id="AAAA:BBBB"))
    assert "AAAA:BBBB" in why


def test_a_host_that_is_cut_off_is_unreachable_within_seconds_and_heals(lab: Lab, host: Host) -> None:
    host.do("u1", *started(sandbox()))
    before = host.look().containers
    lab.nodes[0].cut()
    seen = host.lost(8)
    assert seen.last is not None
    assert seen.last.containers == before
    assert not seen.refused
    lab.nodes[0].heal()
    assert host.found(15).containers == before


@pytest.mark.fault(47)
def test_a_hung_engine_frees_its_work_at_a_deadline_and_delays_no_other_host(lab: Lab, host: Host) -> None:
    other = connect(node_of(lab, 1), lab)
    try:
        other.found()
        other.ensure(setup())
        other.told.wait_for(lambda: bool(other.look().network.fingerprint))
        lab.nodes[0].pause()
        host.session.submit(_work(host, "u1"))
        assert other.do("u2", CreateContainer(sandbox("u2"))).failed is None
        assert not host.told.outcomes, "the other did not wait for it"
        host.told.wait_for(lambda: bool(host.told.outcomes), 15)
        assert host.told.outcomes[0].unknown
        assert "Docker" in host.lost().why
        lab.nodes[0].heal()
        host.found()
        assert host.do("u1", *started(sandbox())).failed is None
    finally:
        other.session.close()


def test_what_was_served_before_a_reconnect_is_listening_from_the_first_observation(lab: Lab, host: Host) -> None:
    host.do("u1", *started(sandbox()), *started(app()))
    host.ensure(setup("served", checks=frozenset({socket_address("10.244.9.2:8080")})))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "served" and bool(host.look().listening))
    again = connect(node_of(lab), lab)
    try:
        seen = again.found()
        assert seen.listening == {socket_address("10.244.9.2:8080")}
        assert (seen.proxy.fingerprint, seen.proxy.running) == ("served", True)
        assert seen.proxy.routed == {"10.244.9.2"}
    finally:
        again.session.close()


def test_a_dead_host_is_said_to_be_dead_and_how_to_look(lab: Lab) -> None:
    lab.nodes[2].stop()
    host = connect(node_of(lab, 2), lab)
    try:
        host.told.wait_for(lambda: host.told.observed_count > 0)
        seen = host.session.observe()
        assert isinstance(seen, Unreachable)
        assert lab.records[2].ip in seen.why
        lab.nodes[2].start()
        host.found(20)
    finally:
        host.session.close()


def test_a_session_closes_at_once_even_if_its_engine_hangs(lab: Lab, host: Host) -> None:
    lab.nodes[0].pause()
    host.session.submit(_work(host, "u1"))
    began = time.monotonic()
    host.session.close()
    assert time.monotonic() - began < 8, "the deadline of its engine is 10 s"


def _work(host: Host, uid: str) -> PodWork:
    config = sandbox(uid)
    return PodWork(
        host.session.name,
        Ref("Pod", "default", "web"),
        uid,
        (CreateContainer(config), StartContainer(config.name)),
    )


@pytest.mark.fault(42)
def test_a_stopped_sshd_is_given_up_and_a_new_connection_made(lab: Lab, host: Host) -> None:
    before = host.look().since
    _signal_ssh_sessions(lab, "-STOP")
    host.connected_anew(before)
    assert host.do("u1", *started(sandbox())).failed is None


def _signal_ssh_sessions(lab: Lab, signal: str) -> None:
    """To every connection's sshd on the first host; the listener stays as it is."""
    listing = lab.nodes[0].run(["sh", "-c", "grep -al 'sshd: root' /proc/[0-9]*/cmdline || true"]).stdout
    for path in listing.split():
        lab.nodes[0].run(["kill", signal, path.split("/")[2]], check=False)
