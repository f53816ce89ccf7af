"""What clients of a Service notice when its pods die, with a master and without."""

import socket
import time
from typing import Any

import pytest

from tests.lab.load import Load
from tests.lab.pods import Stage, is_ready, service, web, workload
from tests.lab.world import asked, eventually, fetch

pytestmark = pytest.mark.hosts(3)
BY_CONNECTION, BY_REQUEST = 30080, 30081


def pods(replicas: int) -> dict[str, Any]:
    return workload("web", web(), replicas=replicas, nodeSelector={})


def ports() -> tuple[dict[str, Any], dict[str, Any]]:
    """One Service by connection, one by request."""
    plain, http = service("web", BY_CONNECTION), service("web-http", BY_REQUEST, app="web")
    http["spec"]["ports"][0]["appProtocol"] = "http"
    return plain, http


def is_refused(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def processes(stage: Stage) -> list[str]:
    """HAProxy's master and its worker; after a reload the worker before, too, until it has ended."""
    listed = stage.docker("top", "test_proxy", "-eo", "pid,args").splitlines()
    return [line for line in listed if line.split()[1].endswith("haproxy")]


def site() -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"defaultBackend": backend},
    }


@pytest.mark.fault(70)
def test_without_a_ready_pod_sites_answer_503_and_services_refuse_and_the_same_process_serves_the_next_one(
    stage: Stage,
) -> None:
    mark = stage.put(pods(1), *ports(), site())
    stage.running.converged(since=mark)
    eventually(lambda: fetch(stage.world.url(BY_REQUEST)))
    eventually(lambda: len(processes(stage)) == 2, what="the end of the worker before the reload")
    before = processes(stage)
    stage.put(pods(0), *ports(), site())
    edge = stage.world.lab.node("node-1").address
    eventually(lambda: asked(edge, "http://any/")[0] == "503")
    eventually(lambda: is_refused(edge, BY_CONNECTION) and is_refused(edge, BY_REQUEST))
    stage.put(pods(1), *ports(), site())
    eventually(lambda: [asked(edge, f"http://any{port}/")[0] for port in ("", f":{BY_REQUEST}")] == ["200", "200"])
    assert processes(stage) == before, "no reload"


def test_a_pod_that_dies_while_no_master_runs_is_passed_over_within_a_second(stage: Stage) -> None:
    mark = stage.put(pods(3), *ports())
    stage.running.converged(since=mark)  # Every host's proxy has them all.
    eventually(lambda: len(stage.pods("web")) == 3 and all(map(is_ready, stage.pods("web"))))
    stage.running.kill()
    targets = [(host.address, port) for host in stage.world.lab.nodes for port in (BY_CONNECTION, BY_REQUEST)]
    with Load(targets, rate=40) as requests:
        time.sleep(0.5)
        victim = stage.world.containers("web")[0]
        stage.docker("kill", victim.id, node=victim.node)
        killed = time.monotonic() - requests.began
        time.sleep(4)
    late = [failure for failure in requests.failures if failure.at - killed > 1]
    assert late == []
    assert len(requests.failures) < requests.answered / 100
    stage.running = stage.world.run()
    stage.running.converged()
    assert [one.state for one in stage.world.containers("web")] == ["running"] * 3
