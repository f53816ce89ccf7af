"""Bars of the scheduler: pods a second on 5,000 nodes, in CPU time of one core."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from reconciler.control.heap import expect_to_stay
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import Memory, NodeRecord, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Action
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.cycle import Placement, place
from reconciler.planning.scheduling.node_info import snapshot_of
from reconciler.planning.state.nodes import NodeView
from tests.bench.bars import Measured, at_least, at_most
from tests.simulated import container, desired, host, node

NODES = 5_000


def everything() -> Iterator[Measured]:
    """The collector is told what the control loop tells it."""
    nodes = _nodes()
    expect_to_stay()
    yield _rate(
        f"placing 100,000 pods, {NODES:,} nodes, templates of 10, CPU", nodes, _templates(10_000, 10, 1), 50_000
    )
    yield _rate(
        "the same with 200 different requests, 20,000 pods, CPU", nodes, _templates(2_000, 10, 200), 20_000
    )
    large = _templates(1, 20_000, 1)
    yield _rate("spread of one template over all nodes, 20,000 pods, CPU", nodes, large, 10_000)
    yield _rate("the same on nodes of 500 different sizes, CPU", _nodes(sizes=500), large, 10_000)
    yield from _next_turn(nodes)


def _nodes(sizes: int = 1) -> dict[str, NodeView]:
    views = {}
    for number in range(NODES):
        name = f"node-{number:04}"
        seen = host(name, cpus=64)
        seen = replace(seen, facts=replace(seen.facts, memory_bytes=256 * 1024**3 - number % sizes))
        cidr = f"10.{number // 256}.{number % 256}.0/24"
        views[name] = NodeView(name, node(name), NodeRecord(name, f"engine-{name}", cidr), seen, seen, None, False)
    return views


def _templates(count: int, replicas: int, requests: int) -> list[PodToCreate]:
    specs = [PodSpec((container(cpu=f"{10 + number}m"),)) for number in range(requests)]
    wanted: list[PodToCreate] = []
    for number in range(count):
        owner = Ref("Deployment", "default", f"web-{number:05}")
        spec = specs[number % requests]
        wanted += [PodToCreate(owner, "0123456789", spec, {"app": owner.name}, Action.CREATE, "bench")] * replicas
    return wanted


def _rate(what: str, nodes: Mapping[str, NodeView], wanted: list[PodToCreate], limit: float) -> Measured:
    """The best of three: what else runs on the machine only ever adds to it."""
    return at_least(
        what, len(wanted) / min(_seconds(lambda: _place(nodes, wanted)) for _ in range(3)), limit, "pods/s"
    )


def _place(nodes: Mapping[str, NodeView], wanted: list[PodToCreate]) -> Placement:
    placement = place(desired(nodes=1), wanted, snapshot_of(nodes, {}), Memory(), {})
    assert len(placement.placed) == len(wanted)
    return placement


def _next_turn(nodes: Mapping[str, NodeView]) -> Iterator[Measured]:
    """One pod more in a cluster of 150,000, where the caller has kept the snapshot of the turn before."""
    placed = _place(nodes, _templates(15_000, 10, 1)).placed
    pods: dict[Uid, PodIntent] = {one.intent.uid: one.intent for one in placed}
    kept = snapshot_of(nodes, pods)
    one = _templates(1, 1, 1)

    def turn() -> None:
        seen = {name: replace(view) for name, view in nodes.items()}
        place(desired(nodes=1), one, snapshot_of(seen, pods, before=kept), Memory(), {})

    least = min(_seconds(turn) for _ in range(5)) * 1000
    yield at_most(f"one pod more, {NODES:,} nodes and {len(pods):,} pods, snapshot kept, CPU", least, 100, "ms")


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began
