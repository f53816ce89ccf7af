"""How a pod of several containers starts: init containers in order, sidecars, the others; and how it leaves."""

from collections.abc import Callable

from msgspec.structs import replace

from reconciler.model.api.core.config import ConfigMap
from reconciler.model.api.core.container import (
    Container,
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from reconciler.model.api.core.pod import Pod, PodStatus, is_pod_ready
from reconciler.model.api.core.volume import ConfigMapVolumeSource, EmptyDirVolumeSource, Volume, VolumeMount
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.names import Ref
from reconciler.model.observed import Observed, ObservedContainer, Probed, Reachable
from reconciler.model.operations import (
    CreateContainer,
    HoldContainer,
    MakeDirectory,
    Operation,
    PullImage,
    RemoveContainer,
    RemoveFiles,
    StartContainer,
    StopContainers,
    UnpauseContainer,
    WriteFiles,
)
from reconciler.model.probes import RunCommand, Wait
from tests.simulated import World, container, desired, pod

JOB = Ref("Pod", "default", "job")


def told(operation: Operation) -> str:
    match operation:
        case PullImage(image):
            return f"pull {image}"
        case CreateContainer(config):
            return f"create {config.name.split('_')[3]}"
        case StartContainer(name):
            return f"start {name.split('_')[3]}"
        case UnpauseContainer(name):
            return f"unpause {name.split('_')[3]}"
        case HoldContainer(name):
            return f"hold {name.split('_')[3]}"
        case StopContainers(stops, _):
            return f"stop {'+'.join(stop.container.split('_')[3] for stop in stops)}"
        case RemoveContainer(name, _):
            return f"remove {name.split('_')[3]}"
        case WriteFiles(volume=volume):
            return f"write {volume}"
        case MakeDirectory(volume=volume):
            return f"make {volume}"
        case RemoveFiles():
            return "remove files"
        case _:
            return type(operation).__name__


def steps(world: World) -> list[str]:
    work = world.plan().work
    return [told(operation) for operation in work[0].operations] if work else []


def made(name: str) -> list[str]:
    return [f"create {name}", f"start {name}"]


def world_of(*objects: Object) -> World:
    return World(desired(*objects, nodes=1))


def settled(*objects: Object) -> World:
    world = world_of(*objects)
    world.settle()
    return world


def one(world: World, name: str) -> ObservedContainer:
    return next(each for each in world.containers() if each.container == name)


def changed(world: World, name: str, **fields: object) -> None:
    change: Callable[[ObservedContainer], ObservedContainer] = lambda each: replace(each, **fields)  # noqa: E731
    world.change(change, container=one(world, name).name)


def carried_out(world: World) -> list[str]:
    """One step; what it did."""
    done = steps(world)
    world.step()
    return done


def published(world: World) -> Pod:
    found = world.plan().statuses[JOB]
    assert isinstance(found, Pod)
    return found


def status(world: World) -> PodStatus:
    return published(world).status


def init(name: str) -> Container:
    return container(name)


def sidecar(name: str, startup_probe: Probe | None = None) -> Container:
    return container(name, restart_policy="Always", startup_probe=startup_probe)


PREPARED = pod("job", init_containers=(init("one"), init("two")))
STARTUP = Probe(tcp_socket=TCPSocketAction(5432))


def test_init_containers_run_one_after_the_other_before_the_rest() -> None:
    world = world_of(PREPARED)
    assert carried_out(world) == [*made("POD"), *made("one")]
    assert carried_out(world) == made("two")
    assert carried_out(world) == made("app")
    assert steps(world) == []
    assert status(world).phase == "Running"


def test_an_init_container_that_runs_is_waited_for() -> None:
    world = world_of(PREPARED)
    world.step()
    changed(world, "one", state="running")
    assert steps(world) == []
    now = status(world)
    assert (now.phase, is_pod_ready(published(world))) == ("Pending", False)
    assert [(each.name, each.state.reason) for each in now.init_container_statuses] == [
        ("one", ""),
        ("two", "PodInitializing"),
    ]
    assert [(each.name, each.state.reason) for each in now.container_statuses] == [("app", "PodInitializing")]
    conditions = {each.type: (each.status, each.reason) for each in now.conditions}
    assert conditions["Initialized"] == ("False", "ContainersNotInitialized")
    assert conditions["PodScheduled"] == ("True", "")


def test_a_main_container_proves_that_the_pod_is_initialized_whatever_became_of_its_init_containers() -> None:
    world = settled(PREPARED)
    world.change(lambda _: None, container=one(world, "one").name)
    assert steps(world) == []
    assert is_pod_ready(published(world))


def test_with_its_sandbox_gone_a_pod_begins_again_with_its_first_init_container() -> None:
    world = settled(PREPARED)
    world.change(lambda _: None, container=one(world, "POD").name)
    assert carried_out(world) == [
        "stop app",
        *["remove app", "remove one", "remove two"],
        *made("POD"),
        *made("one"),
    ]
    assert carried_out(world) == made("two")
    assert carried_out(world) == made("app")


def test_in_a_sandbox_that_was_restarted_the_init_containers_run_again() -> None:
    world = settled(PREPARED)
    changed(world, "POD", state="exited")
    assert carried_out(world) == ["stop app", "start POD", "start one"]
    assert carried_out(world) == ["start two"]
    assert carried_out(world) == ["start app"]
    assert world.plan().converged


def test_what_has_done_its_work_does_not_do_it_again_in_a_new_sandbox() -> None:
    world = settled(pod("job", (container("a"), container("b")), restart_policy="OnFailure"))
    changed(world, "a", state="exited", exit_code=0)
    world.settle()
    world.change(lambda _: None, container=one(world, "POD").name)
    assert carried_out(world) == ["stop b", "remove b", *made("POD"), *made("b")]
    assert steps(world) == []


def test_a_failed_init_container_is_started_again_and_nothing_comes_after_it() -> None:
    world = world_of(PREPARED)
    world.step()
    changed(world, "one", exit_code=3)
    assert carried_out(world) == ["start one"]
    changed(world, "one", exit_code=3)
    world.step()
    assert steps(world) == []
    waits = status(world).init_container_statuses[0]
    assert (waits.state.reason, waits.restart_count) == ("CrashLoopBackOff", 1)
    assert "back-off 10s restarting failed container=one pod=job_default(" in waits.state.message
    assert status(world).reason == "CrashLoopBackOff"


def test_a_failed_init_container_fails_a_pod_that_is_never_restarted() -> None:
    world = world_of(pod("job", init_containers=(init("one"),), restart_policy="Never"))
    world.step()
    changed(world, "one", exit_code=3)
    world.settle()
    assert status(world).phase == "Failed"
    assert [each.container for each in world.containers()] == ["POD", "one"]
    assert one(world, "POD").state == "exited"


def test_a_sidecar_is_started_in_its_turn_and_stays() -> None:
    world = world_of(pod("job", init_containers=(init("one"), sidecar("proxy"), init("two"))))
    assert carried_out(world) == [*made("POD"), *made("one")]
    assert carried_out(world) == [*made("proxy"), *made("two")]
    assert carried_out(world) == made("app")
    assert is_pod_ready(published(world))
    changed(world, "proxy", state="exited")
    assert steps(world) == ["start proxy"]


def test_what_comes_after_a_sidecar_with_a_startup_probe_waits_for_it() -> None:
    world = world_of(pod("job", init_containers=(sidecar("proxy", startup_probe=STARTUP),)))
    assert carried_out(world) == [*made("POD"), *made("proxy")]
    changed(world, "proxy", probed=None)
    assert steps(world) == []
    changed(world, "proxy", probed=Probed(started=False))
    assert steps(world) == []
    changed(world, "proxy", probed=Probed(started=True, ready=True))
    assert steps(world) == made("app")


def test_three_containers_without_init_containers_start_in_one_work() -> None:
    world = world_of(pod("job", (container("a"), container("b"), container("c"))))
    assert steps(world) == [*made("POD"), *made("a"), *made("b"), *made("c")]


def test_a_hook_after_the_start_is_part_of_every_start() -> None:
    hook = Lifecycle(post_start=LifecycleHandler(exec=ExecAction(("warm-up",))))
    world = world_of(pod("job", (container(lifecycle=hook),)))
    start = world.plan().work[0].operations[-1]
    assert isinstance(start, StartContainer)
    assert start.post_start == RunCommand(("warm-up",))
    world.settle()
    changed(world, "app", state="exited", exit_code=1)
    again = world.plan().work[0].operations[-1]
    assert isinstance(again, StartContainer)
    assert again.post_start == RunCommand(("warm-up",))


def test_a_pod_leaves_main_containers_first_then_sidecars_in_reverse_then_the_sandbox() -> None:
    hook = Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction(5)))
    several = (container("a", lifecycle=hook), container("b"))
    world = settled(pod("job", several, init_containers=(init("one"), sidecar("x"), sidecar("y"))))
    world.wanted = desired(nodes=1, revision="r2")
    world.memory = world.plan().memory
    assert steps(world) == [
        *["stop a+b", "stop y", "stop x", "stop POD"],
        *["remove a", "remove b", "remove one", "remove y", "remove x", "remove POD"],
    ]
    stop = world.plan().work[0].operations[0]
    assert isinstance(stop, StopContainers)
    assert [each.pre_stop for each in stop.containers] == [Wait(5), None]
    assert stop.grace_seconds == 30


