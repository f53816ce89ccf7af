"""The planner's laws, over stories of revisions and faults: nothing bad happens, and in the end all is well."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.kinds.apps.rollout import fenceposts_of
from reconciler.model.api.apps import Deployment, DeploymentStrategy, RollingUpdateDeployment
from reconciler.model.api.core.container import Container, ContainerPort, Probe, TCPSocketAction
from reconciler.model.api.core.node import Node, NodeSpec, Taint
from reconciler.model.api.meta import Object
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import ObservedContainer, Probed, Reachable
from reconciler.model.operations import CreateContainer, PodWork, RemoveContainer, StartContainer, StopContainers
from reconciler.model.plan import Action, Plan
from reconciler.model.resource_requests import requests_of
from tests.planner import forecast, plan
from tests.simulated import PLAIN_NODE, World, container, deployment, desired, node, pod, service

NODES = 3
WEB = Ref("Deployment", "default", "web")
SEVERAL = (container("app"), container("other", "lab/web:2.0"))
PROBE = Probe(tcp_socket=TCPSocketAction("http"))
PREPARATION = (
    container("first"),
    container("mesh", restart_policy="Always", startup_probe=PROBE),
    container("log", restart_policy="Always"),
    container("second"),
)
DRAINED = NodeSpec(taints=(Taint("maintenance", effect="NoExecute"),))
INITS, SIDECARS, MAINS = ("first", "second"), ("mesh", "log"), ("app", "other")

revisions = st.fixed_dictionaries(
    {
        "replicas": st.sampled_from([3, 0, 1, 2, 4, 5, 6]),
        "version": st.sampled_from(["1.0", "2.0", "3.0"]),
        "surge": st.integers(0, 2),
        "unavailable": st.integers(0, 2),
        "recreate": st.booleans(),
        "paused": st.booleans(),
        "min_ready": st.sampled_from([0, 5]),
        "job": st.sampled_from(["", "1.0", "2.0"]),
        "several": st.booleans(),
        "prepared": st.booleans(),
        "probed": st.booleans(),
        "exposed": st.booleans(),
        "drained": st.sampled_from(["", "node-000", "node-002"]),
    }
)


class ChosenWorld(World):
    """Knows what its revision was made from."""

    choice: dict[str, object]

    def choose(self, choice: dict[str, object], number: int) -> None:
        self.choice = choice
        self.wanted = revision_of(choice, number)


def revision_of(choice: dict[str, object], number: int) -> Desired:
    rolling = RollingUpdateDeployment(choice["surge"], choice["unavailable"])  # type: ignore[arg-type]
    objects: list[Object] = [
        deployment(
            "web",
            replicas=choice["replicas"],  # type: ignore[arg-type]
            containers=(_web(str(choice["version"]), PROBE if choice["probed"] else None),),
            strategy=DeploymentStrategy("Recreate" if choice["recreate"] else "RollingUpdate", rolling),
            paused=choice["paused"],
            min_ready_seconds=choice["min_ready"],
        )
    ]
    if choice["job"]:
        objects.append(pod("job", (container(image=f"lab/web:{choice['job']}"),)))
    if choice["several"]:
        inits = PREPARATION if choice["prepared"] else ()
        objects.append(deployment("api", replicas=2, containers=SEVERAL, init_containers=inits))
    if choice["exposed"]:
        objects.append(service("web"))
    names = [f"node-{index:03}" for index in range(NODES)]
    hosts = [node(name, DRAINED if name == choice["drained"] else PLAIN_NODE) for name in names]
    return desired(*objects, revision=f"r{number}", nodes=hosts)


def _web(version: str, probe: Probe | None) -> Container:
    """Large enough that nodes fill up once one is lost."""
    return container(
        image=f"lab/web:{version}", cpu="2", ports=(ContainerPort(8080, "http"),), readiness_probe=probe
    )


nodes = st.integers(0, NODES - 1).map(lambda number: f"node-{number:03}")
events = st.one_of(
    st.tuples(st.just("revise"), revisions),
    st.tuples(st.just("new version"), st.sampled_from(["1.0", "2.0", "3.0"])),
    st.tuples(st.just("cut"), nodes),
    st.tuples(st.just("heal"), nodes),
    st.tuples(st.sampled_from(["crash", "vanish", "pause", "kill", "unready"]), st.integers(0, 30)),
    st.tuples(st.just("fail"), st.tuples(nodes, st.integers(0, 3))),
    st.tuples(st.sampled_from(["restart", "lose store"]), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 3.0, 11.0])),
)


def happen(world: ChosenWorld, kind: str, what: object, number: int) -> None:
    match kind, what:
        case "revise", dict():
            world.choose(what, number)
        case "new version", str():
            world.choose({**world.choice, "version": what, "job": what if what != "3.0" else ""}, number)
        case "cut", str():
            world.unplug(what)
        case "heal", str():
            world.plug_in(what)
        case (("crash" | "vanish" | "pause" | "kill" | "unready"), int()):
            ours = sorted(each.name for each in world.containers() if each.name.startswith("lab_"))
            if ours:
                world.change(_ACCIDENTS[kind], container=ours[what % len(ours)])
        case "fail", (str(name), int(after)):
            world.failing[name] = after
        case "restart", _:
            world.forget_volatile()
        case "lose store", _ if not world.cut:
            world.memory = Memory()
        case "wait", float():
            world.now += what


_ACCIDENTS: dict[str, Callable[[ObservedContainer], ObservedContainer | None]] = {
    "crash": lambda each: replace(each, state="restarting", restart_count=each.restart_count + 1, exit_code=1),
    "vanish": lambda each: None,
    "pause": lambda each: replace(each, state="paused"),
    "kill": lambda each: replace(each, state="exited", exit_code=137),
    "unready": lambda each: replace(each, probed=Probed(started=True)) if each.probed else each,
}


def check(world: World, step: Plan) -> None:
    assert step == world.plan(), "the same inputs give the same plan"
    _nothing_is_asked_of_a_silent_node(world, step)
    _only_our_own_names_are_used(world, step)
    _no_address_and_no_name_is_given_twice(step)
    _rollouts_keep_their_promise(world, step)
    _every_pod_that_goes_has_a_reason(step)
    _no_node_is_overcommitted(step)
    _a_bare_pod_waits_for_the_one_before(world, step)
    _init_containers_come_first_and_in_order(world, step)
    _sidecars_outlive_what_they_serve(world, step)
    _a_crashed_container_waits_for_its_time(world, step)


def _nothing_is_asked_of_a_silent_node(world: World, step: Plan) -> None:
    assert not {work.node for work in step.work} & set(world.cut)
    assert len({work.uid for work in step.work}) == len(step.work)


def _only_our_own_names_are_used(world: World, step: Plan) -> None:
    for work in step.work:
        for operation in work.operations:
            if not isinstance(operation, CreateContainer | StartContainer | RemoveContainer):
                continue
            name = operation.config.name if isinstance(operation, CreateContainer) else operation.container
            assert name.startswith(f"lab_{work.pod.namespace}_{work.pod.name}_")
            assert name.endswith(work.uid[:8])


def _no_address_and_no_name_is_given_twice(step: Plan) -> None:
    addresses = Counter(intent.ip for intent in step.memory.pods.values())
    assert max(addresses.values(), default=1) == 1
    names = Counter(intent.ref for intent in step.memory.pods.values() if intent.wanted == "run")
    assert max(names.values(), default=1) == 1


def _rollouts_keep_their_promise(world: World, step: Plan) -> None:
    spec = world.wanted.of(Deployment)[WEB].spec
    limits = fenceposts_of(world.wanted.of(Deployment)[WEB])
    if spec.strategy.type == "Recreate":
        return
    running = _ready_uids(world, step)
    before = {uid for uid, each in world.memory.pods.items() if each.owner == WEB and each.wanted == "run"}
    created = {change.uid for change in step.changes}
    adopted = [
        each for uid, each in step.memory.pods.items() if uid not in world.memory.pods and uid not in created
    ]
    before |= {each.uid for each in adopted if each.owner == WEB}
    after = {uid for uid, each in step.memory.pods.items() if each.owner == WEB and each.wanted == "run"}
    floor = spec.replicas - limits.unavailable
    assert len(after & running) >= min(len(before & running), floor)
    assert len(after) <= spec.replicas + limits.surge, "also when fewer are wanted than there are"


def _ready_uids(world: World, step: Plan) -> set[str]:
    """Of single-container pods: what runs on nodes that answer, and whose probe, if any, succeeds."""
    seen = [node for node in world.observed().nodes.values() if isinstance(node, Reachable)]
    running = [each for node in seen for each in node.containers if each.state == "running"]
    return {each.uid for each in running if each.probed is None or each.probed.ready}


def _every_pod_that_goes_has_a_reason(step: Plan) -> None:
    assert all(change.reason for change in step.changes)


def _no_node_is_overcommitted(step: Plan) -> None:
    for each in (one for one in step.statuses.values() if isinstance(one, Node) and one.status.capacity):
        pods = [one for one in step.memory.pods.values() if one.node == each.metadata.name and one.spec]
        requested = sum(requests_of(one.spec).cpu_milli for one in pods if one.spec)
        assert requested <= each.status.capacity["cpu"].milli


def _a_bare_pod_waits_for_the_one_before(world: World, step: Plan) -> None:
    there = {each.uid for each in world.containers() if each.pod == "job"}
    assert all(there <= {work.uid} for work in step.work if work.pod.name == "job" and not _ends(work))


def _ends(work: PodWork) -> bool:
    return isinstance(work.operations[-1], RemoveContainer)


def _init_containers_come_first_and_in_order(world: World, step: Plan) -> None:
    """Of the pods that are prepared: judged by what is on the host, and by what the work before has changed."""
    for work in step.work:
        spec = step.memory.pods[work.uid].spec if work.uid in step.memory.pods else None
        if spec is None or not spec.init_containers:
            continue
        parts = {each.container: each for each in world.containers() if each.uid == work.uid}
        sandbox = parts.get("POD")
        mains_ran = any(_is_of(sandbox, parts.get(name)) for name in MAINS)
        done = [name for name in INITS if _is_of(sandbox, parts.get(name)) and parts[name].exit_code == 0]
        begun = [name for name in SIDECARS if _is_of(sandbox, parts.get(name))]
        started = [each.container.split("_")[3] for each in work.operations if isinstance(each, StartContainer)]
        if "POD" in started:
            mains_ran, done, begun = False, [], []
        if not mains_ran:
            assert not set(started) & set(MAINS) or done == list(INITS), (started, done)
            assert "second" not in started or ("first" in done and {*begun, *started} >= set(SIDECARS))
            assert "mesh" not in started or "first" in done


def _is_of(sandbox: ObservedContainer | None, part: ObservedContainer | None) -> bool:
    """It has been started since its sandbox was."""
    alive = sandbox is not None and sandbox.state in ("running", "restarting", "paused")
    begun = part is not None and part.state not in ("created", "removing")
    return alive and begun and (part.started_at >= sandbox.started_at)  # type: ignore[union-attr]


def _sidecars_outlive_what_they_serve(world: World, step: Plan) -> None:
    for work in step.work:
        intent = step.memory.pods.get(work.uid)
        if intent is None or intent.wanted == "run":
            continue
        groups = [
            {stop.container.split("_")[3] for stop in each.containers}
            for each in work.operations
            if isinstance(each, StopContainers)
        ]
        order = [name for group in groups for name in sorted(group)]
        expected = [name for name in (*MAINS, "first", "second", "log", "mesh", "POD") if name in order]
        known = [name for name in order if name in expected]
        if intent.spec and intent.spec.init_containers:
            assert sorted(known, key=lambda name: _turn(name)) == known, order


def _turn(name: str) -> int:
    """When a container of a prepared pod is stopped: the main ones, the sidecars in reverse, the sandbox."""
    return {"log": 1, "mesh": 2, "POD": 3}.get(name, 0)


def _a_crashed_container_waits_for_its_time(world: World, step: Plan) -> None:
    for work in step.work:
        held = step.memory.crashes.get(work.uid, {})
        stopped = {
            stop.container
            for each in work.operations
            if isinstance(each, StopContainers)
            for stop in each.containers
        }
        made = {each.config.name for each in work.operations if isinstance(each, CreateContainer)}
        for each in work.operations:
            if isinstance(each, StartContainer) and each.container not in stopped | made:
                crash = held.get(each.container.split("_")[3])
                assert crash is None or crash.not_before <= world.now


def _nothing_runs_twice(world: World) -> None:
    alive = [each for each in world.containers() if each.state in ("running", "restarting", "paused")]
    assert max(Counter((each.uid, each.container) for each in alive).values(), default=1) == 1
    assert sum(each.pod == "job" for each in alive) <= 1


FOREIGN = ObservedContainer("f", "someone-elses", "postgres", "running", cluster="other", uid="x")
LOOK_ALIKE = ObservedContainer(
    "l", "my-debug-copy", "lab/web:1.0", "running", "lab", "default", "web-1", "u-1", "app", "Deployment/web", "h"
)


def new_world(choice: dict[str, object], kind: type[ChosenWorld] = ChosenWorld) -> ChosenWorld:
    world = kind(revision_of(choice, 0))
    world.choice = choice
    first = world.real.nodes["node-000"]
    assert isinstance(first, Reachable)
    with_others = replace(first, containers=(FOREIGN, LOOK_ALIKE))
    world.real = replace(world.real, nodes={**world.real.nodes, "node-000": with_others})
    return world


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    first=revisions,
    settled=st.booleans(),
    story=st.lists(st.tuples(events, st.integers(1, 8)), max_size=12),
    last=revisions,
)
def test_whatever_happens_the_promises_hold_and_when_it_stops_all_is_as_wanted(
    first: dict[str, object], settled: bool, story: list[tuple[tuple[str, object], int]], last: dict[str, object]
) -> None:
    world = new_world(first)
    if settled:
        world.settle()
    for number, ((kind, what), turns) in enumerate(story, start=1):
        happen(world, kind, what, number)
        for _ in range(turns):
            check(world, world.plan())
            world.step()
            world.now += 0.5
            _nothing_runs_twice(world)
    world.cut.clear()
    world.failing.clear()
    world.wanted = revision_of({**last, "paused": False}, 1000)
    _repair_crash_loops(world)
    steps = world.settle(look=partial(check, world))
    final = world.plan()
    assert final.converged, (final.unplaced, final.statuses)
    assert last["drained"] not in {each.node for each in world.memory.pods.values()}
    assert final.work == ()
    assert final.changes == ()
    assert final.memory is world.memory, "nothing is written where nothing changes"
    assert {FOREIGN, LOOK_ALIKE} <= set(world.containers())
    wanted = world.wanted.of(Deployment)[WEB].spec.replicas
    assert sum(each.owner == "Deployment/web" for each in world.containers()) == wanted + 1, "and the look-alike"
    assert len(steps) < 400


def _repair_crash_loops(world: World) -> None:
    for each in world.containers():
        if each.state == "restarting":
            world.change(lambda one: replace(one, state="running"), container=each.name)
        if each.probed is not None:
            world.change(lambda one: replace(one, probed=Probed(True, True)), container=each.name)


@settings(max_examples=25, deadline=None)
@given(first=revisions, second=revisions)
def test_a_plan_printed_equals_the_plan_applied(first: dict[str, object], second: dict[str, object]) -> None:
    world = new_world(first)
    world.settle()
    world.wanted = revision_of(second, 1)
    expected = forecast(world.wanted, world.observed(), world.memory, world.now)
    real = [change for step in world.settle(look=partial(check, world)) for change in step.changes]
    assert list(expected.changes) == real
    assert expected.objects == () or expected.final.converged or second["paused"]


@settings(max_examples=25, deadline=None)
@given(first=revisions)
def test_a_new_master_with_an_empty_store_adopts_everything_and_changes_nothing(first: dict[str, object]) -> None:
    world = new_world(first)
    world.settle()
    running = sorted(each.id for each in world.containers())
    world.memory = Memory()
    steps = world.settle()
    assert [work for step in steps for work in step.work] == []
    assert sorted(each.id for each in world.containers()) == running


@settings(max_examples=25, deadline=None)
@given(first=revisions, seconds=st.floats(0, 1e6))
def test_time_alone_never_deletes(first: dict[str, object], seconds: float) -> None:
    world = new_world(first)
    world.settle()
    step = plan(world.wanted, world.observed(), world.memory, world.now + seconds)
    assert [change for change in step.changes if change.action is not Action.CREATE] == []
    assert step.work == ()
