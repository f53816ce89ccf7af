"""Probes on real hosts: what they see reaches the master, and what they do needs none."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.lab import Lab
from reconciler.model.names import SYSTEM_PROBER
from tests.lab.pods import Json, Stage, container, is_ready, pod, reason, restarts
from tests.lab.world import eventually

pytestmark = pytest.mark.hosts(2)
PROBER = "test_prober"
UNHEALTHY = "/tmp/unhealthy"
QUICK: Json = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 10}
"""An answer that is slow on a busy machine is an answer."""
STARTING: Json = {"periodSeconds": 1, "failureThreshold": 60, "timeoutSeconds": 10}
ACTIONS: dict[str, Json] = {
    "exec": {"exec": {"command": ["sh", "-c", f"if [ -e {UNHEALTHY} ]; then echo it is ill; exit 1; fi"]}},
    "http": {"httpGet": {"path": "/healthz", "port": "http"}},
    "grpc": {"grpc": {"port": 9000}},
}
WORDS = {"exec": "it is ill", "http": "statuscode: 500: the faulty app is unhealthy", "grpc": "NOT_SERVING"}


def faulty(**fields: Any) -> Json:
    """The lab's app whose health is a matter of files."""
    ports = [{"name": "http", "containerPort": 8080}]
    return {"name": "main", "image": "lab/faulty:1", "ports": ports, **fields}


def alive() -> Json:
    """With probes of every kind; it has time to begin to listen."""
    http = ACTIONS["http"]
    return faulty(startupProbe=http | STARTING, livenessProbe=http | QUICK, readinessProbe=http | QUICK)


def is_unready(seen: Json) -> bool:
    return not is_ready(seen)


def prober(lab: Lab, node: str = "node-1") -> str:
    """Its state in Docker; empty: there is none."""
    filters = ("--filter", f"label=reconciler.dev/container={SYSTEM_PROBER}")
    return lab.node(node).docker("ps", "-a", *filters, "--format", "{{.State}}").stdout.strip()


@pytest.fixture(autouse=True)
def gone(stage: Stage) -> Iterator[None]:
    """No test's pods are another's."""
    yield
    stage.clear()
    eventually(stage.is_empty, 30, "the pods' end")


def test_a_host_has_a_prober_only_while_a_pod_there_has_probes(stage: Stage, lab: Lab) -> None:
    stage.put(pod("plain", container()))
    stage.up("plain")
    assert prober(lab) == ""
    stage.put(pod("probed", faulty(readinessProbe=ACTIONS["http"] | QUICK)), file="probed.yaml")
    stage.up("probed")
    assert (prober(lab), prober(lab, "node-2")) == ("running", "")
    stage.clear("probed.yaml")
    eventually(lambda: prober(lab) == "", 20, "the prober's end")


@pytest.mark.parametrize("kind", sorted(ACTIONS))
def test_readiness_follows_a_probe_of_each_kind(stage: Stage, kind: str) -> None:
    stage.put(pod("ready", faulty(readinessProbe=ACTIONS[kind] | QUICK)))
    stage.up("ready")
    stage.inside("ready", "touch", UNHEALTHY)
    stage.wait("ready", is_unready)
    assert stage.event("Unhealthy", WORDS[kind])["name"] == "ready"
    stage.inside("ready", "rm", UNHEALTHY)
    assert restarts(stage.up("ready")) == 0


def test_a_port_that_nothing_listens_on_is_not_ready_until_something_does(stage: Stage) -> None:
    late = "until [ -e /tmp/listen ]; do sleep 0.1; done; exec faulty"
    probe = {"tcpSocket": {"port": "http"}} | QUICK
    stage.put(pod("late", faulty(command=["sh", "-c", late], readinessProbe=probe)))
    stage.event("Unhealthy", "Connection refused")
    assert not is_ready(stage.pod("late"))
    stage.inside("late", "touch", "/tmp/listen")
    stage.up("late")


def test_a_failing_liveness_probe_restarts_the_container_and_says_why(stage: Stage) -> None:
    stage.put(pod("alive", alive()))
    stage.up("alive")
    stage.inside("alive", "touch", UNHEALTHY)
    assert "Liveness probe failed" in stage.event("Unhealthy", "Liveness")["message"]
    stage.wait("alive", lambda seen: restarts(seen) == 1)
    stage.inside("alive", "rm", "-f", UNHEALTHY)
    stage.up("alive")
    began = time.time()
    stage.inside("alive", "touch", UNHEALTHY)
    down = stage.wait("alive", lambda seen: reason(seen) == "CrashLoopBackOff")
    assert not is_ready(down)
    assert not stage.inspect("alive")["State"]["Running"], "ended at once, and what waits is its next start"
    stage.wait("alive", lambda seen: restarts(seen) == 2)
    assert time.time() - began > 10
    assert len(stage.told("alive", "{{.Action}}", "event=start", seconds=time.time() - began)) == 1


