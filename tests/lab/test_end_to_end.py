"""A commit, or a saved file, becomes pods that answer through HAProxy; what a user would see, and nothing else."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.api.apps import ANNOTATION_REVISION as REVISION
from tests.lab.world import World, api, deployment, engine_events, eventually, fetch, service

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {message: "first words"}
---
apiVersion: v1
kind: Secret
metadata: {name: api}
stringData: {token: canary-7f3a}
"""


def pods_that_answer(url: str, asks: int = 24) -> set[str]:
    return {match[1] for _ in range(asks) if (match := re.search(r"pod=(\S+)", fetch(url)))}


def run_git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def commit_all(folder: Path) -> None:
    """A new repository of what is there, on the branch main."""
    run_git(folder, "init", "-q", "-b", "main")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-qm", "first")


def test_a_saved_folder_becomes_pods_on_several_hosts_that_answer_on_every_host(world: World) -> None:
    world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
    with world.run() as running:
        running.converged()
        assert {container.node for container in world.containers("web")} == {"node-1", "node-2", "node-3"}
        for node in ("node-1", "node-2", "node-3"):
            assert len(pods_that_answer(world.url(30080, node))) == 3
        assert running.stop() == 0
    assert all(container.state == "running" for container in world.containers("web")), "the hosts keep serving"


@pytest.mark.hosts(1)
def test_an_edit_rolls_out_and_a_smaller_number_scales_down(world: World) -> None:
    world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
    with world.run() as running:
        running.converged()
        mark = running.mark()
        world.write("web.yaml", deployment("web", 3, "lab/web:2.0") + "---\n" + service("web", 30080))
        running.reached(mark)
        assert {container.image for container in world.containers("web")} == {"lab/web:2.0"}
        assert "version=2.0" in fetch(world.url(30080))
        has_replica_sets_of_both_templates(world)
        mark = running.mark()
        world.write("web.yaml", deployment("web", 1, "lab/web:2.0") + "---\n" + service("web", 30080))
        running.reached(mark)
        assert len(world.containers("web")) == 1


