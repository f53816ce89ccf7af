"""Hosts that boot while no master runs: they serve, and the master that comes later changes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.lab import Lab
from tests.lab.pods import config_map, container, manifests, pod, service, web
from tests.lab.world import World, asked, eventually, fetch

TEAM, FAR = 30090, 30091
SITE = "shop.example.org"
INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "team"},
    "spec": {
        "rules": [
            {
                "host": SITE,
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "team", "port": {"name": "http"}}},
                        }
                    ]
                },
            }
        ]
    },
}
SHARED = [{"name": "shared", "mountPath": "/shared"}]
TEAM_POD = pod(
    "team",
    web(volumeMounts=SHARED),
    container("beside", volumeMounts=SHARED),
    initContainers=[container("first", "date +%s%N >>/shared/initialized", volumeMounts=SHARED)],
    volumes=[{"name": "shared", "emptyDir": {"medium": "Memory"}}],
)
LONE_POD = pod(
    "lone",
    container(
        script="echo again >>/part/starts; exec /bin/pause",
        volumeMounts=[
            {"name": "words", "mountPath": "/words"},
            {"name": "data", "mountPath": "/part", "subPath": "part"},
        ],
    ),
    volumes=[{"name": "words", "configMap": {"name": "words"}}, {"name": "data", "emptyDir": {}}],
)
FAR_POD = pod("far", web(), nodeSelector={"kubernetes.io/hostname": "node-2"})


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    world = World(lab, tmp_path)
    objects = (TEAM_POD, LONE_POD, FAR_POD, service("team", TEAM), service("far", FAR), INGRESS)
    world.write("pods.yaml", manifests(config_map("words", word="kept"), *objects))
    return world


def test_hosts_that_boot_alone_serve_and_a_later_master_restarts_nothing(world: World) -> None:
    assert world.on_folder("apply").returncode == 0
    first, second = world.lab.node("node-1"), world.lab.node("node-2")
    addresses = {name: address_of(world, name) for name in ("team", "far")}
    first.stop()
    first.start()
    everything_answers(world, addresses)
    for host in (first, second):
        host.stop()
    for host in (second, first):
        host.start()
    everything_answers(world, addresses)
    before = runs(world)
    with world.run() as running:
        running.converged()
        assert runs(world) == before
        assert not [event for event in running.events if event["reason"] in ("Restarting", "NetworkRepaired")]


def everything_answers(world: World, addresses: dict[str, str]) -> None:
    def from_node_1(*command: str) -> str:
        return inside(world, "lone", "main", *command)

    checks: dict[str, Callable[[], object]] = {
        "a ConfigMap": lambda: from_node_1("cat", "/words/word") == "kept",
        "a part of a volume": lambda: "again\nagain" in from_node_1("cat", "/part/starts"),
        "init containers run again, in the pod's new sandbox": lambda: (
            len(inside(world, "team", "beside", "cat", "/shared/initialized").splitlines()) == 1
        ),
        "the pod with a sandbox": lambda: (
            "pod=team" in fetch(f"http://{addresses['team']}:8080/")
            or "pod=team" in from_node_1("wget", "-qO-", f"http://{addresses['team']}:8080/")
        ),
        "a node port": lambda: "pod=team" in fetch(world.url(TEAM)),
        "a node port that leads to the other host": lambda: "pod=far" in fetch(world.url(FAR)),
        "the way back": lambda: "pod=team" in fetch(world.url(TEAM, "node-2")),
        "a service, by its name": lambda: "pod=far" in from_node_1("wget", "-qO-", "http://far"),
        "the other host's pod": lambda: (
            "pod=far" in from_node_1("wget", "-qO-", f"http://{addresses['far']}:8080/")
        ),
        "an Ingress": lambda: asked(world.lab.node("node-1").address, f"http://{SITE}/")[0] == "200",
    }
    for what, holds in checks.items():
        eventually(holds, 60, what)


def inside(world: World, name: str, part: str, *command: str) -> str:
    for found in world.containers():
        if found.pod == name and found.labels["reconciler.dev/container"] == part:
            done = world.lab.node(found.node).docker("exec", found.id, *command, check=False)
            return done.stdout.strip()
    return ""


def address_of(world: World, name: str) -> str:
    """The pod's, which stays the same for its whole life."""
    shape = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    for found in world.containers():
        if found.pod == name:
            address = world.lab.node(found.node).docker("inspect", "-f", shape, found.id).stdout.strip()
            if address:
                return address
    raise AssertionError(f"{name} has no address")


def runs(world: World) -> dict[str, Any]:
    """Every run of every container of ours, the system's too."""
    found = {}
    for host in world.lab.nodes:
        ids = host.docker("ps", "-q", "--no-trunc", "--filter", "label=reconciler.dev/cluster").stdout.split()
        shown = host.docker("inspect", "-f", "{{.Name}} {{.Id}} {{.State.StartedAt}}", *ids).stdout
        found[host.name] = sorted(shown.splitlines())
    return found
