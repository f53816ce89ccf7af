"""Bad input and broken hosts: the last good state runs on, nothing is deleted, and the reason is said."""

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.lab.world import OnHost, World, deployment, eventually, fetch, service

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BROKEN: dict[str, str | bytes] = {
    "broken YAML": "kind: [Deployment\n",
    "wrong types": deployment("extra", 1).replace("replicas: 1", "replicas: many"),
    "unknown field": deployment("extra", 1).replace("replicas: 1", "replica: 1"),
    "duplicate": deployment("web", 1),
    "binary": bytes(range(256)) * 64,
    "alias bomb": BOMB,
}


@pytest.fixture
def world(world: World) -> World:
    world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
    return world


@pytest.fixture
def before(world: World) -> Iterator[list[OnHost]]:
    """The pods as they ran before the fault; afterwards the very same containers still run."""
    assert world.on_folder("apply").returncode == 0
    yield (containers := world.containers())
    assert world.containers() == containers


@pytest.mark.fault(5, 13, 19, 20)
@pytest.mark.hosts(1)
def test_no_bad_revision_changes_anything_and_each_is_explained_at_its_place(
    world: World, before: list[OnHost]
) -> None:
    with world.run() as running:
        running.converged()
        for what, content in BROKEN.items():
            mark = running.mark()
            bad = world.write("bad.yaml", content)
            running.wait_for("Rejected", since=mark)
            assert "bad.yaml" in running.wait_for("Problem", "bad.yaml", since=mark)["message"], what
            assert world.containers() == before, what
            bad.unlink()
            running.wait_for("Accepted", since=mark)
        mark = running.mark()
        with (world.folder / "big.yaml").open("wb") as big:
            big.truncate(100 * 1024 * 1024)
        running.wait_for("Problem", "big.yaml", since=mark)
        mark = running.mark()
        (world.folder / "big.yaml").unlink()
        running.wait_for("Accepted", since=mark)
        assert fetch(world.url(30080))


@pytest.mark.fault(1, 9)
@pytest.mark.hosts(1)
def test_an_empty_folder_and_a_folder_renamed_away_delete_nothing(world: World, before: list[OnHost]) -> None:
    with world.run() as running:
        running.converged()
        away = world.folder.with_name("away")
        mark = running.mark()
        world.folder.rename(away)
        running.wait_for("Unavailable", since=mark)
        assert world.containers() == before
        mark = running.mark()
        world.folder.mkdir()
        running.wait_for("Rejected", since=mark)
        assert world.containers() == before
        world.folder.rmdir()
        away.rename(world.folder)
        mark = running.mark()
        world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080) + "# touched\n")
        running.wait_for("Accepted", since=mark)


@pytest.mark.hosts(1)
def test_a_restart_with_a_bad_revision_keeps_the_last_good_one_in_force(
    world: World, before: list[OnHost]
) -> None:
    world.write("bad.yaml", "kind: [")
    with world.run() as running:
        running.wait_for("Rejected", "stays in force")
        running.converged()


@pytest.mark.fault(4)
@pytest.mark.hosts(1)
def test_dropping_most_objects_waits_for_a_confirmation(world: World, before: list[OnHost]) -> None:
    for number in range(6):
        world.write(f"config-{number}.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\n")
    assert world.on_folder("apply").returncode == 0
    for number in range(6):
        (world.folder / f"config-{number}.yaml").unlink()
    (world.folder / "web.yaml").unlink()
    held = world.on_folder("apply")
    assert held.returncode == 2
    assert "--confirm" in held.stderr


def test_a_host_with_another_key_gets_no_credential_and_is_refused_loudly(
    world: World, before: list[OnHost]
) -> None:
    node = world.folder / "nodes-node-2.yaml"
    other = world.lab.node("node-1").disk.host_key.with_suffix(".pub").read_text().split()[1]
    own = world.lab.node("node-2").disk.host_key.with_suffix(".pub").read_text().split()[1]
    world.write(node.name, node.read_text().replace(own, other))
    with world.run() as running:
        event = running.wait_for("NodeNotReady", "reconciler.dev/host-key pins")
        assert event["name"] == "node-2"
        time.sleep(8)  # Longer than lostAfterSeconds: a refused host's pods are not moved.
        assert world.containers() == before


@pytest.mark.fault(61)
def test_a_host_that_is_down_delays_no_other_and_its_pods_come_back_elsewhere(world: World) -> None:
    with world.run() as running:
        running.converged()
        mark = running.mark()
        world.lab.node("node-2").cut()
        running.wait_for("NodeNotReady", "node-2", since=mark)
        running.wait_for("Moved", since=mark)
        eventually(
            lambda: sum(c.node != "node-2" and c.state == "running" for c in world.containers("web")) == 3, 20
        )
        eventually(lambda: fetch(world.url(30080)))
        world.lab.node("node-2").heal()
        eventually(lambda: len(world.containers("web")) == 3, 40, "removal of what was moved away")
        running.converged(since=mark, timeout=40)


@pytest.mark.fault(60)
def test_with_every_host_gone_nothing_is_moved(world: World, before: list[OnHost]) -> None:
    with world.run() as running:
        running.converged()
        mark = running.mark()
        for node in ("node-1", "node-2", "node-3"):
            world.lab.node(node).cut()
        for node in ("node-1", "node-2", "node-3"):
            running.wait_for("NodeNotReady", node, since=mark)
        time.sleep(8)
        for node in ("node-1", "node-2", "node-3"):
            world.lab.node(node).heal()
        running.converged(since=mark, timeout=60)
        assert not any(event["reason"] == "Moved" for event in running.events)


