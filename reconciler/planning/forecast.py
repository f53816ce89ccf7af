"""The dry run: every step from here to the desired state, if nothing goes wrong.

It makes its decisions with the same `plan` as the real run, so what it prints is what will be applied.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed, Reachable
from reconciler.model.operations import Outcome
from reconciler.model.plan import Hold, ObjectChange, Plan, PodChange, Unschedulable
from reconciler.planning.kubelet.backoff import after_failure, after_success
from reconciler.planning.plan import plan
from reconciler.planning.simulation import SimulatedCluster
from reconciler.planning.world import Rules

MOST_STEPS = 10_000
"""Far above the steps of any rollout: more means that two rules contradict each other."""


class Forecast(Struct, frozen=True):
    changes: tuple[PodChange, ...]
    """The changes of the whole rollout, in order."""
    objects: tuple[ObjectChange, ...]
    unplaced: tuple[Unschedulable, ...]
    """The pods that fit nowhere in the end."""
    orphans: tuple[str, ...]
    hold: Hold | None
    final: Plan
    """The last step, which changes nothing."""
    steps: int


def forecast(desired: Desired, observed: Observed, memory: Memory, clock: Clock, rules: Rules) -> Forecast:
    steps = list(_steps(desired, observed, memory, clock, rules))
    first, last = steps[0], steps[-1]
    return Forecast(
        changes=tuple(change for step in steps for change in step.changes),
        objects=first.objects,
        unplaced=last.unplaced,
        orphans=first.orphans,
        hold=first.hold,
        final=last,
        steps=len(steps),
    )


def _steps(desired: Desired, observed: Observed, memory: Memory, clock: Clock, rules: Rules) -> Iterator[Plan]:
    cluster = SimulatedCluster(observed)
    for _ in range(MOST_STEPS):
        step = plan(desired, observed, memory, clock, rules)
        yield step
        if step.hold is not None:
            return
        before, memory = memory, step.memory
        for work in step.work:
            outcome = cluster.carry_out(work, step.memory.pods)
            memory = _after(memory, outcome, clock.monotonic)
        cluster.follow(step)
        after = cluster.observed()
        if after is observed and memory is before:
            if step.wake_at is None:
                return
            clock = clock.at(max(clock.monotonic, step.wake_at))
            cluster.become(_still_answering(after, clock.monotonic))
            after = cluster.observed()
        observed = after
    raise RuntimeError(f"no end after {MOST_STEPS} steps of {desired.revision}: report this with the manifests")


def _after(memory: Memory, outcome: Outcome, now: float) -> Memory:
    return after_success(memory, outcome) if outcome.failed is None else after_failure(memory, outcome, now)


def _still_answering(observed: Observed, now: float) -> Observed:
    """Time goes on, and so do the heartbeats of the nodes that answer."""
    return Observed(
        {
            name: replace(node, at=now) if isinstance(node, Reachable) else node
            for name, node in observed.nodes.items()
        }
    )
