"""Hosts that are not the ones they were: another host key, another engine. Nothing is lost on them."""

import os
import signal
import time
from pathlib import Path

import pytest

from reconciler.lab import Host, Lab
from tests.lab.world import OnHost, Running, World, deployment, eventually

KEY = "/etc/ssh/ssh_host_ed25519_key"


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    world = World(lab, tmp_path)
    world.write("web.yaml", deployment("web", 3))
    return world


def stays(running: Running, world: World, before: list[OnHost]) -> None:
    time.sleep(8)  # Longer than lostAfterSeconds.
    assert world.containers("web") == before
    assert not [event for event in running.events if event["reason"] == "Moved"]


@pytest.mark.fault(45)
@pytest.mark.rule(2)
def test_a_host_key_that_is_replaced_is_refused_until_its_node_has_the_new_one(world: World) -> None:
    host, manifest = world.lab.node("node-2"), world.folder / "nodes-node-2.yaml"
    with world.run() as running:
        running.converged()
        before, written, mark = world.containers("web"), manifest.read_text(), running.mark()
        host.run(["sh", "-c", f"cp -p {KEY} {KEY}.old; cp -p {KEY}.pub {KEY}.pub.old"])
        try:
            host.run(["sh", "-c", f"rm {KEY} {KEY}.pub; ssh-keygen -q -t ed25519 -N '' -f {KEY}"])
            restart_sshd(host)
            refused = running.wait_for("NodeNotReady", "reconciler.dev/host-key pins", since=mark)
            assert refused["name"] == "node-2"
            stays(running, world, before)
            old, new = (host.run(["cat", f"{KEY}.pub{end}"]).stdout.split()[1] for end in (".old", ""))
            mark = running.mark()
            world.write(manifest.name, written.replace(old, new))
            running.wait_for("NodeReady", "node-2", since=mark)
            running.reached(mark)
            assert world.containers("web") == before, "the same run of the program, and of every pod"
        finally:
            host.run(["sh", "-c", f"mv {KEY}.old {KEY}; mv {KEY}.pub.old {KEY}.pub"])
            restart_sshd(host)


def restart_sshd(host: Host) -> None:
    """The listener, and every connection with it."""
    listener = host.status().sshd
    assert listener is not None
    for path in host.run(
        ["sh", "-c", "grep -al 'sshd-*[a-z]*: root' /proc/[0-9]*/cmdline || true"]
    ).stdout.split():
        host.run(["kill", "-KILL", path.split("/")[2]], check=False)
    os.kill(listener, signal.SIGKILL)
    host.start()


@pytest.mark.fault(64)
def test_a_host_installed_anew_is_refused_until_the_node_is_reset(world: World) -> None:
    """Its engine is another one by its own id, and has nothing of ours."""
    host = world.lab.node("node-1")
    assert world.on_folder("apply").returncode == 0
    before = host.docker("info", "-f", "{{.ID}}").stdout.strip()
    install_anew(host)
    now = host.docker("info", "-f", "{{.ID}}").stdout.strip()
    assert now != before
    kept = world.containers("web")
    assert len(kept) == 2
    with world.run() as running:
        event = running.wait_for("NodeNotReady", "node-1")
        assert before in event["message"]
        assert now in event["message"]
        assert "node reset node-1" in event["message"]
        stays(running, world, kept)
        locked = world.cli("node", "reset", "node-1", str(world.folder), *world.host_options, "--yes")
        assert locked.returncode == 2
        assert str(running.process.pid) in locked.stderr
    reset = world.cli("node", "reset", "node-1", str(world.folder), *world.host_options, "--yes")
    assert reset.returncode == 0, reset.stderr
    assert world.on_folder("apply").returncode == 0
    assert [each.state for each in world.containers("web")] == ["running"] * 3


def install_anew(host: Host) -> None:
    """As far as it matters: containers, networks and the engine's id are gone. The images are the lab's."""
    host.wipe()
    dockerd = host.status().dockerd
    assert dockerd is not None
    host.run(["sh", "-c", "kill -9 $(pidof dockerd) $(pidof containerd) 2>/dev/null || true"])
    eventually(lambda: host.status().dockerd != dockerd, what="the end of the engine")
    host.run(["rm", "-f", "/var/lib/docker/engine-id", "/etc/docker/key.json"])
    host.start()
