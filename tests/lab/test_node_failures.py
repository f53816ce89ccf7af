"""Hosts that lose their network, their power or their engine: what clients notice, and that all comes back."""

import os
import signal
import time
from pathlib import Path

import pytest

from reconciler.lab import Host, Lab
from tests.lab.load import Load
from tests.lab.world import Running, World, api, cluster, deployment, eventually, fetch, service

WEB, API, SIDECAR = 30080, 30081, 30082


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    world = World(lab, tmp_path)
    world.write("web.yaml", deployment("web", 6) + "---\n" + service("web", WEB))
    return world


@pytest.fixture
def patient(world: World) -> World:
    """Its pods stay where they are while a host is away; one on each host has two containers and a sandbox."""
    world.write("cluster.yaml", cluster(lost_after_seconds=90))
    world.write("api.yaml", api(3, "value: none"))
    return world


def pods(world: World) -> set[tuple[str, str]]:
    return {(one.node, one.labels["reconciler.dev/uid"]) for one in world.containers() if one.state == "running"}


def whole(world: World, running: Running, mark: int, before: set[tuple[str, str]]) -> None:
    """Every pod runs where it ran, and answers on the host that was away, through its proxy."""
    running.converged(since=mark, timeout=60)
    assert pods(world) == before
    for port, asks in ((WEB, 12), (API, 6), (SIDECAR, 6)):
        assert all(fetch(world.url(port, "node-2")) for _ in range(asks)), port


def test_a_host_that_is_cut_off_costs_clients_of_the_others_no_request(world: World) -> None:
    others = ("node-1", "node-3")
    with world.run() as running:
        running.converged()
        with Load([(world.lab.node(name).address, WEB) for name in others] * 2, rate=25) as requests:
            mark = running.mark()
            eventually(lambda: requests.answered > 20)
            world.lab.node("node-2").cut()
            cut_at = time.monotonic() - requests.began
            running.wait_for("Moved", "node-2", since=mark)
            eventually(lambda: len([c for c in world.containers("web", others) if c.state == "running"]) == 6)
            world.lab.node("node-2").heal()
            running.converged(since=mark, timeout=40)
    # One that a pod over there was just answering has nobody to answer it: at most one of each of the clients.
    assert [failure for failure in requests.failures if failure.at > cut_at] == []
    assert len(requests.failures) <= 4
    assert requests.slowest < 4, "a pod elsewhere is tried after a second"


def test_a_host_that_loses_its_power_comes_back_with_its_network_its_proxy_and_its_pods(patient: World) -> None:
    host = patient.lab.node("node-2")
    with patient.run() as running:
        running.converged()
        before, mark = pods(patient), running.mark()
        host.stop()
        running.wait_for("NodeNotReady", "node-2", since=mark)
        mark = running.mark()
        host.start()
        whole(patient, running, mark, before)


def test_an_engine_that_is_killed_and_started_again_comes_back_with_its_proxy_and_its_pods(
    patient: World,
) -> None:
    host = patient.lab.node("node-2")
    with patient.run() as running:
        running.converged()
        before, mark = pods(patient), running.mark()
        kill_engine(host)
        running.wait_for("NodeNotReady", "node-2", since=mark)
        assert fetch(patient.url(WEB, "node-2")), "without its engine the host serves on"
        mark = running.mark()
        host.start()
        whole(patient, running, mark, before)


def test_containers_rejoin_the_network_of_their_sandbox_when_it_was_restarted_while_nobody_looked(
    patient: World,
) -> None:
    assert patient.on_folder("apply").returncode == 0
    before = pods(patient)
    for one in patient.containers("api"):
        if one.labels["reconciler.dev/container"] == "POD":
            patient.lab.node(one.node).docker("restart", "-t", "0", one.id)
    assert pods(patient) == before, "to Docker, all of it runs"
    assert not fetch(patient.url(SIDECAR))
    with patient.run() as running:
        running.wait_for("Restarting")
        whole(patient, running, 0, before)


def kill_engine(host: Host) -> None:
    dockerd = host.status().dockerd
    assert dockerd is not None
    os.kill(dockerd, signal.SIGKILL)
