"""The revision history of a Deployment: which templates are remembered, and how they are counted."""

import sqlite3
from pathlib import Path

from msgspec.structs import replace

from reconciler.model.api.meta import Object
from reconciler.model.memory import Memory, PodIntent, TemplateRevision
from reconciler.model.names import Ref
from reconciler.store.sqlite import SqliteStore
from tests.planner import plan
from tests.simulated import World, deployment, desired, pod, service

WEB = Ref("Deployment", "default", "web")
FIXTURES = Path(__file__).parents[2] / "unit/store"


def revisions(memory: Memory) -> dict[int, str]:
    """The image of each template that is remembered, by its number."""
    return {one.number: image_of(one) for one in memory.template_revisions.get(WEB, ())}


def image_of(one: TemplateRevision) -> str:
    assert one.spec is not None
    return one.spec.containers[0].image.removeprefix("lab/web:")


def revise(world: World, version: str, **more: object) -> None:
    number = len(world.wanted.revision.id)
    world.wanted = desired(deployment(version=version, **more), revision="r" * (number + 1))  # type: ignore[arg-type]


def rolled_out(*versions: str, **more: object) -> World:
    world = World(desired())
    for version in versions:
        revise(world, version, **more)
        world.settle()
    return world


def test_a_template_has_the_next_number_and_the_one_before_is_kept() -> None:
    assert revisions(rolled_out("1.0").memory) == {1: "1.0"}
    assert revisions(rolled_out("1.0", "2.0").memory) == {1: "1.0", 2: "2.0"}


def test_a_template_that_returns_gets_a_new_number_and_is_remembered_once() -> None:
    assert revisions(rolled_out("1.0", "2.0", "1.0").memory) == {2: "2.0", 3: "1.0"}


def test_a_change_that_makes_no_new_pods_is_no_revision() -> None:
    world = rolled_out("1.0")
    before = world.memory.template_revisions
    revise(world, "1.0", replicas=5)
    world.settle()
    assert world.memory.template_revisions is before


def test_the_oldest_go_once_a_rollout_has_ended() -> None:
    assert len(revisions(rolled_out(*(f"{number}.0" for number in range(14))).memory)) == 11
    world = rolled_out("1.0", "2.0", "3.0", revision_history_limit=1)
    assert revisions(world.memory) == {2: "2.0", 3: "3.0"}
    revise(world, "4.0", revision_history_limit=0)
    world.step()
    assert revisions(world.memory) == {2: "2.0", 3: "3.0", 4: "4.0"}
    world.settle()
    assert revisions(world.memory) == {4: "4.0"}


def test_a_template_is_no_revision_while_the_deployment_is_paused() -> None:
    world = rolled_out("1.0")
    revise(world, "2.0", paused=True)
    world.settle()
    assert revisions(world.memory) == {1: "1.0"}
    revise(world, "2.0")
    world.settle()
    assert revisions(world.memory) == {1: "1.0", 2: "2.0"}


def test_of_a_deployment_that_goes_the_templates_stay_as_long_as_their_pods() -> None:
    world = rolled_out("1.0", "2.0")
    world.wanted = desired(revision="gone")
    world.step()
    assert world.memory.pods
    assert revisions(world.memory) == {2: "2.0"}
    world.settle()
    assert not world.memory.pods
    assert not world.memory.template_revisions


def test_without_a_memory_the_templates_of_pods_that_are_found_come_first() -> None:
    world = rolled_out("1.0")
    revise(world, "2.0")
    for _ in range(4):
        world.step()
    assert len({one.hash for one in world.memory.pods.values()}) == 2
    world.memory = Memory()
    world.step()
    assert revisions(world.memory) == {1: "1.0", 2: "2.0"}


def _without_labels(memory: Memory) -> list[PodIntent]:
    """The version before gave pods no label with their template's hash."""
    return [replace(memory.pods[uid], labels={}) for uid in sorted(memory.pods)]


def _of_the_version_before() -> World:
    """The cluster that `version-4.sql` is a dump of, in the middle of a rollout."""
    others: list[Object] = [deployment("api", 2), service(), pod("job")]
    world = World(desired(deployment(replicas=4), *others))
    world.settle()
    world.wanted = desired(deployment(replicas=4, version="2.0"), *others, revision="r2")
    world.step()
    return world


def test_a_state_of_the_version_before_gets_its_revisions_from_its_pods(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir(0o700)
    with sqlite3.connect(directory / "state.db") as connection:
        connection.executescript((FIXTURES / "version-4.sql").read_text())
    connection.close()
    world = _of_the_version_before()
    with SqliteStore(directory) as store:
        memory = store.load()
        assert _without_labels(memory) == _without_labels(world.memory)
        world.memory = replace(world.memory, template_revisions={})
        volatile = {part: getattr(world.memory, part) for part in ("ready_since", "leaving", "crashes", "started")}
        made = plan(world.wanted, world.observed(), replace(memory, **volatile), world.now)
        expected = world.plan()
        assert (made.work, made.changes) == (expected.work, expected.changes)
        assert revisions(made.memory) == {1: "1.0", 2: "2.0"}
        assert {ref: [one.hash for one in own] for ref, own in made.memory.template_revisions.items()} == {
            ref: [one.hash for one in own] for ref, own in expected.memory.template_revisions.items()
        }
        store.save(made.memory)
    with SqliteStore(directory) as store:
        assert store.load().template_revisions == made.memory.template_revisions
