"""A StatefulSet in a cluster to which everything happens: never two of one name, and its order is kept."""

from collections import Counter

import pytest

from reconciler.control.cycle import Turn
from reconciler.model.api.apps import StatefulSet
from reconciler.model.names import Ref
from reconciler.model.observed import Reachable
from reconciler.model.plan import Action
from tests.simulation import FAULTS, NAMES, Choice, Simulation, any_choice, revision, something_happens

DB = Ref("StatefulSet", "default", "db")
ALIVE = ("running", "restarting", "paused")
STEPS = 60
MET: Counter[str] = Counter()
"""What happened in all stories: a run in which it did not proves nothing about it."""


class Databases(Simulation):
    """The simulation with a StatefulSet in each of its revisions; the pods of every second story have claims."""

    def __init__(self, seed: int) -> None:
        self.claims = seed % 2
        super().__init__(seed)

    def any_choice(self) -> Choice:
        return Choice(
            any_choice(self.random),
            db=self.random.choice([1, 1, 2, 3]),
            members=self.random.choice([0, 1, 2, 3, 3, 4]),
            partition=self.random.choice([0, 0, 0, 1]),
            parallel=self.random.choice([0, 0, 1]),
            deleted=self.random.choice([0, 1]),
            claims=self.claims,
        )


def ordinal(name: str) -> int:
    return int(name.removeprefix("db-"))


def one_of_each_name(world: Simulation) -> None:
    """On all hosts together, those that do not answer, too."""
    alive = {
        (one.pod, name, one.uid)
        for name, one in world.ours()
        if one.owner == "StatefulSet/db" and one.state in ALIVE
    }
    twice = [pod for pod, count in Counter(pod for pod, _, _ in alive).items() if count > 1]
    assert not twice, sorted(alive)


def order_is_kept(world: Simulation, taken: Turn) -> None:
    """With OrderedReady one pod comes at a time, when all before it are ready; and the highest goes first."""
    wanted = world.wanted.of(StatefulSet).get(DB)
    if wanted is None or wanted.spec.pod_management_policy != "OrderedReady":
        return
    changes = [change for change in taken.plan.changes if change.owner == DB]
    come = [change.pod.name for change in changes if change.action is Action.CREATE]
    assert len(come) <= 1, come
    ready = {
        one.pod
        for name, node in world.observed().nodes.items()
        if isinstance(node, Reachable)
        for one in node.containers
        if one.owner == "StatefulSet/db" and one.state == "running" and name == one_home(world, one.uid)
    }
    for name in come:
        before = {f"db-{number}" for number in range(ordinal(name))}
        assert before <= ready, (name, ready)
        MET["one came after others"] += bool(before)
    down = [change for change in changes if change.reason.startswith("scaled down")]
    assert len(down) <= 1, down
    stay = [pod.name for pod in taken.plan.memory.pods.values() if pod.workload == DB and pod.wanted == "run"]
    for change in down:
        assert ordinal(change.pod.name) > max(map(ordinal, stay), default=-1), (change, stay)
        MET["one went before others"] += bool(stay)


def one_home(world: Simulation, uid: str) -> str:
    intent = world.memory.pods.get(uid)
    return intent.node if intent is not None else ""


def who_is_silent_waits(world: Simulation, taken: Turn) -> None:
    """What was given to a host that does not answer has no successor."""
    silent = [pod for pod in world.memory.pods.values() if pod.workload == DB and pod.node in world.cut]
    made = {change.pod.name for change in taken.plan.changes if change.action is Action.CREATE}
    known = {name for name in NAMES if name in world.wanted.nodes}
    assert not made & {pod.name for pod in silent if pod.node in known}
    MET["one was on a silent host"] += bool(silent)


def tell(seed: int) -> Databases:
    world = Databases(seed)
    for _ in range(STEPS):
        something_happens(world)
        for _ in range(world.random.choice([1, 1, 2, 4])):
            taken = world.decide()
            order_is_kept(world, taken)
            who_is_silent_waits(world, taken)
            MET["one was replaced"] += any(
                change.owner == DB and "gives way" in change.reason for change in taken.plan.changes
            )
            world.do(taken)
            one_of_each_name(world)
            world.now += 0.5
    return world


def calm(world: Databases) -> None:
    for name in list(world.cut):
        world.plug_in(name)
    world.failing.clear()
    world.lost_replies.clear()
    for happen in ("the right engines are back", "crashed containers run again", "pods are ready again"):
        FAULTS[happen][1](world)
    last = Choice({**world.choice, "replicas": 3, "few": 0, "members": 3, "db": 1, "partition": 0, "drained": -1})
    assert world.propose(revision(last, world.number + 1000))


def settle(world: Databases) -> Turn:
    for _ in range(400):
        before, memory = world.real, world.memory
        taken = world.decide()
        world.do(taken)
        one_of_each_name(world)
        FAULTS["crashed containers run again"][1](world)
        if world.real == before and world.memory is memory:
            if taken.plan.wake_at is None:
                return taken
            world.now = max(world.now, taken.plan.wake_at)
    raise AssertionError(f"it does not settle: {taken.plan.work} {taken.plan.unplaced}")


@pytest.mark.parametrize("seed", range(10))
def test_no_name_is_there_twice_and_the_order_is_kept_whatever_happens(seed: int) -> None:
    world = tell(seed)
    calm(world)
    last = settle(world)
    assert last.plan.converged, (last.plan.unplaced, last.plan.unsettled)
    names = sorted(pod.name for pod in world.memory.pods.values() if pod.workload == DB and pod.wanted == "run")
    assert names == ["db-0", "db-1", "db-2"]
    MET["it came to an end"] += 1


def test_what_is_promised_was_put_to_the_test() -> None:
    """Only after a run of all stories."""
    if MET["it came to an end"] == 10:
        assert all(
            MET[what]
            for what in (
                "one came after others",
                "one went before others",
                "one was on a silent host",
                "one was replaced",
            )
        ), MET
