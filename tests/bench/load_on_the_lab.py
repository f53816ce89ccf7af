"""Not one lost request: what clients under full load notice of rollouts, drains, reloads and deaths."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab import Lab
from reconciler.lab.repo import node_manifests
from tests.bench.bars import Measured, at_most, p50
from tests.lab.conftest import restore
from tests.lab.world import DRAINED, World, deployment, eventually, fetch, service
from tests.own_lab import own_lab
from tests.wrk import Count, Wrk

REQUESTS = 100_000
REPLICAS = 10
BY_CONNECTION, BY_REQUEST = 30080, 30081
ROUNDS = 5
SERVICE = f"""\
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  type: NodePort
  selector: {{app: web}}
  ports:
    - {{name: plain, port: 80, targetPort: http, nodePort: {BY_CONNECTION}}}
    - {{name: http, port: 81, targetPort: http, nodePort: {BY_REQUEST}, appProtocol: http}}
"""


@dataclass(frozen=True)
class Manner:
    """How clients ask."""

    what: str
    port: int
    kept: bool


MANNERS = (
    Manner("fresh connections", BY_CONNECTION, kept=False),
    Manner("kept connections", BY_CONNECTION, kept=True),
    Manner("kept connections, http", BY_REQUEST, kept=True),
)


def everything() -> Iterator[Measured]:
    lab = own_lab()
    was_up = lab.is_up()
    lab.up(nodes=3)
    try:
        for what, event in EVENTS.items():
            for manner in MANNERS:
                yield _nothing_lost(lab, what, event, manner)
        yield from _killed(lab)
        yield from _added_latency(lab)
    finally:
        if was_up:
            restore(lab)
        else:
            lab.down()


class Site:
    """A Deployment behind a Service with two ports, and the master that keeps them."""

    def __init__(self, world: World, replicas: int) -> None:
        self.world = world
        self.replicas = replicas
        self.version = "1.0"
        self.write()
        self.running = world.run()

    def roll(self) -> None:
        self.version = "2.0" if self.version == "1.0" else "1.0"
        mark = self.running.mark()
        self.write()
        self.running.converged(timeout=100, since=mark)

    def write(self) -> None:
        web = deployment("web", self.replicas, f"lab/web:{self.version}")
        self.world.write("web.yaml", web + "---\n" + SERVICE)


@contextmanager
def _site(lab: Lab, replicas: int = REPLICAS) -> Iterator[Site]:
    restore(lab)
    with tempfile.TemporaryDirectory() as directory:
        world = World(lab, Path(directory))
        site = Site(world, replicas)
        try:
            site.running.converged(timeout=100)
            yield site
        finally:
            site.running.stop()


def _rolled(site: Site) -> None:
    site.roll()


def _drained(site: Site) -> None:
    """A node loses its pods, and may have some again."""
    manifest = node_manifests(site.world.lab)["node-2.yaml"]
    mark = site.running.mark()
    site.world.write("nodes-node-2.yaml", manifest + DRAINED)
    site.running.wait_for("Killing", since=mark)
    site.running.converged(timeout=100, since=mark)
    mark = site.running.mark()
    site.world.write("nodes-node-2.yaml", manifest)
    site.running.wait_for("Accepted", since=mark)
    site.roll()


def _reloaded(site: Site) -> None:
    """Another service comes, and goes: on every node another structure, checked and reloaded."""
    for number in range(3):
        mark = site.running.mark()
        other = site.world.write("other.yaml", service(f"other{number}", 30090 + number))
        site.running.converged(since=mark)
        mark = site.running.mark()
        other.unlink()
        site.running.converged(since=mark)


def begin_a_rollout(site: Site) -> None:
    """Until the first old pod is to go."""
    site.version = "2.0" if site.version == "1.0" else "1.0"
    mark = site.running.mark()
    site.write()
    site.running.wait_for("Killing", since=mark)


def without_master(site: Site) -> None:
    """It is killed in the middle of a rollout, and another goes on."""
    begin_a_rollout(site)
    site.running.kill()
    time.sleep(0.5)
    site.running = site.world.run()
    site.running.converged(timeout=100)


EVENTS: dict[str, Callable[[Site], None]] = {
    f"rolling update of {REPLICAS} replicas": _rolled,
    "a node is drained": _drained,
    "HAProxy reloads": _reloaded,
    "reconciler killed in a rollout": without_master,
}


def _nothing_lost(lab: Lab, what: str, event: Callable[[Site], None], manner: Manner) -> Measured:
    """The event, again and again, until there were enough requests while it happened."""
    count, times = Count(), 0
    with _site(lab) as site:
        while count.requests < REQUESTS:
            with Wrk(site.world.url(manner.port), site.world.folder.parent, kept=manner.kept) as load:
                time.sleep(0.2)
                event(site)
                time.sleep(0.2)
            count, times = count + load.count, times + 1
    detail = f" of {count.requests:,} (× {times}{'; ' + count.why if count.why else ''})"
    return at_most(f"{what}, {manner.what}: failed", count.failed, 0, "requests", detail)


def _killed(lab: Lab) -> Iterator[Measured]:
    for manner in MANNERS:
        during, after = Count(), Count()
        with _site(lab, 6) as site:
            for number in range(ROUNDS):
                url, folder = site.world.url(manner.port), site.world.folder.parent
                with Wrk(url, folder, kept=manner.kept) as load:
                    time.sleep(2)
                    _kill_one(site, number)
                    time.sleep(1)
                during += load.count
                with Wrk(url, folder, kept=manner.kept) as load:
                    time.sleep(2)
                after += load.count
                time.sleep(11)
        all_of_them = during + after
        share = 100 * all_of_them.failed / (all_of_them.requests + all_of_them.failed)
        detail = f" ({all_of_them.failed} of {all_of_them.requests:,}; {all_of_them.why})"
        yield at_most(f"a pod of six killed × {ROUNDS}, {manner.what}: failed", share, 0.1, "%", detail)
        yield at_most("  after a second", after.failed, 0, "requests", f" of {after.requests:,}")


def _kill_one(site: Site, number: int) -> None:
    """Its first process: as of a bug of its own, not by Docker's hand. Another one each time: what crashes again
    waits for its back-off, and five others are to be ready."""
    victim = site.world.containers("web")[number]
    host = site.world.lab.node(victim.node)
    pid = host.docker("inspect", "--format", "{{.State.Pid}}", victim.id).stdout.strip()
    host.run(["kill", "-9", pid])


def _added_latency(lab: Lab) -> Iterator[Measured]:
    """One client on the pod's own host, one request after another; the proxy and the pod in turn."""
    with _site(lab, 1) as site:
        (pod,) = site.world.containers("web")
        host = lab.node(pod.node)
        address = host.docker("inspect", "--format", "{{.NetworkSettings.Networks.reconciler.IPAddress}}", pod.id)
        direct = f"http://{address.stdout.strip()}:8080/"
        eventually(lambda: fetch(site.world.url(BY_CONNECTION, host.name)), 10)
        for manner in MANNERS:
            through = site.world.url(manner.port, host.name)
            added = []
            for _ in range(ROUNDS):
                ours, plain = (_median(site, url, manner, host.name) for url in (through, direct))
                added.append(ours - plain)
            detail = f" (direct {plain:.3f} ms)"
            yield at_most(f"added latency, {manner.what}, p50", p50(added), 0.3, "ms", detail)


def _median(site: Site, url: str, manner: Manner, node: str) -> float:
    """Milliseconds."""
    host = site.world.lab.node(node)
    enter = ("nsenter", f"--net={host.network.namespace_path(node)}")
    with Wrk(url, site.world.folder.parent, kept=manner.kept, connections=1, enter=enter) as load:
        time.sleep(2)
    assert not load.count.failed, load.count.why
    return load.count.p50_ms
