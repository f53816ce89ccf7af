"""A thousand services of five pods each, on a real HAProxy: what a reload and a change of a pod cost."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from reconciler.lab import Lab
from reconciler.metrics.families import traffic_families
from reconciler.model.api.cluster import Cluster, ClusterSpec
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import Memory, NodeRecord, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.setups import NodeSetup
from reconciler.model.traffic import Sections
from reconciler.nodes.proxy.reader import ProxyReader
from reconciler.services import ServiceLayer
from tests.bench.bars import Measured, at_most, p50, p99
from tests.lab.conftest import restore
from tests.node_host import CLUSTER, Host, connect, credentials_of, node_of
from tests.own_lab import own_lab
from tests.simulated import by_type, with_kinds
from tests.unit.services.test_layer import desired

SERVICES, PODS, NODES = 1000, 5, 3
HOSTS = 50
"""Over which the pods are spread; but for the first ones, they are there in name only."""
SETTLED_SECONDS = 5.0
"""After a node's first setup: it looks at its network once more, and is at rest."""
CHANGES, RELOADS, READS = 100, 5, 20

Endpoints = dict[Ref, tuple[Endpoint, ...]]


def everything() -> Iterator[Measured]:
    lab = own_lab()
    was_up = lab.is_up()
    lab.up(nodes=NODES)
    restore(lab)
    hosts = [connect(node_of(lab, index), lab) for index in range(NODES)]
    try:
        for host in hosts:
            host.found()
        world = _World(lab)
        yield from _on(hosts[0], world)
        yield from _read(lab)
        yield from _on_all(hosts, world)
    finally:
        for host in hosts:
            host.session.close()
        if was_up:
            restore(lab)
        else:
            lab.down()


def _on(host: Host, world: "_World") -> Iterator[Measured]:
    began = time.monotonic()
    first = world.setups()
    yield at_most("1,000 services × 5: everything rendered", time.monotonic() - began, 0.5, "s")
    _ensured([host], first, 120)
    reloads = []
    for number in range(RELOADS):
        world.add(f"more{number}")
        reloads.append(_ensured([host], world.setups(), 60))
    yield at_most("  another structure: checked, reloaded, read back", max(reloads), 2, "s", f" (n={RELOADS})")
    renders, waits = [], []
    for number in range(CHANGES):
        world.change(number)
        began = time.monotonic()
        after = world.setups()
        renders.append((time.monotonic() - began) * 1000)
        waits.append(_ensured([host], after, 20) * 1000)
    detail = f" (p50 {p50(renders):.1f} ms, n={CHANGES})"
    yield at_most("  one endpoint's change: rendered, p99", p99(renders), 10, "ms", detail)
    detail = f" (p50 {p50(waits):.1f} ms, n={CHANGES})"
    yield at_most("  one endpoint's change: effective on the node, no reload, p99", p99(waits), 100, "ms", detail)


def _on_all(hosts: list[Host], world: "_World") -> Iterator[Measured]:
    """A change that was observed is rendered, sent to every node, and has been read back from each."""
    _ensured(hosts, world.setups(), 120)
    time.sleep(SETTLED_SECONDS)
    waits = []
    for number in range(CHANGES, 2 * CHANGES):
        world.change(number)
        began = time.monotonic()
        _ensured(hosts, world.setups(), 20)
        waits.append((time.monotonic() - began) * 1000)
    detail = f" (p50 {p50(waits):.1f} ms, n={CHANGES})"
    name = f"  one endpoint's change: effective on all of {NODES} nodes, p99"
    yield at_most(name, p99(waits), 100, "ms", detail)


def _read(lab: Lab) -> Iterator[Measured]:
    """What a scrape costs, of each node: a look at all its services, and writing them down."""
    cluster = Cluster(ObjectMeta(CLUSTER), ClusterSpec())
    reads, writes, size = [], [], 0
    with closing(ProxyReader(node_of(lab), cluster, credentials_of(lab))) as reader:
        reader.read()
        for _ in range(READS):
            began = time.monotonic()
            told = reader.read()
            reads.append((time.monotonic() - began) * 1000)
            registry = CollectorRegistry()
            registry.register(_Node(told))
            began = time.monotonic()
            size = len(generate_latest(registry))
            writes.append((time.monotonic() - began) * 1000)
    detail = f" (p50 {p50(reads):.0f} ms, n={READS})"
    yield at_most("  statistics of a node: asked, sent, understood, p99", p99(reads), 300, "ms", detail)
    detail = f" (p50 {p50(writes):.0f} ms, {size / 2**20:.1f} MiB)"
    yield at_most("  as Prometheus' metrics, p99", p99(writes), 500, "ms", detail)


class _Node(Collector):
    def __init__(self, told: Sections) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        return traffic_families(["node-1"], {"node-1": self._told})


def _ensured(hosts: Sequence[Host], setups: Mapping[str, NodeSetup], seconds: float) -> float:
    """How many seconds it took until the last one said so."""
    began = time.monotonic()
    for host in hosts:
        host.ensure(setups[host.session.name])
    for host in hosts:
        fingerprint = setups[host.session.name].proxy.fingerprint
        host.told.wait_for(partial(_has, host, fingerprint), seconds)
    return time.monotonic() - began


def _has(host: Host, fingerprint: str) -> bool:
    return host.look().proxy.fingerprint == fingerprint


class _World:
    def __init__(self, lab: Lab) -> None:
        self._layer = ServiceLayer()
        nodes = [node_of(lab, index) for index in range(NODES)]
        self._desired = with_kinds(
            desired(), {Node: by_type(({node.metadata.name: node for node in nodes}).values())[Node]}
        )
        self._nodes = {
            node.metadata.name: NodeRecord(node.metadata.name, pod_cidr=f"10.244.{100 + index}.0/24")
            for index, node in enumerate(nodes)
        }
        self._services: dict[Ref, Service] = {}
        self._records: dict[Ref, ServiceRecord] = {}
        self._endpoints: Endpoints = {}
        for number in range(SERVICES):
            self.add(f"s{number}")

    def add(self, name: str) -> None:
        ref, n = Ref("Service", "shop", name), len(self._services)
        self._services = {
            **self._services,
            ref: Service(ObjectMeta(name, "shop"), ServiceSpec(ports=(ServicePort(80, "http"),))),
        }
        self._records = {**self._records, ref: ServiceRecord(f"10.96.{n // 200 + 1}.{n % 200 + 1}")}
        self._endpoints = {**self._endpoints, ref: tuple(_pod(n, each, 0) for each in range(PODS))}

    def change(self, number: int) -> None:
        """A pod of one service has been replaced."""
        ref = Ref("Service", "shop", f"s{number}")
        self._endpoints = {**self._endpoints, ref: (*self._endpoints[ref][1:], _pod(number, 9, number + 1))}

    def setups(self) -> Mapping[str, NodeSetup]:
        wanted = with_kinds(self._desired, {Service: self._services})
        memory = Memory(services=self._records, nodes=self._nodes)
        return self._layer.setups(wanted, memory, self._endpoints)


def _pod(service: int, each: int, turn: int) -> Endpoint:
    ip = f"10.244.{service // 50}.{service % 50 * 5 + each % 5}"
    return Endpoint(
        f"{service}-{each}-{turn}",
        f"s{service}-{each}-{turn}",
        f"node-{service % HOSTS + 1}",
        ip,
        (8080,),
        ready=True,
    )
