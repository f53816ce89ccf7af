"""What is told of pods: failures with their last words, probes, back-offs and pulls; and what is not."""

from msgspec.structs import replace

from reconciler.control.pod_narration import of_containers, of_statuses, of_work_done
from reconciler.control.pulls import Pulls
from reconciler.model.api.core.pod import Pod
from reconciler.model.container_config import ContainerConfig, PodAddress
from reconciler.model.names import LABEL_CONTAINER, SANDBOX, Ref
from reconciler.model.observed import (
    Ended,
    Facts,
    Observed,
    ObservedContainer,
    Probed,
    Reachable,
    Unreachable,
)
from reconciler.model.operations import (
    CreateContainer,
    Operation,
    Outcome,
    PodWork,
    PullImage,
    Remark,
    RemoveContainer,
    StartContainer,
    WriteFiles,
)
from reconciler.model.records import Event
from tests import published

REF = Ref("Pod", "shop", "web-0")
WEB = ObservedContainer(
    "id1", "c_shop_web-0_web_u1", "w:1", "running", "c", "shop", "web-0", "u1", "web", probed=Probed(started=True)
)
RUNNING = {REF: published.pod(REF, ready=True)}


def seen(*containers: ObservedContainer, images: frozenset[str] = frozenset()) -> Observed:
    return Observed({"node-1": Reachable(Facts("e", "20", "", "", "", 2, 1), containers, images)})


def told(before: Observed | None, after: Observed, status: Pod = RUNNING[REF]) -> list[tuple[str, str]]:
    return [(event.reason, event.message) for event in of_containers(before, after, {REF: status})]


def failed(code: int = 1, **other: object) -> ObservedContainer:
    ended = Ended(code, at="t", log="one\ntwo\n", **other)  # type: ignore[arg-type]
    return replace(WEB, state="restarting", last_end=ended)


def test_a_container_that_fails_is_told_with_its_last_lines() -> None:
    assert told(seen(WEB), seen(failed())) == [("Exited", "container web exited with code 1: one\ntwo")]
    assert told(seen(), seen(failed())) == [("Exited", "container web exited with code 1: one\ntwo")]


def test_it_is_told_once() -> None:
    assert told(seen(failed()), seen(replace(failed(), state="running"))) == []


def test_memory_is_a_reason_of_its_own() -> None:
    (event,) = told(seen(WEB), seen(failed(137, oom_killed=True)))
    assert event[0] == "OOMKilled"


def test_what_ended_well_or_was_told_to_end_is_no_failure() -> None:
    assert told(seen(WEB), seen(failed(0))) == []
    assert told(seen(WEB), seen(failed(143)), published.pod(REF, phase="Terminating")) == []
    assert told(seen(WEB), seen(failed()), published.pod(REF, uid="u2", ready=True)) == []


def test_what_a_master_finds_at_its_start_is_not_news() -> None:
    assert told(None, seen(failed())) == []


def test_what_failed_while_a_host_was_silent_is_told_when_it_is_back() -> None:
    silent = Observed({"node-1": Unreachable(1.0, "cut off", last=seen(WEB).nodes["node-1"])})  # type: ignore[arg-type]
    assert [reason for reason, _ in told(silent, seen(failed()))] == ["Exited"]
    assert told(seen(WEB), silent) == []


def test_a_failing_probe_speaks_for_itself() -> None:
    unhealthy = replace(WEB, probed=Probed(message="Liveness probe failed: HTTP 500", killed=1))
    assert told(seen(WEB), seen(unhealthy)) == [
        ("Unhealthy", "Liveness probe failed: HTTP 500"),
        ("Killing", "Container web failed its liveness or startup probe, and is restarted"),
    ]
    assert told(seen(unhealthy), seen(replace(unhealthy, restart_count=1))) == []


def waiting(reason: str) -> dict[Ref, Pod]:
    return {REF: published.pod(REF, published.waiting("web", "w:1", reason), ready=True)}


def test_a_back_off_is_told_when_it_begins() -> None:
    events = list(of_statuses(waiting("ErrImagePull"), waiting("ImagePullBackOff")))
    assert [(event.type, event.reason, event.message) for event in events] == [
        ("Warning", "BackOff", 'Back-off pulling image "w:1"')
    ]
    assert not list(of_statuses(waiting("ImagePullBackOff"), waiting("ImagePullBackOff")))
    assert not list(of_statuses(None, waiting("CrashLoopBackOff")))


def outcome(*operations: Operation, **other: object) -> Outcome:
    return Outcome(PodWork("node-1", REF, "u1", operations), **other)  # type: ignore[arg-type]


def created(name: str, container: str) -> tuple[Operation, Operation]:
    config = ContainerConfig(name, "w:1", {LABEL_CONTAINER: container}, PodAddress("10.244.0.2"))
    return CreateContainer(config), StartContainer(name)


def words(done: Outcome) -> list[tuple[str, str]]:
    return [(event.reason, event.message) for event in of_work_done("node-1", done)]


def test_what_was_done_is_told_by_container() -> None:
    assert words(outcome(*created("p", SANDBOX), *created("a", "init"))) == [("Started", "Started container init")]
    assert words(outcome(StartContainer("c_shop_web-0_web_u1"))) == [("Started", "Started container web")]
    assert words(outcome(*created("p", SANDBOX))) == []
    assert words(outcome(RemoveContainer("a", "u1"))) == [("Removed", "nothing of the pod is left")]
    assert words(outcome(WriteFiles("u1", "config", (), "f"))) == [
        ("VolumeUpdated", "Updated volume config in place")
    ]


def test_a_failure_has_kubernetes_own_word() -> None:
    start = StartContainer("a")
    hook = outcome(start, failed=start, message="exit 1", reason="FailedPostStartHook")
    assert words(hook) == [("FailedPostStartHook", "exit 1")]


def test_what_went_wrong_on_the_way_is_told_too() -> None:
    remarks = (Remark("FailedPreStopHook", "exit 3: no luck"),)
    removal = RemoveContainer("a", "u1")
    assert words(outcome(removal, remarks=remarks)) == [
        ("FailedPreStopHook", "exit 3: no luck"),
        ("Removed", "nothing of the pod is left"),
    ]
    failed = outcome(removal, remarks=remarks, failed=removal, message="busy", reason="KillContainerError")
    assert words(failed) == [("FailedPreStopHook", "exit 3: no luck"), ("KillContainerError", "busy")]


PULL = PullImage("w:1")


def pulls(now_there: Observed, end: Outcome) -> list[Event]:
    clock = Pulls()
    events = list(clock.begun([PodWork("node-1", REF, "u1", (PULL, *created("a", "web")))], seen(), 10.0))
    events += clock.seen(now_there, 12.5)
    return [*events, *clock.ended(end, 20.0)]


def test_a_pull_is_told_with_how_long_it_took() -> None:
    done = pulls(seen(images=frozenset({"w:1"})), outcome(PULL))
    assert [(event.reason, event.message) for event in done] == [
        ("Pulling", 'Pulling image "w:1"'),
        ("Pulled", 'Successfully pulled image "w:1" in 2.5s'),
    ]
    assert pulls(seen(), outcome(PULL))[-1].message.endswith("in 10.0s")


def test_a_pull_that_failed_or_nobody_knows_of_is_not_told_as_done() -> None:
    assert [event.reason for event in pulls(seen(), outcome(PULL, failed=PULL))] == ["Pulling"]
    assert [event.reason for event in pulls(seen(), outcome(PULL, unknown=True))] == ["Pulling"]
