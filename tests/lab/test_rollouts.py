"""What clients notice while pods come and go: nothing, as long as each request opens a connection of its own.

A connection that is kept open ends with its pod, as with kube-proxy: the pod closes it after the answer under way
(SIGTERM), and the client opens another. How often that happened is no failure of a rollout, and not judged here.
"""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.load import Load
from tests.lab.pods import manifests, web, workload
from tests.lab.world import DRAINED, World, deployment, eventually, service

PORT = 30080
ONE_MORE = "  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}"


@pytest.fixture
def world(world: World) -> World:
    write(world, 4, "1.0")
    return world


def write(world: World, replicas: int, version: str) -> None:
    web = deployment("web", replicas, f"lab/web:{version}", extra=ONE_MORE)
    world.write("web.yaml", web + "---\n" + service("web", PORT))


def load(world: World) -> Load:
    """On every host: a proxy may be slower than the others to take a change over."""
    return Load([(host.address, PORT) for host in world.lab.nodes])


def unharmed(load: Load) -> None:
    assert load.failures == []
    assert load.answered > 100, "the load was a load"


def test_a_rollout_loses_no_request(world: World) -> None:
    with world.run() as running:
        running.converged()
        with load(world) as requests:
            mark = running.mark()
            write(world, 4, "2.0")
            running.reached(mark)
    unharmed(requests)
    assert {container.image for container in world.containers("web")} == {"lab/web:2.0"}


@pytest.mark.fault(21)
def test_a_deployment_of_another_name_behind_one_service_loses_no_request(world: World) -> None:
    with world.run() as running:
        running.converged()
        with load(world) as requests:
            mark = running.mark()
            renamed = deployment("web-new", 4, "lab/web:2.0", extra=ONE_MORE).replace("app: web-new", "app: web")
            text = renamed + "---\n" + service("web", PORT)
            world.write("web.yaml", text)
            running.reached(mark)
        unharmed(requests)
        assert not world.containers("web")
        assert {container.image for container in world.containers("web-new")} == {"lab/web:2.0"}
        # One whose image is nowhere: what runs goes on, and the dry run and the events say until when.
        absent = text.replace("name: web-new}", "name: web-2}").replace("lab/web:2.0", "lab/absent:9")
        mark = running.mark()
        world.write("web.yaml", absent)
        told = running.wait_for("AwaitingSuccessor", "web-new", since=mark)
        assert "stays until Deployment default/web-2" in told["message"]
        running.wait_for("ErrImagePull", "lab/absent:9", since=mark)
        assert len([c for c in world.containers("web-new") if c.state == "running"]) == 4
        world.write("web.yaml", text)
        running.reached(mark, world.revision())


def test_scaling_down_and_up_and_another_service_lose_no_request(world: World) -> None:
    with world.run() as running:
        running.converged()
        with load(world) as requests:
            for replicas in (1, 4):
                mark = running.mark()
                write(world, replicas, "1.0")
                running.reached(mark)
            mark = running.mark()
            other = world.write("other.yaml", deployment("other", 1) + "---\n" + service("other", 30090))
            running.reached(mark)
            mark = running.mark()
            os.remove(other)
            running.reached(mark)
    unharmed(requests)


def test_a_reconciler_killed_in_the_middle_of_a_rollout_loses_no_request(world: World) -> None:
    with world.run() as running:
        running.converged()
        with load(world) as requests:
            mark = running.mark()
            write(world, 4, "2.0")
            running.wait_for("Killing", since=mark)
            running.kill()
            time.sleep(0.5)
            with world.run() as again:
                again.converged()
    unharmed(requests)
    assert {container.image for container in world.containers("web")} == {"lab/web:2.0"}


@pytest.mark.fault(80)
def test_a_drained_node_loses_its_pods_and_no_request(world: World) -> None:
    with world.run() as running:
        running.converged()
        with load(world) as requests:
            mark = running.mark()
            manifest = (world.folder / "nodes-node-2.yaml").read_text()
            world.write("nodes-node-2.yaml", manifest + DRAINED)
            running.wait_for("Killing", since=mark)
            eventually(lambda: not world.containers("web", ["node-2"]))
            running.reached(mark)
            time.sleep(1)
    unharmed(requests)
    assert len(world.containers("web")) == 4


def test_a_stuck_rollout_is_scaled_both_ways_within_its_limits(lab: Lab, tmp_path: Path) -> None:
    world = World(lab, tmp_path, hosts=1)
    both = {"maxSurge": "25%", "maxUnavailable": "25%"}

    def put(up: int, down: int, image: str) -> None:
        ready = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
        one = web("web", image=image, readinessProbe=ready)
        rules = ("up", up, {"maxSurge": 1, "maxUnavailable": 0}), ("down", down, both)
        made = (
            workload(name, one, replicas=replicas, more={"strategy": {"rollingUpdate": rule}}, nodeSelector={})
            for name, replicas, rule in rules
        )
        world.write("web.yaml", manifests(*made))

    def running(app: str) -> dict[str, int]:
        return Counter(
            each.image for each in world.containers(app) if each.labels["reconciler.dev/container"] != "POD"
        )

    old, new = "lab/web:1.0", "lab/web:broken"
    with world.run() as reconciler:
        put(3, 6, old)
        reconciler.reached(0, world.revision())
        put(3, 6, new)
        eventually(lambda: (running("up"), running("down")) == ({old: 3, new: 1}, {old: 5, new: 3}), what="stuck")
        put(6, 3, new)
        # 7 pods at most, 6 that serve; and 4, of which 3 serve.
        eventually(lambda: (running("up"), running("down")) == ({old: 5, new: 2}, {old: 3, new: 1}), what="scaled")
