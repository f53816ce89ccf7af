"""Bars of the control loop as the cluster grows: what a turn costs follows what changed, not how much there is.

The whole turn is measured, in CPU time of the loop's own process: observing, planning, the service layer, the
store, statuses, events. `RECONCILER_BENCH_SIZES=1000,150000` chooses sizes (in pods); without it the largest,
which takes minutes and gigabytes, is left out. Each size has a process of its own, and so its own peak memory.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

from msgspec.structs import replace

from reconciler.control.fleet import Fleet
from reconciler.control.inbox import Inbox, NodeObserved, SourceRead, WorkFinished
from reconciler.control.leadership import Candidate
from reconciler.control.loop import Loop
from reconciler.model.api.apps import Deployment
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.desired import Desired, Rejected, SourceSnapshot
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import ObservedContainer
from reconciler.model.operations import PodWork
from reconciler.model.records import Event
from reconciler.store.sqlite import SqliteStore
from tests.bench.bars import Measured, at_most
from tests.bench.settled import PODS_EACH, Settled, edited, settled
from tests.bench.simulated_hosts import SimulatedSession
from tests.fake_issuer import FakeIssuer
from tests.planner import RULES, forecast
from tests.simulated import deployment, desired, hosts, service

NODES = {1_000: 100, 10_000: 300, 30_000: 1_000, 150_000: 5_000}
"""By pods."""
SIZES = "RECONCILER_BENCH_SIZES"
USUAL = (1_000, 10_000, 30_000)
ROLLED_OUT, ROLLED_OUT_MORE = 1_000, 10_000
CREATED = 2_000
_ROUNDS = 7
Figures = Mapping[str, float]


class Quiet:
    """A narrator to whom nothing is worth saying."""

    def tell(self, event: Event) -> None: ...

    def progress(self, turn: object) -> None: ...


class Bench:
    """A control loop over simulated hosts and a real store, one turn at a time."""

    def __init__(self, world: Settled, directory: Path) -> None:
        self.desired = world.desired
        self.cpu = 0.0
        """Of the loop since it was made, in seconds."""
        self.turns = 0
        with SqliteStore(directory) as store:
            store.save(world.memory)
        self.inbox = Inbox()
        self.hosts = {
            name: SimulatedSession(name, host, self.inbox.observed) for name, host in world.hosts.items()
        }
        began = time.process_time()
        self.store = SqliteStore(directory)
        self.loop = Loop(
            inbox=self.inbox,
            load=_no_kept_revision,
            fleet=Fleet(self._connect),
            store=self.store,
            issuer=FakeIssuer(),
            narrator=Quiet(),
            rules=RULES,
            candidate=Candidate(self.store.identity, "bench"),
        )
        self.cpu += time.process_time() - began

    def read(self, wanted: Desired) -> None:
        self.inbox.put(SourceRead(wanted, SourceSnapshot(wanted.revision, ())))

    def turn(self) -> float:
        """CPU seconds of one turn; hosts keep up after it."""
        began = time.process_time()
        self.loop.run(_once)
        took = time.process_time() - began
        self.cpu += took
        self.turns += 1
        for host in self.hosts.values():
            host.keep_up()
        return took

    def settle(self, works_per_wake: int = 1_000_000) -> int:
        """Turns until nothing is left to do; so many works end between two of them. How many works there were."""
        ended = 0
        waiting: list[PodWork] = []
        while True:
            self.turn()
            for host in self.hosts.values():
                if host.submitted:
                    waiting += host.submitted
                    host.submitted.clear()
            for work in waiting[:works_per_wake]:
                outcome = self.hosts[work.node].finish(work)
                self.inbox.put(WorkFinished(work.node, outcome))
                ended += 1
            del waiting[:works_per_wake]
            if not waiting and self.loop.converged:
                return ended
            self._let_time_pass()

    def close(self) -> None:
        self.store.close()

    def _let_time_pass(self) -> None:
        """Nothing is under way, and the plan waits for a moment to come: so do we."""
        turn = self.loop.turn
        if turn is not None and turn.plan.wake_at is not None and not turn.work:
            time.sleep(min(0.05, max(0.0, turn.plan.wake_at - time.monotonic())))

    def _connect(self, node: Node, cluster: Cluster, engine_id: str) -> SimulatedSession:
        self.inbox.put(NodeObserved(node.metadata.name))
        return self.hosts[node.metadata.name]


def _once(loop: Loop) -> bool:
    return True


def _no_kept_revision(snapshot: SourceSnapshot) -> Desired | Rejected:
    raise AssertionError("the revision comes from the source")


def turns_of(nodes: int, pods: int) -> Figures:
    """Milliseconds of CPU, and megabytes."""
    world = settled(nodes, pods)
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as directory:
        bench = Bench(world, Path(directory))
        bench.read(world.desired)
        del world
        while bench.loop.turn is None:
            bench.turn()
        cold = bench.cpu
        bench.settle()
        idle = [bench.turn() for _ in range(_ROUNDS)]
        beats = []
        for number in range(_ROUNDS):
            for host in bench.hosts.values():
                host.beat(float(number + 1))
            beats.append(bench.turn())
        died = []
        for number in range(_ROUNDS):
            host = bench.hosts[f"node-{7 * number:03}"]
            host.change(number % 3, _died)
            died.append(bench.turn())
            bench.settle()
        edits = []
        for number in range(_ROUNDS):
            ref = Ref("Deployment", "default", f"web-{11 * number:05}")
            bench.desired = edited(bench.desired, [ref], f"r{number + 2}", "2.0")
            bench.read(bench.desired)
            edits.append(bench.turn())
            bench.settle()
        bench.close()
    return {
        "cold": cold * 1000,
        "idle": median(idle) * 1000,
        "beats": median(beats) * 1000,
        "died": median(died) * 1000,
        "edited": median(edits) * 1000,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def rollout_of(pods: int, works_per_wake: int) -> Figures:
    """Every pod of a cluster made anew, with so many ends of work between two turns."""
    world = settled(100, pods)
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as directory:
        bench = Bench(world, Path(directory))
        bench.read(world.desired)
        bench.settle()
        before, turns = bench.cpu, bench.turns
        bench.read(edited(world.desired, list(world.desired.of(Deployment)), "r2", "2.0"))
        works = bench.settle(works_per_wake)
        assert works >= 2 * pods
        bench.close()
    return {"cpu": bench.cpu - before, "turns": bench.turns - turns}


def creation_of(pods: int) -> Figures:
    """`diff` of a revision whose pods are all new."""
    names = [f"web-{number:05}" for number in range(pods // PODS_EACH)]
    objects = [each for name in names for each in (deployment(name, PODS_EACH), service(name))]
    wanted = desired(*objects, nodes=200)
    took = []
    for _ in range(3):
        gc.collect()
        began = time.process_time()
        found = forecast(wanted, hosts(wanted), Memory(), 0.0)
        took.append(time.process_time() - began)
        assert len(found.changes) == pods
    return {"cpu": median(took)}


def _died(container: ObservedContainer) -> ObservedContainer:
    return replace(container, state="exited", exit_code=1)


# --- as a part of the benchmark ----------------------------------------------------------------------------------

_MEASURES: Mapping[str, Callable[..., Figures]] = {
    "turns": turns_of,
    "rollout": rollout_of,
    "creation": creation_of,
}


def everything() -> Iterator[Measured]:
    for pods in _sizes():
        nodes = NODES[pods]
        found = _in_own_process("turns", nodes, pods)
        size = f"{nodes:,} nodes and {pods:,} pods"
        share = pods / max(NODES)
        yield at_most(f"no-op turn of the loop, {size}, CPU", found["idle"], max(2.0, 20 * share), "ms")
        yield at_most(f"… every heartbeat new, {size}", found["beats"], max(2.0, 25 * share), "ms")
        yield at_most(f"… one container died, {size}", found["died"], max(8.0, 40 * share), "ms")
        yield at_most(
            f"… one Deployment of {PODS_EACH} edited, {size}", found["edited"], max(40.0, 100 * share), "ms"
        )
        yield at_most(f"cold start, {size}", found["cold"], max(400.0, 6000 * share), "ms")
        yield at_most(f"peak memory, {size}", found["memory"], 120 + 1100 * share, "MB")
    for works in (10, 1):
        few = _in_own_process("rollout", ROLLED_OUT, works)["cpu"]
        many = _in_own_process("rollout", ROLLED_OUT_MORE, works)["cpu"]
        what = f"a rollout of {ROLLED_OUT_MORE:,} pods, {works} end(s) of work per turn, by one of {ROLLED_OUT:,}"
        yield at_most(what, many / few, 30, "times", f" ({few:.2f} s, {many:.2f} s)")
    yield at_most(f"diff that creates {CREATED:,} pods", _in_own_process("creation", CREATED)["cpu"], 0.6, "s")


def _sizes() -> list[int]:
    chosen = os.environ.get(SIZES, "")
    return [int(each) for each in chosen.split(",")] if chosen else list(USUAL)


def _in_own_process(measure: str, *arguments: int) -> Figures:
    command = [sys.executable, "-m", "tests.bench.scale", measure, *map(str, arguments)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = json.loads(said)
    return figures


if __name__ == "__main__":
    print(json.dumps(_MEASURES[sys.argv[1]](*map(int, sys.argv[2:]))))