def test_a_pod_that_ran_to_its_end_stops_its_sidecars_and_never_runs_again() -> None:
    world = settled(pod("job", init_containers=(sidecar("x"), sidecar("y")), restart_policy="Never"))
    changed(world, "app", state="exited", exit_code=0)
    assert carried_out(world) == ["stop y", "stop x", "stop POD"]
    (intent,) = world.memory.pods.values()
    assert intent.ended == "Succeeded"
    for each in world.containers():
        world.change(lambda _: None, container=each.name)
    assert steps(world) == []
    assert status(world).phase == "Succeeded"
    assert world.plan().converged


def test_a_job_that_succeeded_is_told_as_completed() -> None:
    world = settled(pod("job", restart_policy="OnFailure"))
    changed(world, "app", state="exited", exit_code=0)
    world.settle()
    now = status(world)
    assert (now.phase, now.reason) == ("Succeeded", "Completed")
    assert not is_pod_ready(published(world))
    assert {each.type: each.reason for each in now.conditions}["Ready"] == "PodCompleted"


def test_a_pod_over_its_deadline_is_stopped_and_failed() -> None:
    world = world_of(pod("job", (container("a"), container("b")), active_deadline_seconds=60))
    world.step()
    world.now = 1.0
    first = world.plan()
    assert first.wake_at == 61.0
    world.step()
    world.now = 61.0
    assert steps(world) == ["stop a+b", "stop POD"]
    world.settle()
    now = status(world)
    assert (now.phase, now.reason) == ("Failed", "DeadlineExceeded")
    assert steps(world) == []