def has_replica_sets_of_both_templates(world: World) -> None:
    """The first without pods, the second with all of them, which name it with its uid."""
    deployment, replica_sets, pods = (objects(world, kind) for kind in ("deploy", "rs", "pods"))
    first, second = sorted(replica_sets, key=lambda one: one["metadata"]["annotations"][REVISION])
    assert [one["metadata"]["annotations"][REVISION] for one in (first, second)] == ["1", "2"]
    assert [one["spec"]["replicas"] for one in (first, second)] == [0, 3]
    assert second["status"]["readyReplicas"] == 3
    (owner,) = second["metadata"]["ownerReferences"]
    assert owner["uid"] == deployment[0]["metadata"]["uid"]
    assert len(pods) == 3
    for pod in pods:
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("ReplicaSet", second["metadata"]["name"])
        assert owner["uid"] == second["metadata"]["uid"]
        assert second["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    log = world.cli("logs", "deploy/web", *world.host_options)
    assert log.returncode == 0, log.stderr


def objects(world: World, kind: str) -> list[Any]:
    shown = world.cli("get", kind, "-o", "json", "--state", str(world.state))
    items: list[Any] = json.loads(shown.stdout)["items"]
    return items


@pytest.mark.hosts(1)
def test_a_commit_to_a_local_repository_is_applied_at_once(world: World, tmp_path: Path) -> None:
    world.write("web.yaml", deployment("web", 1) + "---\n" + service("web", 30080))

    def git(*arguments: str) -> None:
        run_git(world.folder, *arguments)

    commit_all(world.folder)
    with world.run("--git", str(world.folder), "--branch", "main") as running:
        running.converged()
        mark = running.mark()
        world.write("web.yaml", deployment("web", 2) + "---\n" + service("web", 30080))
        git("commit", "-qam", "two of them")
        running.reached(mark, "two of them")
        assert len(world.containers("web")) == 2
        mark = running.mark()
        git("checkout", "-q", "--orphan", "other")
        world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
        git("commit", "-qam", "history rewritten")
        git("branch", "-f", "main", "other")  # What a force-push does to a branch.
        running.reached(mark, "history rewritten")
        assert len(world.containers("web")) == 3


@pytest.mark.hosts(1)
def test_a_pod_of_two_containers_shares_localhost_and_gets_its_secret_and_nobody_else_does(world: World) -> None:
    world.write("config.yaml", CONFIG)
    world.write("api.yaml", api(1, "valueFrom: {secretKeyRef: {name: api, key: token}}"))
    applied = world.on_folder("apply", "--timeout", "60s")
    assert applied.returncode == 0, applied.stderr
    assert "pod" in fetch(world.url(30081))
    assert "pod" in fetch(world.url(30082)), "the sidecar reaches the API on localhost"
    shown = applied.stdout + applied.stderr
    shown += world.on_folder("diff", "-o", "json").stdout
    shown += world.cli("get", "pods", "-A", "-o", "json", "--state", str(world.state)).stdout
    assert "canary-7f3a" not in shown
    for host in world.lab.nodes:
        labels = host.docker("ps", "-a", "--format", "{{.Labels}} {{.Command}} {{.Names}}", "--no-trunc").stdout
        assert "canary-7f3a" not in labels


@pytest.mark.hosts(1)
def test_a_changed_config_map_read_through_env_rolls_the_pods(world: World) -> None:
    env = "          env: [{name: MESSAGE, valueFrom: {configMapKeyRef: {name: words, key: message}}}]"
    world.write("config.yaml", CONFIG)
    world.write("web.yaml", deployment("web", 2, pod=env) + "---\n" + service("web", 30080))
    assert world.on_folder("apply").returncode == 0
    assert "first words" in fetch(world.url(30080))
    world.write("config.yaml", CONFIG.replace("first words", "second words"))
    assert world.on_folder("apply").returncode == 0
    assert "second words" in fetch(world.url(30080))


def test_the_plan_printed_is_the_plan_applied(world: World) -> None:
    world.write("web.yaml", deployment("web", 4) + "---\n" + service("web", 30080))
    planned = world.on_folder("diff", "-o", "json")
    assert planned.returncode == 1, planned.stderr
    assert world.containers() == [], "a diff changes nothing"
    expected = {(pod["name"], pod["node"]) for pod in json.loads(planned.stdout)["pods"]}
    assert world.on_folder("apply").returncode == 0
    assert {(container.pod, container.node) for container in world.containers()} == expected
    assert world.on_folder("diff").returncode == 0

    world.write("web.yaml", deployment("web", 4, "lab/web:2.0") + "---\n" + service("web", 30080))
    planned = world.on_folder("diff", "-o", "json")
    pods = json.loads(planned.stdout)["pods"]
    coming = {(pod["name"], pod["node"]) for pod in pods if pod["action"] == "create"}
    assert {(pod["name"], pod["node"]) for pod in pods if pod["action"] == "delete"} == expected
    assert world.on_folder("apply").returncode == 0
    assert {(container.pod, container.node) for container in world.containers()} == coming


@pytest.mark.hosts(1)
def test_a_diff_in_ci_has_no_state_and_compares_with_the_base_of_the_pull_request(
    world: World, tmp_path: Path
) -> None:
    world.write("web.yaml", deployment("web", 2) + "---\n" + service("web", 30080))
    commit_all(world.folder)
    assert world.on_folder("apply").returncode == 0
    run_git(world.folder, "checkout", "-q", "-b", "more")
    world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
    run_git(world.folder, "commit", "-qam", "more of them")
    elsewhere = ["--ssh-key", str(world.lab.client_key), "--state", str(tmp_path / "none")]
    planned = world.cli("diff", str(world.folder), *elsewhere, "--base", "main", "-o", "json")
    assert planned.returncode == 1, planned.stderr
    report = json.loads(planned.stdout)
    (change,) = report["objects"]
    assert (change["sign"], change["name"]) == ("~", "web")
    assert change["fields"] == [{"path": "spec.replicas", "before": 2, "after": 3, "secret": False}]
    assert [pod["action"] for pod in report["pods"]] == ["create"]
    without = world.cli("diff", str(world.folder), *elsewhere)
    assert "objects are not compared" in without.stdout
    assert not (tmp_path / "none").exists(), "a diff changes nothing, anywhere"


def test_when_all_is_as_wanted_no_host_gets_a_writing_call(world: World) -> None:
    world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
    with world.run() as running:
        running.converged()
        eventually(lambda: _is_quiet(world), what="an end of the work")
        before = _engine_events(world)
        world.write("ignored.txt", "not a manifest")
        time.sleep(3)
        assert _engine_events(world) == before


@pytest.mark.hosts(1)
def test_containers_removed_stopped_or_paused_by_hand_come_back(world: World) -> None:
    world.write("web.yaml", deployment("web", 3) + "---\n" + service("web", 30080))
    with world.run() as running:
        running.converged()
        for action, container in zip(("rm -f", "stop -t 1", "pause"), world.containers("web"), strict=True):
            world.lab.node(container.node).docker(*action.split(), container.id)
        eventually(lambda: [c.state for c in world.containers("web")] == ["running"] * 3, 30, "healing")
        eventually(lambda: len(pods_that_answer(world.url(30080))) == 3)


def test_get_shows_what_runs_where(world: World) -> None:
    world.write("web.yaml", deployment("web", 2) + "---\n" + service("web", 30080))
    assert world.on_folder("apply").returncode == 0
    state = ("--state", str(world.state))
    wide = world.cli("get", "pods", "-o", "wide", *state)
    assert wide.returncode == 0
    assert {container.pod for container in world.containers("web")} <= set(wide.stdout.split())
    assert "2/2" in world.cli("get", "deployments", *state).stdout
    items = json.loads(world.cli("get", "pods", "-o", "json", *state).stdout)["items"]
    assert [item["status"]["phase"] for item in items] == ["Running", "Running"]
    assert "30080" in world.cli("get", "services", *state).stdout
    nodes = world.cli("node", "list", *state).stdout
    assert nodes.count("Ready") == 3


def test_node_reset_removes_what_is_ours_and_only_that(world: World) -> None:
    world.write("web.yaml", deployment("web", 3))
    assert world.on_folder("apply").returncode == 0
    host = world.lab.node("node-1")
    host.docker("run", "-d", "--name", "foreign", "--label", "reconciler.dev/cluster=another", "lab/web:1.0")
    try:
        reset = world.cli("node", "reset", "node-1", str(world.folder), "--yes", *world.host_options)
        assert reset.returncode == 0, reset.stderr
        assert host.docker("ps", "-a", "--format", "{{.Names}}").stdout.split() == ["foreign"]
        assert "rcn-svc" not in host.run(["ip", "link"]).stdout
        assert "proto 82" not in host.run(["ip", "route"]).stdout
        assert "RECONCILER" not in host.run(["iptables-save"]).stdout
        assert len([c for c in world.containers("web") if c.node != "node-1"]) == 2
    finally:
        host.docker("rm", "-f", "foreign")


def _is_quiet(world: World, seconds: float = 1.5) -> bool:
    before = _engine_events(world)
    time.sleep(seconds)
    return _engine_events(world) == before


def _engine_events(world: World) -> list[list[str]]:
    """What each engine was made to do; exec and health events included."""
    return [engine_events(host, 3600, "{{.Type}} {{.Action}}") for host in world.lab.nodes]
