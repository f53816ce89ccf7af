"""What a report tells of a plan. The command line fills it from the forecast; every form is written from it."""

from msgspec import Struct

from reconciler.model.desired import Revision
from reconciler.model.plan import Action, Hold, ObjectChange, PodChange, Unschedulable
from reconciler.model.problems import Problem
from reconciler.reporting.changes import net


class UnreachableNode(Struct, frozen=True):
    name: str
    why: str
    for_seconds: float = 0.0
    """How long already; 0 where that is not known."""


class RejectedBase(Struct, frozen=True):
    """The revision that was to be compared with, and is not acceptable itself."""

    revision: Revision
    errors: int


class PlanReport(Struct, frozen=True):
    revision: Revision
    nodes: int
    """How many the revision has."""
    objects: tuple[ObjectChange, ...] = ()
    objects_compared: bool = True
    """False: nothing tells what is in force, so `objects` is empty whatever has changed."""
    rejected_base: RejectedBase | None = None
    """Why objects are not compared; None: there is no record of the revision in force."""
    changes: tuple[PodChange, ...] = ()
    unplaced: tuple[Unschedulable, ...] = ()
    unreachable: tuple[UnreachableNode, ...] = ()
    orphans: tuple[str, ...] = ()
    hold: Hold | None = None
    warnings: tuple[Problem, ...] = ()
    """The warnings of the revision: what is accepted, and changes nothing here."""
    unserved: tuple[str, ...] = ()
    """What the service layer leaves out: `ServiceLayer.problems`."""

    @property
    def pods(self) -> tuple[PodChange, ...]:
        """The changes, each pod once and in the order of names, which is the same for the same plan."""
        return net(self.changes)

    @property
    def has_changes(self) -> bool:
        return bool(self.objects or self.changes or self.unplaced)


def not_compared_words(base: RejectedBase | None) -> str:
    if base is None:
        return "objects are not compared: there is no record of the revision in force (--state DIR, or --base REV)"
    why = f"the base, revision {base.revision}, is rejected itself ({count(base.errors, 'error')})"
    return f"objects are not compared: {why}"


class PodCounts(Struct, frozen=True):
    """Pods, each counted once: a move is a change, not a creation and a deletion."""

    create: int
    change: int
    """Restarted or moved."""
    delete: int
    forget: int
    """Left behind on nodes that are not in the revision."""
    nodes: int
    """Where any of these happen, on either side of a move."""


def counts(report: PlanReport) -> PodCounts:
    pods = report.pods
    actions = [change.action for change in pods]
    create, delete, forget = (actions.count(one) for one in (Action.CREATE, Action.DELETE, Action.FORGET))
    touched = {node for change in pods for node in (change.node, change.from_node) if node}
    return PodCounts(create, len(actions) - create - delete - forget, delete, forget, len(touched))


def summary(report: PlanReport) -> str:
    """The last line of the text, and the first of the comment."""
    if report.hold is not None:
        return f"Held: nothing of revision {report.revision} is applied until it is confirmed."
    if not report.has_changes and report.unreachable:
        return f"No changes on the nodes that answer; {len(report.unreachable)} of {report.nodes} cannot be seen."
    if not report.has_changes:
        return f"No changes. Everything is as revision {report.revision} asks."
    pods = counts(report)
    waiting = sum(unplaced.count for unplaced in report.unplaced)
    fits = f" {waiting} {'fits' if waiting == 1 else 'fit'} nowhere now." if waiting else ""
    if not report.changes:
        objects = count(len(report.objects), "object")
        differ = f"{objects} to change, no pod is touched." if report.objects else "no pod is touched."
        return f"Plan: {differ}{fits}"
    left = f" {count(pods.forget, 'pod')} left behind." if pods.forget else ""
    return (
        f"Plan: {pods.create} to create, {pods.change} to change, {pods.delete} to delete "
        f"on {count(pods.nodes, 'node')}.{left}{fits}"
    )


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
