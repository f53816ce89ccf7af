"""A StatefulSet on real hosts: names, order, data that stays, and never two of one name."""

import json
import time
from functools import partial
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.world import Running, World, cluster, eventually

CLAIMS = ("data-db-0", "data-db-1", "data-db-2")
NAMES = ("db-0", "db-1", "db-2")
WRITE = "[ -e /data/first ] || hostname >/data/first; hostname >>/data/all; exec /bin/pause"
"""What each pod does: it notes who was first to have the volume, and who came then."""


def database(replicas: int, turn: str = "one", **more: object) -> str:
    labels = {"app": "db"}
    container = {
        "name": "main",
        "image": "lab/busybox:1",
        "command": ["sh", "-c", WRITE],
        "env": [{"name": "TURN", "value": turn}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec = {
        "serviceName": "db",
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 2, "containers": [container]},
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        **more,
    }
    set_ = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec}
    headless = {"clusterIP": "None", "selector": labels}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}, "spec": headless}
    return f"{json.dumps(set_)}\n---\n{json.dumps(service)}\n"


class Base:
    """The StatefulSet `db` under one master, as a user sees it."""

    def __init__(self, world: World, running: Running) -> None:
        self.world = world
        self.running = running

    def put(self, text: str, timeout: float = 90.0) -> int:
        mark = self.running.mark()
        self.world.write("db.yaml", text)
        self.running.reached(mark, timeout=timeout)
        return mark

    def homes(self) -> dict[str, str]:
        """The node of each pod that runs; AssertionError where a name is there twice."""
        found = [one for one in self.world.containers() if one.pod.startswith("db-") and one.state == "running"]
        homes = {one.pod: one.node for one in found}
        assert len(homes) == len(found), found
        return homes

    def inside(self, pod: str, *command: str) -> str:
        (one,) = [each for each in self.world.containers() if each.pod == pod and each.state == "running"]
        return self.world.lab.node(one.node).docker("exec", one.id, *command, check=False).stdout.strip()

    def knows(self, name: str) -> bool:
        """Whether a program in the first pod finds the name."""
        return "Name:" in self.inside("db-0", "busybox", "nslookup", "-type=a", name)

    def told(self, reason: str, since: int) -> list[str]:
        events = self.running.events[since:]
        names = [each["name"] for each in events if each["reason"] == reason and each["kind"] == "Pod"]
        return [name for name in names if name.startswith("db-")]

    def volumes(self) -> dict[str, str]:
        found = {}
        for host in self.world.lab.nodes:
            for name in host.docker("volume", "ls", "-q").stdout.split():
                found[name.removeprefix("test_default_")] = host.name
        return {name: node for name, node in found.items() if name in CLAIMS}


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    return World(lab, tmp_path)


def test_three_pods_with_data_of_their_own_come_roll_and_return(world: World) -> None:
    world.write("db.yaml", database(3))
    with world.run() as running:
        base = Base(world, running)
        running.converged(timeout=90)
        assert base.told("Scheduled", 0) == list(NAMES), "one after the other"
        homes = base.homes()
        assert sorted(homes) == list(NAMES)
        assert base.volumes() == {f"data-{pod}": node for pod, node in homes.items()}
        assert [base.inside(pod, "cat", "/data/first") for pod in NAMES] == list(NAMES)
        shown = world.cli("get", "sts", "--state", str(world.state)).stdout
        assert "3/3" in shown

        for name in NAMES:
            eventually(partial(base.knows, f"{name}.db.default.svc.cluster.local"), 30, f"the name of {name}")

        mark = base.put(database(3, "two"))
        order = ["db-2", "db-1", "db-0"]
        assert (base.told("Killing", mark), base.told("Scheduled", mark)) == (order, order)
        assert base.homes() == homes
        assert [base.inside(pod, "cat", "/data/all").split() for pod in NAMES] == [[pod, pod] for pod in NAMES]


def test_what_is_scaled_away_returns_to_its_data_until_it_is_to_be_deleted(world: World) -> None:
    def asked(replicas: int, **policy: str) -> str:
        return database(
            replicas, podManagementPolicy="Parallel", persistentVolumeClaimRetentionPolicy=policy or {}
        )

    world.write("db.yaml", asked(3))
    with world.run() as running:
        base = Base(world, running)
        running.converged(timeout=90)
        homes = base.homes()
        mark = base.put(asked(1))
        assert sorted(base.told("Killing", mark)) == ["db-1", "db-2"]
        assert base.volumes() == {f"data-{pod}": node for pod, node in homes.items()}, "what is scaled away stays"
        base.put(asked(3))
        assert base.homes() == homes
        assert base.inside("db-2", "cat", "/data/all").split() == ["db-2", "db-2"]
        base.put(asked(3, whenScaled="Delete"))
        base.put(asked(2, whenScaled="Delete"))
        eventually(lambda: base.volumes().keys() == {"data-db-0", "data-db-1"}, 20, "the end of db-2's data")
        base.put(asked(2, whenDeleted="Delete"))
        mark = running.mark()
        world.write("db.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n")
        running.reached(mark)
        eventually(lambda: base.volumes() == {}, 30, "the end of all data")
        assert base.homes() == {}


def test_a_host_that_is_away_gives_no_second_pod_of_its_names(world: World) -> None:
    """Neither a paused host nor one that is cut off; each pod is back when its host is."""
    world.write("cluster.yaml", cluster(lost_after_seconds=3))
    world.write("db.yaml", database(3, podManagementPolicy="Parallel"))
    with world.run() as running:
        base = Base(world, running)
        running.converged(timeout=90)
        homes = base.homes()
        away = world.lab.node(homes["db-1"])
        its = sorted(pod for pod, node in homes.items() if node == away.name)
        for leave in (away.cut, away.pause):
            mark = running.mark()
            leave()
            running.wait_for("NodeNotReady", away.name, since=mark)
            time.sleep(8)
            elsewhere = [one for one in world.containers(nodes=others(world, away.name)) if one.pod in its]
            assert elsewhere == []
            assert set(base.told("Scheduled", mark) + base.told("Moved", mark)) & set(its) == set()
            mark = running.mark()
            away.heal()
            running.wait_for("NodeReady", away.name, since=mark)
            eventually(lambda: base.homes() == homes, 40, "all are back where they were")
        assert [base.inside(pod, "cat", "/data/first") for pod in NAMES] == list(NAMES)


def others(world: World, name: str) -> list[str]:
    return [host.name for host in world.lab.nodes if host.name != name]
