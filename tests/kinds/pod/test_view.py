"""`get pods`: what kubectl would say of the same pod, and its object for programs."""

from typing import Any, Literal

import pytest

from reconciler.kinds.core.pod import POD
from reconciler.kinds.core.pod_view import POD_VIEW, pod_state
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.container_status import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
)
from reconciler.model.api.core.pod import Pod, PodSpec
from reconciler.model.moments import unix_seconds
from reconciler.model.names import Ref
from reconciler.reporting import Context, object_json, table_of
from tests import published
from tests.published import condition, running, terminated, waiting

NOON = unix_seconds("2026-11-23T12:00:00Z")
ENDED = ContainerState(terminated=ContainerStateTerminated(1, finished_at="2026-11-23T11:55:00Z"))
SIDE = Container("side", "s:1", restart_policy="Always")


def init(
    state: Literal["waiting", "terminated", "running"] = "waiting",
    reason: str = "",
    exit_code: int | None = None,
    restarts: int = 0,
) -> ContainerStatus:
    match state:
        case "waiting":
            return waiting("init", "i:1", reason, restart_count=restarts)
        case "running":
            return running("init", "i:1", restart_count=restarts)
        case "terminated":
            return terminated("init", "i:1", exit_code, reason, restart_count=restarts)


def sidecar(*, started: bool = True, restarts: int = 0) -> ContainerStatus:
    return running("side", "s:1", ready=started, restart_count=restarts)


DONE = init("terminated", "Completed", 0)
WAITS = waiting("web", "w:1", "PodInitializing")
RUNS, READY = running("web", "w:1"), running("web", "w:1", ready=True)


def pod(*containers: ContainerStatus, phase: Any = "Pending", **other: Any) -> Pod:
    before = tuple(one for one in containers if one.name in ("init", "side"))
    main = [one for one in containers if one not in before]
    inits = tuple(SIDE if one.name == "side" else Container("init", "i:1") for one in before)
    spec = PodSpec((), init_containers=inits, node_name="node-1")
    return published.pod(
        Ref("Pod", "shop", "web-0"), *main, ip="10.244.0.2", phase=phase, init=before, spec=spec, **other
    )


def cells(pod: Pod, wide: bool = False) -> dict[str, str]:
    shown = table_of(POD_VIEW, [pod], Context(NOON, wide))
    return dict(zip(shown.header, shown.rows[0], strict=True))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (pod(init(), init(), WAITS), "Init:0/2"),
        (pod(DONE, init("running"), WAITS), "Init:1/2"),
        (pod(init("terminated", "Error", 1), WAITS), "Init:Error"),
        (pod(init("waiting", "CrashLoopBackOff"), WAITS), "Init:CrashLoopBackOff"),
        (pod(sidecar(started=False), WAITS), "Init:0/1"),
        (pod(DONE, sidecar(), WAITS), "PodInitializing"),
        (pod(DONE, READY, phase="Running"), "Running"),
        (pod(waiting("web", "w:1", "CrashLoopBackOff"), phase="Running"), "CrashLoopBackOff"),
        (pod(terminated("web", "w:1", 0, "Completed"), phase="Succeeded"), "Completed"),
        (pod(terminated("web", "w:1", 137, "OOMKilled"), phase="Failed"), "OOMKilled"),
        (pod(terminated("web", "w:1", 3), phase="Failed"), "ExitCode:3"),
        (pod(phase="Failed", reason="DeadlineExceeded"), "DeadlineExceeded"),
    ],
)
def test_status(status: Pod, words: str) -> None:
    assert pod_state(status) == words


def test_ready_counts_what_stays() -> None:
    ready = pod(DONE, sidecar(), READY, RUNS, phase="Running")
    assert cells(ready)["READY"] == "2/3"


def test_restarts_say_when_the_last_was() -> None:
    crashed = pod(running("web", "w:1", restart_count=3, last_state=ENDED), sidecar(restarts=1), phase="Running")
    assert cells(crashed)["RESTARTS"] == "4 (5m ago)"
    assert cells(pod(running("web", "w:1", restart_count=3)))["RESTARTS"] == "3"


def test_restarts_of_init_containers_count_while_it_initializes() -> None:
    assert cells(pod(init(restarts=2), WAITS))["RESTARTS"] == "2"
    assert cells(pod(init("terminated", "Completed", 0, 2), RUNS))["RESTARTS"] == "0"


def test_age_and_gates() -> None:
    gates = (condition("Ready", False), condition("shop/warm", True), condition("shop/dns", False))
    columns = cells(pod(RUNS, created=NOON - 90, conditions=gates), wide=True)
    assert (columns["AGE"], columns["READINESS GATES"]) == ("90s", "1/2")


def test_the_object_is_upstreams() -> None:
    ended = ContainerStateTerminated(137, "OOMKilled", finished_at="2026-11-23T11:55:00Z")
    last = ContainerState(terminated=ended)
    main = running("web", "w:1", ready=True, at="2026-11-23T11:56:00Z", restart_count=2, last_state=last)
    shown = object_json(
        published.pod(
            Ref("Pod", "shop", "web-0"),
            main,
            waiting("side", "s:1", "ImagePullBackOff", "no such tag"),
            init=(DONE,),
            ip="10.244.0.2",
            owner=Ref("Deployment", "shop", "web"),
            conditions=(condition("Ready", False, "ContainersNotReady", "web", NOON),),
            qos="Burstable",
            created=NOON,
        ),
        POD.names,
        POD.encode,
    )
    assert (shown["apiVersion"], shown["kind"]) == ("v1", "Pod")
    assert shown["metadata"] == {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u1",
        "creationTimestamp": "2026-11-23T12:00:00Z",
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": True}],
    }
    assert shown["spec"]["nodeName"] == "node-1"
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
    assert (status["qosClass"], status["podIPs"]) == ("Burstable", [{"ip": "10.244.0.2"}])
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
    assert "lastState" not in second
