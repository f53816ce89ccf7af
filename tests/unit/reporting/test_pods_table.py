"""`get pods`: what kubectl would say of the same pod, and its object for programs."""

from typing import Literal

import pytest

from reconciler.model.names import Ref
from reconciler.model.observed import Ended
from reconciler.model.plan import Condition, ContainerStatus, PodStatus
from reconciler.reporting import status_object
from reconciler.reporting.moments import unix_seconds
from reconciler.reporting.pods_table import pod_columns, pod_state

NOON = unix_seconds("2026-11-23T12:00:00Z")
ENDED = Ended(1, at="2026-11-23T11:55:00Z")


def init(
    state: Literal["waiting", "terminated", "running"] = "waiting",
    reason: str = "",
    exit_code: int | None = None,
    restarts: int = 0,
) -> ContainerStatus:
    return ContainerStatus("init", "i:1", state, reason, exit_code=exit_code, kind="init", restarts=restarts)


def sidecar(*, started: bool = True, restarts: int = 0) -> ContainerStatus:
    return ContainerStatus(
        "side", "s:1", "running", kind="sidecar", ready=started, started=started, restarts=restarts
    )


def main(state: str = "running", reason: str = "", **other: object) -> ContainerStatus:
    return ContainerStatus("web", "w:1", state, reason, **other)  # type: ignore[arg-type]


DONE = init("terminated", "Completed", 0)
WAITS = main("waiting", "PodInitializing")


def pod(*containers: ContainerStatus, phase: str = "Pending", **other: object) -> PodStatus:
    ref = Ref("Pod", "shop", "web-0")
    return PodStatus(ref, "u1", "node-1", "10.244.0.2", phase, False, containers=containers, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (pod(init(), init(), WAITS), "Init:0/2"),
        (pod(DONE, init("running"), WAITS), "Init:1/2"),
        (pod(init("terminated", "Error", 1), WAITS), "Init:Error"),
        (pod(init("waiting", "CrashLoopBackOff"), WAITS), "Init:CrashLoopBackOff"),
        (pod(sidecar(started=False), WAITS), "Init:0/1"),
        (pod(DONE, sidecar(), WAITS), "PodInitializing"),
        (pod(DONE, main(ready=True), phase="Running"), "Running"),
        (pod(main("waiting", "CrashLoopBackOff"), phase="Running"), "CrashLoopBackOff"),
        (pod(main("terminated", "Completed", exit_code=0), phase="Succeeded"), "Completed"),
        (pod(main("terminated", "OOMKilled", exit_code=137), phase="Failed"), "OOMKilled"),
        (pod(main("terminated", exit_code=3), phase="Failed"), "ExitCode:3"),
        (pod(phase="Failed", reason="DeadlineExceeded"), "DeadlineExceeded"),
    ],
)
def test_status(status: PodStatus, words: str) -> None:
    assert pod_state(status) == words


def test_ready_counts_what_stays() -> None:
    ready = pod(DONE, sidecar(), main(ready=True), main(), phase="Running")
    assert pod_columns(ready, False, NOON)["READY"] == "2/3"


def test_restarts_say_when_the_last_was() -> None:
    crashed = pod(main(restarts=3, last_end=ENDED), sidecar(restarts=1), phase="Running")
    assert pod_columns(crashed, False, NOON)["RESTARTS"] == "4 (5m ago)"
    assert pod_columns(pod(main(restarts=3)), False, NOON)["RESTARTS"] == "3"


def test_restarts_of_init_containers_count_while_it_initializes() -> None:
    assert pod_columns(pod(init(restarts=2), WAITS), False, NOON)["RESTARTS"] == "2"
    assert pod_columns(pod(init("terminated", "Completed", 0, 2), main()), False, NOON)["RESTARTS"] == "0"


def test_age_and_gates() -> None:
    gates = (Condition("Ready", False), Condition("shop/warm", True), Condition("shop/dns", False))
    columns = pod_columns(pod(main(), created=NOON - 90, conditions=gates), True, NOON)
    assert (columns["AGE"], columns["READINESS GATES"]) == ("90s", "1/2")


def test_the_object_is_upstreams() -> None:
    running = main(
        ready=True,
        started=True,
        restarts=2,
        started_at="2026-11-23T11:56:00Z",
        last_end=Ended(137, True, ENDED.at),
    )
    shown = status_object(
        pod(
            DONE,
            running,
            main("waiting", "ImagePullBackOff", message="no such tag"),
            phase="Running",
            owner=Ref("Deployment", "shop", "web"),
            conditions=(Condition("Ready", False, "ContainersNotReady", "web", NOON),),
            qos="Burstable",
            created=NOON,
        )
    )
    assert shown["metadata"] == {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u1",
        "creationTimestamp": "2026-11-23T12:00:00Z",
        "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}],
    }
    assert shown["spec"] == {"nodeName": "node-1"}
    status = shown["status"]
    assert status["conditions"] == [
        {
            "type": "Ready",
            "status": "False",
            "lastTransitionTime": "2026-11-23T12:00:00Z",
            "reason": "ContainersNotReady",
            "message": "web",
        }
    ]
    assert (status["qosClass"], status["startTime"], status["podIPs"]) == (
        "Burstable",
        "2026-11-23T12:00:00Z",
        [{"ip": "10.244.0.2"}],
    )
    assert [one["state"] for one in status["initContainerStatuses"]] == [
        {"terminated": {"exitCode": 0, "reason": "Completed"}}
    ]
    first, second = status["containerStatuses"]
    assert first["state"] == {"running": {"startedAt": "2026-11-23T11:56:00Z"}}
    assert first["lastState"] == {
        "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T11:55:00Z"}
    }
    assert (first["ready"], first["started"], first["restartCount"]) == (True, True, 2)
    assert second["state"] == {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}