def test_a_startup_probe_keeps_the_others_waiting(stage: Stage) -> None:
    asked = {"command": ["test", "-e", "/tmp/started"]}
    started = {"exec": asked, "periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 60}
    dead = {"exec": {"command": ["sh", "-c", "touch /tmp/asked; test -e /tmp/started"]}} | QUICK
    stage.put(pod("slow", container(startupProbe=started, livenessProbe=dead)))
    stage.event("Unhealthy", "Startup probe failed")
    time.sleep(2)
    assert not is_ready(stage.pod("slow"))
    assert stage.inside("slow", "sh", "-c", "ls /tmp") == ""
    stage.inside("slow", "touch", "/tmp/started")
    assert restarts(stage.up("slow")) == 0
    eventually(lambda: "asked" in stage.inside("slow", "sh", "-c", "ls /tmp"), what="the liveness probe")


def test_a_probe_that_hangs_delays_no_other(stage: Stage) -> None:
    hanging = {"timeoutSeconds": 20, "periodSeconds": 1, "failureThreshold": 100}
    stage.put(
        pod("hanging", faulty(readinessProbe=ACTIONS["http"] | hanging)),
        pod("execs", container(readinessProbe={"exec": {"command": ["sleep", "1000"]}, "periodSeconds": 1})),
        pod("quick", faulty(readinessProbe=ACTIONS["http"] | QUICK)),
    )
    stage.up("hanging")
    stage.up("quick")
    stage.inside("hanging", "touch", "/tmp/hanging")
    time.sleep(2)
    began = time.monotonic()
    stage.inside("quick", "touch", UNHEALTHY)
    stage.wait("quick", is_unready)
    assert time.monotonic() - began < 15
    eventually(lambda: not is_ready(stage.pod("execs")))
    running = stage.inside("execs", "sh", "-c", "ps | grep -c '[s]leep 1000'")
    assert int(running) <= 1, "a command that hangs is not run again beside itself"


def test_a_command_that_hangs_is_ended_and_run_anew(stage: Stage) -> None:
    blocks = {"exec": {"command": ["sh", "-c", "if [ -e /tmp/block ]; then sleep 100000; sleep 1; fi"]}}
    probe = blocks | {"periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 1}
    stage.put(pod("hangs", container(readinessProbe=probe)))
    stage.up("hangs")
    stage.inside("hangs", "touch", "/tmp/block")
    stage.wait("hangs", is_unready)
    time.sleep(5)
    hanging = "ps | grep -c '[s]leep 100000'"
    assert int(stage.inside("hangs", "sh", "-c", f"{hanging} || true")) <= 2, (
        "the sleep and its shell, of one command"
    )
    stage.inside("hangs", "rm", "/tmp/block")
    stage.up("hangs")
    assert stage.inside("hangs", "sh", "-c", f"{hanging} || true") == "0"


def test_a_container_is_restarted_while_no_master_is_there_and_it_learns_of_it(stage: Stage, lab: Lab) -> None:
    # What is ill stays so over its restarts.
    stage.put(pod("alone", faulty(livenessProbe=ACTIONS["http"] | QUICK | {"failureThreshold": 3})))
    stage.up("alone")
    host, name = lab.node("node-1"), stage.container("alone").name
    stage.running.stop()
    started = host.docker("inspect", "-f", "{{.State.StartedAt}}", name).stdout
    host.docker("exec", name, "touch", UNHEALTHY)
    eventually(lambda: host.docker("inspect", "-f", "{{.State.StartedAt}}", name).stdout != started, 10, "restart")
    eventually(
        lambda: host.docker("inspect", "-f", "{{.State.Running}}", name).stdout.strip() == "false", 30, "end"
    )
    eventually(
        lambda: host.docker("inspect", "-f", "{{.State.Running}}", name).stdout.strip() == "true", 60, "start"
    )
    host.docker("exec", name, "rm", "-f", UNHEALTHY)
    stage.running = stage.world.run()
    try:
        stage.running.converged()
        stage.wait("alone", lambda seen: is_ready(seen) and restarts(seen) >= 1)
    finally:
        stage.clear()
        eventually(lambda: not stage.containers("alone"))


def test_a_prober_that_was_killed_comes_back_and_nobody_is_unready_for_it(stage: Stage, lab: Lab) -> None:
    stage.put(pod("steady", faulty(readinessProbe=ACTIONS["http"] | {"periodSeconds": 2})))
    stage.up("steady")
    lab.node("node-1").docker("kill", PROBER)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert is_ready(stage.pod("steady"))
        time.sleep(0.1)
    eventually(lambda: prober(lab) == "running", what="the prober's return")
    stage.inside("steady", "touch", UNHEALTHY)
    stage.wait("steady", is_unready, 30)
