"""A master that lost its state in the middle of something goes on as the one with it would have: the hosts tell.

The scenarios of test_rollouts.py once more, all on one world, with requests under way all the time.
"""

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from reconciler.lab import Lab
from tests.lab.load import Load
from tests.lab.pods import Json, claim, container, manifests, pod, service, web, workload
from tests.lab.world import DRAINED, Running, World, deployment, engine_events, eventually

WEB, API, AUTOMATIC = 30080, 30081, 31234
ADDRESS = "10.96.77.7"
PROXY_FILE = "/var/lib/reconciler/test/proxy/haproxy.cfg"
ONE_MORE = {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}
READY = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}
NAMES = re.compile(r"\b(web|api|other)-[0-9a-f]{10}-[a-z0-9]{5} *")


def web_of(version: str, replicas: int) -> Json:
    one = web(image=f"lab/web:{version}")
    return workload("web", one, replicas=replicas, more=ONE_MORE, nodeSelector={})


def api_of(version: str, replicas: int) -> Json:
    """Prepared by an init container, with a sidecar and probes."""
    inits = [container("prepare", "exit 0"), container("log", restartPolicy="Always")]
    one = web(image=f"lab/web:{version}", readinessProbe=READY)
    return workload("api", one, replicas=replicas, more=ONE_MORE, nodeSelector={}, initContainers=inits)


def automatic(address: str = "", node_port: int = 0) -> Json:
    """A Service whose address and node port are nobody's choice any more."""
    made = service("automatic", node_port, app="web")
    if address:
        made["spec"]["clusterIP"] = address
    else:
        del made["spec"]["ports"][0]["nodePort"]
    return made


class Scene:
    """The world of these tests, and what is noticed of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.began = time.time()
        self.running: Running | None = None

    def write(self, version: str, replicas: int = 3) -> None:
        own = [web_of(version, replicas), api_of(version, 2), service("web", WEB), service("api", API)]
        self.world.write("web.yaml", manifests(*own, automatic()))

    def start(self, *options: str) -> Running:
        self.running = self.world.run(str(self.world.folder), *options)
        return self.running

    def lose_the_state(self, since: int) -> Running:
        """In the middle: a pod is on its way out."""
        assert self.running is not None
        self.running.wait_for("Killing", since=since)
        self.running.kill()
        shutil.rmtree(self.world.state)
        return self.start("--take-over")

    def load(self) -> Load:
        ports = (WEB, API, AUTOMATIC)
        return Load([(host.address, port) for host in self.world.lab.nodes for port in ports], rate=15)

    def starts(self, name: str) -> list[str]:
        """The ids of containers of this name in their pods, once for each start."""
        return [
            started
            for host in self.world.lab.nodes
            for started in engine_events(
                host,
                time.time() - self.began,
                "{{.Actor.ID}}",
                f"label=reconciler.dev/container={name}",
                "event=start",
            )
        ]

    def networks(self) -> list[str]:
        shown = "{{(index .IPAM.Config 0).Subnet}}"
        return [
            host.docker("network", "inspect", "reconciler", "--format", shown).stdout.strip()
            for host in self.world.lab.nodes
        ]

    def addresses(self) -> list[str]:
        """What each host's proxy serves at the address and the port that were once chosen by hand."""
        return [
            host.run(["grep", "-c", f"bind {ADDRESS}:80\\|bind 0.0.0.0:{AUTOMATIC}", PROXY_FILE]).stdout.strip()
            for host in self.world.lab.nodes
        ]


