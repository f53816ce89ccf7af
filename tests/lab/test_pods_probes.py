"""Probes of every kind on real containers: what is ready is in rotation, what is not alive is restarted."""

import time

import pytest

from tests.lab.pods import (
    Json,
    Stage,
    condition,
    container,
    is_ready,
    is_running,
    pod,
    restarts,
    service,
    state_of,
    workload,
)
from tests.lab.world import eventually, fetch

QUICK: Json = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 10}
"""Of what fails, and does not hang: an answer that is slow on a busy machine is an answer."""
HANGING: Json = {**QUICK, "timeoutSeconds": 2}
STARTING: Json = {"periodSeconds": 1, "failureThreshold": 60, "timeoutSeconds": 10}
KINDS: dict[str, Json] = {
    "httpGet": {"path": "/healthz", "port": "http"},
    "grpc": {"port": 9000},
    "exec": {"command": ["sh", "-c", "test ! -e /tmp/unhealthy || { echo the app is unwell; exit 1; }"]},
    "tcpSocket": {"port": 8080},
}


def faulty(**fields: object) -> Json:
    ports = [{"name": "http", "containerPort": 8080}, {"name": "grpc", "containerPort": 9000}]
    return {"name": "main", "image": "lab/faulty:1", "ports": ports, **fields}


def mark(stage: Stage, name: str, file: str, there: bool = True) -> None:
    stage.inside(name, *(("touch",) if there else ("rm", "-f")), f"/tmp/{file}")


@pytest.mark.parametrize("kind", ["httpGet", "grpc", "exec"])
def test_a_pod_is_ready_when_its_probe_says_so(stage: Stage, kind: str) -> None:
    name = f"ready-{kind.lower()}"
    stage.put(pod(name, faulty(readinessProbe={kind: KINDS[kind], **QUICK})))
    stage.up(name)
    mark(stage, name, "unhealthy")
    seen = stage.wait(name, lambda seen: not is_ready(seen), 8)
    assert is_running(seen)
    assert restarts(seen) == 0
    assert condition(seen, "ContainersReady") == "False"
    if kind == "exec":
        assert stage.event("Unhealthy", "the app is unwell")["name"] == name
    mark(stage, name, "unhealthy", there=False)
    stage.wait(name, is_ready, 8)


@pytest.mark.parametrize("kind", ["httpGet", "grpc", "exec"])
def test_what_is_not_alive_is_restarted_and_the_event_has_the_probes_words(stage: Stage, kind: str) -> None:
    name = f"alive-{kind.lower()}"
    action = {kind: KINDS[kind]}
    stage.put(pod(name, faulty(livenessProbe=action | QUICK, startupProbe=action | STARTING)))
    stage.up(name)
    before = stage.container(name).id
    mark(stage, name, "unhealthy")  # It goes with nothing but the container: a restart alone keeps the file.
    eventually(lambda: told_of_liveness(stage, name), what="the event")
    seen = stage.wait(name, lambda seen: restarts(seen) >= 1, 15)
    mark(stage, name, "unhealthy", there=False)
    assert stage.container(name).id == before
    assert seen["status"]["phase"] == "Running"


def told_of_liveness(stage: Stage, name: str) -> bool:
    told = [each for each in stage.running.events[stage.events_from :] if each["name"] == name]
    return any(each["reason"] == "Unhealthy" and "Liveness probe failed" in each["message"] for each in told)


def test_a_probe_that_hangs_fails_after_its_time_and_holds_nothing_up(stage: Stage) -> None:
    hanging = {"exec": {"command": ["sh", "-c", "test ! -e /tmp/hanging || sleep 60"]}, **HANGING}
    stage.put(
        pod("hung", container(livenessProbe=hanging)),
        pod("hung-http", faulty(readinessProbe={"httpGet": KINDS["httpGet"], **HANGING})),
        pod("fine", faulty(readinessProbe={"httpGet": KINDS["httpGet"], **QUICK})),
    )
    for name in ("hung", "hung-http", "fine"):
        stage.up(name)
    mark(stage, "hung", "hanging")
    mark(stage, "hung-http", "hanging")
    stage.wait("hung-http", lambda seen: not is_ready(seen), 8)
    stage.wait("hung", lambda seen: restarts(seen) == 1, 12)
    assert is_ready(stage.pod("fine"))
    mark(stage, "fine", "unhealthy")
    stage.wait("fine", lambda seen: not is_ready(seen))
    mark(stage, "hung", "hanging", there=False)


