"""What people read of a StatefulSet in the middle of a rollout: the tables, the page, and the dry run."""

from collections.abc import Callable

from reconciler.control.timestamps import with_timestamps
from reconciler.kinds import KIND_BY_NAME
from reconciler.model.api.apps import RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetUpdateStrategy
from reconciler.reporting import PlanReport, object_json, plan_text, table_lines, table_of
from reconciler.reporting.view import Context
from tests.planner import forecast
from tests.simulated import World, desired, service
from tests.stateful_sets import stateful_set

Golden = Callable[[str, str], None]
KIND = KIND_BY_NAME["StatefulSet"]
AT = 1_764_600_000.0
CANARY = StatefulSetUpdateStrategy("RollingUpdate", RollingUpdateStatefulSetStrategy(partition=2))
HEADLESS = service("db", cluster_ip="None")


def canary() -> World:
    """Three pods, of which the last one has the new template."""
    world = World(desired(stateful_set(), HEADLESS))
    world.settle()
    world.wanted = desired(stateful_set(version="2.0", update_strategy=CANARY), HEADLESS, revision="r2")
    world.settle()
    return world


def test_the_tables_and_the_page(golden: Golden) -> None:
    published = with_timestamps({}, canary().plan().statuses, AT, {})
    sets = [one for one in published.values() if isinstance(one, StatefulSet)]
    assert KIND.view is not None
    assert KIND.admission is not None
    assert KIND.view.describe is not None
    shown = []
    for wide in (False, True):
        context = Context(AT + 90, wide=wide, objects=published)
        shown += [line.text for line in table_lines(table_of(KIND.view, sets, context, namespaces=True))]
        shown.append("")
    page = KIND.view.describe(sets[0], Context(AT + 90, objects=published))
    golden("stateful-sets/get.txt", "\n".join(shown))
    golden("stateful-sets/describe.txt", "\n".join(line.text for line in page) + "\n")
    status = object_json(sets[0], KIND.names, KIND.admission.encode)["status"]
    golden("stateful-sets/status.txt", "".join(f"{field}: {value}\n" for field, value in status.items()))


def test_the_dry_run(golden: Golden) -> None:
    world = canary()
    world.wanted = desired(stateful_set(replicas=4, version="2.0"), HEADLESS, revision="r3")
    found = forecast(world.wanted, world.observed(), world.memory, world.now)
    report = PlanReport(world.wanted.revision, 3, found.objects, changes=found.changes, unplaced=found.unplaced)
    golden("stateful-sets/diff.txt", "\n".join(line.text for line in plan_text(report)) + "\n")