CONFIG = ConfigMap(ObjectMeta("texts", "default"), {"motd": "hello"})
MOUNTING = pod(
    "job",
    (container(volume_mounts=(VolumeMount("texts", "/texts"), VolumeMount("scratch", "/scratch"))),),
    volumes=(
        Volume("texts", config_map=ConfigMapVolumeSource("texts")),
        Volume("scratch", empty_dir=EmptyDirVolumeSource()),
    ),
)


def test_files_and_directories_are_there_before_the_container_is_made() -> None:
    world = world_of(MOUNTING, CONFIG)
    assert carried_out(world) == ["write texts", "make scratch", *made("app")]
    assert steps(world) == []


def test_files_that_changed_are_written_anew_in_a_running_pod() -> None:
    world = settled(MOUNTING, CONFIG)
    other = ConfigMap(ObjectMeta("texts", "default"), {"motd": "good night"})
    world.wanted = desired(MOUNTING, other, nodes=1, revision="r2")
    assert carried_out(world) == ["write texts"]
    assert steps(world) == []
    assert world.plan().converged


def test_a_pods_files_go_with_it_and_it_is_not_forgotten_before() -> None:
    world = settled(MOUNTING, CONFIG)
    world.wanted = desired(CONFIG, nodes=1, revision="r2")
    world.memory = world.plan().memory
    assert steps(world) == ["stop app", "remove app", "remove files"]
    world.change(lambda _: None, container=one(world, "app").name)
    assert steps(world) == ["remove files"]
    world.settle()
    assert world.memory.pods == {}


def _with_directories(world: World, *uids: str) -> None:
    node = world.real.nodes["node-000"]
    assert isinstance(node, Reachable)
    world.real = Observed({"node-000": replace(node, directories=node.directories | set(uids))})


def test_directories_of_a_pod_that_nobody_knows_are_removed() -> None:
    world = settled(MOUNTING, CONFIG)
    _with_directories(world, "long-gone")
    (work,) = world.plan().work
    assert (work.uid, work.operations) == ("long-gone", (RemoveFiles("long-gone"),))


def test_directories_of_a_pod_whose_containers_are_there_stay() -> None:
    world = settled(MOUNTING, CONFIG)
    _with_directories(world, "an-orphan")
    node = world.real.nodes["node-000"]
    assert isinstance(node, Reachable)
    orphan = ObservedContainer("o", "copy", "lab/web:1.0", "running", "lab", "default", "x", "an-orphan", "app")
    world.real = Observed({"node-000": replace(node, containers=(*node.containers, orphan))})
    assert world.plan().work == ()


def test_directories_on_a_silent_node_stay() -> None:
    world = settled(MOUNTING, CONFIG)
    _with_directories(world, "long-gone")
    world.unplug("node-000")
    assert world.plan().work == ()
