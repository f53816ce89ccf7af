"""What the hosts tell: a master without a memory does exactly what the one with it would do."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.api.apps import ReplicaSet
from reconciler.model.api.core.pod import Pod, is_pod_ready
from reconciler.model.api.meta import controller_of
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import Observation, Observed, ObservedContainer, Reachable
from reconciler.model.plan import Plan, PodChange, Status
from reconciler.planning import Forecast
from tests.planner import forecast
from tests.properties.test_planning_laws import ChosenWorld, check, happen, new_world, revision_of, revisions

Change = tuple[str, str, str, str, str]

quiet = st.one_of(
    st.tuples(st.just("revise"), revisions),
    st.tuples(st.just("new version"), st.sampled_from(["1.0", "2.0", "3.0"])),
    st.tuples(st.sampled_from(["crash", "vanish", "pause", "kill"]), st.integers(0, 30)),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 3.0, 11.0])),
)
stories = st.lists(st.tuples(quiet, st.integers(1, 8)), max_size=8)


class DatedWorld(ChosenWorld):
    """Its hosts have clocks, and say when each container was started."""

    starts = 0

    def carry_out(self, step: Plan) -> None:
        super().carry_out(step)
        self.real = Observed({name: self._dated(node) for name, node in self.real.nodes.items()})

    def _dated(self, node: Observation) -> Observation:
        assert isinstance(node, Reachable)
        return replace(node, clock=0.0, containers=tuple(map(self._with_date, node.containers)))

    def _with_date(self, each: ObservedContainer) -> ObservedContainer:
        if not each.started_at.startswith("~"):
            return each
        self.starts += 1
        began = datetime.fromtimestamp(int(self.now), UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return replace(each, started_at=f"{began}.{self.starts:09}Z", started=float(int(self.now)) or 0.1)


def lived(first: dict[str, object], story: Iterable[tuple[tuple[str, object], int]]) -> ChosenWorld:
    """A world with a past, at rest."""
    world = new_world(first, DatedWorld)
    world.settle()
    for number, ((kind, what), turns) in enumerate(story, start=1):
        happen(world, kind, what, number)
        for _ in range(turns):
            world.step()
            world.now += 0.5
    world.settle()
    world.now += 60.0
    world.settle()
    return world


def unnamed(changes: Iterable[PodChange]) -> list[Change]:
    """Without the names of pods, which follow from how many there were before."""
    return sorted(
        (str(one.owner or one.pod), str(one.action), one.node, one.from_node, one.reason) for one in changes
    )


def foreseen(world: ChosenWorld, memory: Memory) -> Forecast:
    return forecast(world.wanted, world.observed(), memory, world.now)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=revisions, story=stories)
def test_nothing_is_asked_of_a_world_at_rest(
    first: dict[str, object], story: list[tuple[tuple[str, object], int]]
) -> None:
    world = lived(first, story)
    known = world.memory
    world.memory = Memory()
    steps = world.settle()
    assert [(work, change) for step in steps for work in step.work for change in step.changes] == []
    assert {
        uid: (one.ref, one.node, one.ip, one.spec, one.labels, one.ended) for uid, one in known.pods.items()
    } == {
        uid: (one.ref, one.node, one.ip, one.spec, one.labels, one.ended) for uid, one in world.memory.pods.items()
    }
    assert world.memory.services == known.services
    assert world.memory.nodes.keys() == known.nodes.keys()
    for name, record in known.nodes.items():
        assert world.memory.nodes[name].pod_cidr == record.pod_cidr
    assert steps[-1].converged == foreseen(world, known).final.converged


QUIET: dict[str, object] = {
    "replicas": 3,
    "version": "1.0",
    "surge": 0,
    "unavailable": 0,
    "min_ready": 0,
    "job": "",
    "drained": "",
    **dict.fromkeys(("recreate", "paused", "several", "prepared", "probed", "exposed"), False),
}


# An address is given again, and what its pod before had listened at is no sign of the next one.
@example(
    first={**QUIET, "several": True},
    story=[
        (("revise", QUIET), 1),
        (("revise", {**QUIET, "exposed": True}), 1),
        (("new version", "1.0"), 1),
        (("revise", {**QUIET, "version": "2.0", "job": "2.0"}), 1),
    ],
    last={**QUIET, "several": True, "exposed": True, "drained": "node-002"},
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=revisions, story=stories, last=revisions)
def test_what_is_foreseen_is_the_same_but_for_names(
    first: dict[str, object], story: list[tuple[tuple[str, object], int]], last: dict[str, object]
) -> None:
    world = lived(first, story)
    there = {key: world.choice[key] for key in ("job", "several") if world.choice[key]}
    world.wanted = revision_of({**last, **there}, 1000)  # What no manifest explains any more is left alone.
    known, unknown = foreseen(world, world.memory), foreseen(world, Memory())
    assert unnamed(unknown.changes) == unnamed(known.changes)
    assert unknown.orphans == known.orphans
    assert unknown.unplaced == known.unplaced
    assert standing(unknown) == standing(known)


def standing(seen: Forecast) -> list[tuple[object, ...]]:
    """How all is in the end, but for names. A ReplicaSet without pods is history, which no host knows."""

    def of(ref: Ref, status: Status) -> tuple[object, ...]:
        if isinstance(status, Pod):
            owner = controller_of(status.metadata)
            of_whom = f"{owner.kind}/{owner.name}" if owner else str(ref)
            phase, reason = status.status.phase, status.status.reason
            return ("Pod", of_whom, status.spec.node_name, phase, is_pod_ready(status), reason)
        return ref.kind, ref.name

    known = {
        ref: status
        for ref, status in seen.final.statuses.items()
        if not isinstance(status, ReplicaSet) or status.status.replicas
    }
    return sorted((of(ref, status) for ref, status in known.items()), key=str)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=revisions, turns=st.integers(0, 12), last=revisions)
def test_in_the_middle_of_a_rollout_the_promises_hold(
    first: dict[str, object], turns: int, last: dict[str, object]
) -> None:
    world = new_world(first, DatedWorld)
    world.settle()
    world.choose({**last, "paused": False}, 1)
    for _ in range(turns):
        world.step(partial(check, world))
    world.memory = Memory()
    world.settle(look=partial(check, world))
    final = world.plan()
    assert final.converged, (final.unplaced, final.statuses)
    assert final.work == ()