@pytest.fixture
def scene(lab: Lab, tmp_path: object) -> Iterator[Scene]:
    """Nodes that came in another order than that of their names, and a Service that was once given its address."""
    scene = Scene(World(lab, tmp_path))  # type: ignore[arg-type]
    world = scene.world
    first = world.folder / "nodes-node-1.yaml"
    manifest = first.read_text()
    first.unlink()
    once = pod("once", container("main", "echo ran >>/data/runs"), restartPolicy="Never", nodeSelector={})
    once["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    once["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    world.write("once.yaml", manifests(once, claim("data")))
    world.write("web.yaml", manifests(web_of("1.0", 1), automatic(ADDRESS, AUTOMATIC)))
    running = scene.start()
    try:
        running.converged()
        world.write("nodes-node-1.yaml", manifest)
        mark = running.mark()
        scene.write("1.0")
        running.reached(mark, timeout=90)
        yield scene
    finally:
        if scene.running is not None:
            scene.running.stop()


def test_a_state_that_is_lost_in_the_middle_of_rollouts_loses_no_request_and_restarts_nothing(
    scene: Scene,
) -> None:
    world, networks = scene.world, scene.networks()
    assert networks[0] > networks[2], "not as they would be chosen anew"
    with scene.load() as requests:
        running = scene.running
        assert running is not None
        mark = running.mark()
        scene.write("2.0")
        running = scene.lose_the_state(mark)
        running.converged(90)
        images = {each.image for app in ("web", "api") for each in world.containers(app)}
        assert {image for image in images if "web" in image} == {"lab/web:2.0"}

        mark = running.mark()
        scene.write("2.0", replicas=1)
        running = scene.lose_the_state(mark)
        running.converged(90)
        assert len(world.containers("web")) == 1

        mark = running.mark()
        scene.write("2.0", replicas=3)
        world.write("other.yaml", deployment("other", 1))
        running.reached(mark, timeout=90)
        mark = running.mark()
        manifest = (world.folder / "nodes-node-2.yaml").read_text()
        world.write("nodes-node-2.yaml", manifest + DRAINED)
        running = scene.lose_the_state(mark)
        running.converged(90)
        eventually(lambda: not [*world.containers("web", ["node-2"]), *world.containers("api", ["node-2"])])
        time.sleep(1)
    assert requests.failures == []
    assert requests.answered > 300
    assert scene.networks() == networks
    assert scene.addresses() == ["2", "2", "2"]
    prepared = scene.starts("prepare")
    assert len(prepared) == len(set(prepared)), "no finished init container was started again"
    assert len(scene.starts("main")) == 1, "what has run to its end does not run again"
    _plans_alike_with_and_without(scene)


def _plans_alike_with_and_without(scene: Scene) -> None:
    world, running = scene.world, scene.running
    assert running is not None
    running.stop()
    scene.write("1.0", replicas=2)
    known = world.on_folder("diff")
    shutil.rmtree(world.state)
    unknown = world.on_folder("diff")
    assert _pods(known.stdout) == _pods(unknown.stdout) != []
    assert "restart" not in unknown.stdout
    assert (known.returncode, unknown.returncode) == (1, 1)
    scene.write("2.0")
    assert world.on_folder("diff").stdout.splitlines()[-1].startswith("No changes")
    world.lab.node("node-2").cut()  # It is drained, and has no pods.
    blind = world.on_folder("diff")
    world.lab.node("node-2").heal()
    assert blind.returncode == 2, blind.stdout
    assert "node-2 unreachable" in blind.stdout
    assert "whether that is as asked cannot be told" in blind.stdout
    at = time.time()
    applied = world.on_folder("apply")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    acted = [
        event
        for host in world.lab.nodes
        for event in engine_events(
            host, time.time() - at, "{{.Action}} {{.Actor.Attributes.name}}", "event=start", "event=die"
        )
    ]
    assert acted == []
    shown = json.loads(world.cli("get", "pods", "-o", "json", "--state", str(world.state)).stdout)["items"]
    made = [datetime.fromisoformat(each["metadata"]["creationTimestamp"]).timestamp() for each in shown]
    assert len(made) == 7
    assert max(made) < at, "a pod's age is its own, and not that of the state"


def _pods(report: str) -> list[str]:
    """What is printed of pods, without their names."""
    _, _, told = report.partition("\nPods\n")
    return sorted(re.sub(NAMES, r"\1 ", line).rstrip() for line in told.splitlines() if line.strip())