@pytest.mark.fault(47)
def test_a_hung_engine_delays_no_other_host(world: World) -> None:
    with world.run() as running:
        running.converged()
        mark = running.mark()
        world.lab.node("node-3").pause()
        running.wait_for("NodeNotReady", "node-3", since=mark)
        world.write("more.yaml", deployment("more", 2))
        answering = ("node-1", "node-2")
        eventually(lambda: [c.state for c in world.containers("more", answering)] == ["running"] * 2)
        world.lab.node("node-3").heal()
        running.wait_for("NodeReady", "node-3", since=mark, timeout=40)


@pytest.mark.fault(53)
@pytest.mark.hosts(1)
def test_a_missing_image_says_so_and_the_old_version_stays(world: World, before: list[OnHost]) -> None:
    with world.run() as running:
        running.converged()
        world.write("web.yaml", deployment("web", 3, "lab/absent:9") + "---\n" + service("web", 30080))
        running.wait_for("ErrImagePull", "lab/absent:9")
        assert [c for c in world.containers("web") if c.state == "running"] == before
        mark = running.mark()
        world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
        running.reached(mark)


@pytest.mark.fault(54)
@pytest.mark.hosts(1)
def test_a_broken_version_halts_the_rollout_and_the_old_one_serves(world: World, before: list[OnHost]) -> None:
    ids = {container.id for container in before}
    with world.run() as running:
        running.converged()
        mark = running.mark()
        world.write("web.yaml", deployment("web", 3, "lab/web:broken") + "---\n" + service("web", 30080))
        running.accepted(since=mark)
        time.sleep(8)
        serving = {c.id for c in world.containers("web") if c.state == "running" and c.image == "lab/web:1.0"}
        assert serving == ids, "maxUnavailable of three replicas is none"
        assert "version=1.0" in fetch(world.url(30080))
        mark = running.mark()
        world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
        running.reached(mark)


@pytest.mark.fault(51)
def test_a_host_port_held_by_a_foreign_container_sends_the_pod_to_another_host(world: World) -> None:
    host = world.lab.node("node-1")
    host.docker("run", "-d", "--name", "foreign", "-p", "8099:80", "lab/web:1.0")
    try:
        text = deployment("edge", 2).replace("containerPort: 8080}", "containerPort: 8080, hostPort: 8099}")
        world.write("edge.yaml", text)
        assert world.on_folder("apply").returncode == 0
        assert {container.node for container in world.containers("edge")} == {"node-2", "node-3"}
        world.write("edge.yaml", text.replace("replicas: 2", "replicas: 3"))
        planned = world.on_folder("diff")
        assert "node-1" in planned.stdout
        assert "8099" in planned.stdout
        assert "foreign" in planned.stdout
    finally:
        host.docker("rm", "-f", "foreign")


@pytest.mark.fault(30)
@pytest.mark.hosts(1)
def test_an_unreachable_git_remote_keeps_everything(world: World, before: list[OnHost]) -> None:
    with world.run("--git", "ssh://git@127.0.0.1:1/none.git") as running:
        running.wait_for("Unavailable", "stays in force")
        running.converged()


@pytest.mark.fault(55)
def test_killed_in_the_middle_of_applying_it_adopts_what_it_finds_and_duplicates_nothing(world: World) -> None:
    for after in (0.3, 0.8, 1.5):
        running = world.run()
        running.wait_for("Accepted")
        time.sleep(after)
        running.kill()
    with world.run() as running:
        running.converged()
        containers = world.containers("web")
        assert len(containers) == 3
        assert len({container.labels["reconciler.dev/uid"] for container in containers}) == 3


@pytest.mark.hosts(1)
def test_with_its_state_lost_it_adopts_the_pods_it_finds(world: World, before: list[OnHost]) -> None:
    subprocess.run(["rm", "-rf", str(world.state)], check=True)
    assert world.on_folder("apply").returncode == 0


@pytest.mark.fault(56)
@pytest.mark.rule(9)
@pytest.mark.hosts(1)
def test_foreign_containers_even_look_alikes_are_left_alone(world: World, before: list[OnHost]) -> None:
    host = world.lab.node("node-1")
    labels = [
        "reconciler.dev/cluster=other",
        "reconciler.dev/namespace=default",
        "reconciler.dev/owner=Deployment/web",
    ]
    host.docker("run", "-d", "--name", "alike", *[f"--label={label}" for label in labels], "lab/web:1.0")
    try:
        assert world.on_folder("apply").returncode == 0
        assert host.docker("inspect", "alike", "--format", "{{.State.Status}}").stdout.strip() == "running"
    finally:
        host.docker("rm", "-f", "alike")


@pytest.mark.fault(80)
@pytest.mark.hosts(1)
def test_a_second_instance_is_refused_and_the_holder_named(world: World) -> None:
    with world.run() as running:
        running.converged()
        second = world.on_folder("apply")
        assert second.returncode == 2
        assert str(running.process.pid) in second.stderr


@pytest.mark.hosts(1)
def test_a_diff_that_fails_exits_with_2_never_1(world: World) -> None:
    world.write("bad.yaml", "kind: [")
    assert world.on_folder("diff").returncode == 2
    assert world.on_folder("diff", "--detailed-exitcode").returncode == 1
    os.remove(world.folder / "bad.yaml")
    assert world.on_folder("diff").returncode == 1
    assert world.on_folder("diff", "--detailed-exitcode").returncode == 2