def test_liveness_waits_for_the_startup_probe_and_one_that_never_succeeds_restarts(stage: Stage) -> None:
    up = {"exec": {"command": ["test", "-e", "/tmp/up"]}}
    stage.put(
        pod("slow", container(livenessProbe=up | QUICK, startupProbe=up | STARTING)),
        pod("never", container(startupProbe={**up, "periodSeconds": 1, "failureThreshold": 2})),
    )
    seen = stage.wait("slow", is_running)
    assert state_of(seen)["started"] is False
    time.sleep(3)  # Time for a liveness probe that does not wait.
    mark(stage, "slow", "up")
    seen = stage.up("slow")
    assert state_of(seen)["started"] is True
    assert restarts(seen) == 0
    stage.wait("never", lambda seen: restarts(seen) >= 1, 15)
    assert not is_ready(stage.pod("never"))


def test_what_is_not_ready_gets_no_connection_and_holds_a_rollout(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, **QUICK}
    front = service("front", 30095)
    stage.put(workload("front", faulty(readinessProbe=probe), replicas=2), front)
    mark_url = stage.world.url(30095)
    eventually(lambda: len(stage.pods("front")) == 2 and all(map(is_ready, stage.pods("front"))))
    eventually(lambda: fetch(mark_url + "count"))
    first, second = (each.id for each in stage.containers("front"))
    stage.docker("exec", first, "touch", "/tmp/unhealthy")
    eventually(lambda: sum(map(is_ready, stage.pods("front"))) == 1)
    eventually(lambda: all(fetch(mark_url) == "ok" for _ in range(10)), 8, "only the ready one")
    assert fetch(mark_url) == "ok"
    stage.docker("exec", first, "rm", "/tmp/unhealthy")
    eventually(lambda: all(map(is_ready, stage.pods("front"))))
    bad = faulty(readinessProbe={"exec": {"command": ["false"]}, **QUICK})
    stage.put(workload("front", bad, replicas=2), front)
    eventually(lambda: len(stage.pods("front")) == 3, 10, "one more, which is never ready")
    time.sleep(3)
    assert {first, second} <= {each.id for each in stage.containers("front") if each.state == "running"}
    assert fetch(mark_url) == "ok"


def test_a_rollout_waits_for_min_ready_seconds_of_readiness(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, **QUICK}
    more = {"minReadySeconds": 6, "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}
    stage.put(workload("calm", faulty(readinessProbe=probe), more=more))
    stage.up("calm")
    old = stage.container("calm").id
    stage.put(workload("calm", faulty(readinessProbe=probe, env=[{"name": "A", "value": "b"}]), more=more))
    eventually(lambda: sum(map(is_ready, stage.pods("calm"))) == 2, 20, "the new one beside the old one")
    both = time.monotonic()
    eventually(lambda: old not in {each.id for each in stage.containers("calm") if each.state == "running"})
    assert time.monotonic() - both >= 4


def test_a_readiness_gate_is_opened_by_a_commit_without_a_new_pod(stage: Stage) -> None:
    gates = [{"conditionType": "example.org/approved"}]
    stage.put(workload("gated", container(), readinessGates=gates))
    seen = stage.wait("gated", is_running)
    assert not is_ready(seen)
    before = stage.container("gated").id
    opened = {"reconciler.dev/conditions": "example.org/approved=True"}
    stage.put(workload("gated", container(), readinessGates=gates, annotations=opened))
    seen = stage.up("gated", 10)
    assert condition(seen, "example.org/approved") == "True"
    assert stage.container("gated").id == before
