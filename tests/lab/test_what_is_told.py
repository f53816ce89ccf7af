"""What a first week asks of the messages: what is stuck is listed, with the reason, where people look for it."""

import json
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from reconciler.lab import Lab
from tests.lab.pods import Stage, claim, container, manifests, workload
from tests.lab.world import World, eventually

Json = dict[str, Any]


def shown(stage: Stage, *arguments: str) -> str:
    done = stage.world.cli("get", *arguments, "--state", str(stage.world.state))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_fits_nowhere_is_listed_as_pending_and_what_is_stuck_says_why(stage: Stage) -> None:
    large = container(resources={"requests": {"cpu": "1000"}})
    stage.write(workload("large", large, replicas=2), workload("broken", container(image="lab/not-there:1")))
    eventually(lambda: len(stage.pods("large")) == 2, what="two Pending pods")
    rows = [line.split() for line in shown(stage, "pods").splitlines() if line.startswith("large-")]
    assert [(row[1], row[2]) for row in rows] == [("0/1", "Pending")] * 2
    (first, _) = stage.pods("large")
    assert "node-1: needs 1000000m CPU" in first["status"]["message"]
    eventually(lambda: "lab/not-there:1" in shown(stage, "deployments", "broken", "-o", "wide"), what="the reason")


def test_watching_events_begins_with_what_happens_from_now_on(stage: Stage) -> None:
    stage.put(workload("early", container()))
    stage.up("early")
    command = [sys.executable, "-m", "reconciler", "events", "-w", "-o", "json", "--state", str(stage.world.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        try:
            assert watching.stdout is not None
            # The command says nothing of when it begins to watch: pods come until it tells of one.
            for number in range(20):
                stage.put(workload(f"late-{number}", container()), file="late.yaml")
                if select.select([watching.stdout], [], [], 3)[0]:
                    break
            first = json.loads(watching.stdout.readline())
        finally:
            watching.kill()
    assert "early" not in json.dumps(first)


def test_a_node_that_left_the_manifests_is_listed_its_claim_is_lost_and_a_reset_takes_the_rest_away(
    lab: Lab, tmp_path: Path
) -> None:
    world = World(lab, tmp_path)
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "keep"}}]
    mounted = container(volumeMounts=[{"name": "data", "mountPath": "/data"}])
    base = workload("base", mounted, volumes=volumes, nodeSelector={}, more={"strategy": {"type": "Recreate"}})
    world.write("base.yaml", manifests(claim("keep"), base))
    state = ("--state", str(world.state))
    with world.run() as running:
        running.reached(0)
        (there,) = world.containers("base")
        shutil.copytree(world.folder, tmp_path / "next")
        (tmp_path / "next" / f"nodes-{there.node}.yaml").unlink()
        planned = world.cli("diff", str(tmp_path / "next"), *world.host_options)
        assert f"!   {there.pod}" in planned.stdout
        assert "1 pod left behind" in planned.stdout
        (world.folder / f"nodes-{there.node}.yaml").unlink()
        told = running.wait_for("Forgotten", there.pod)
        assert "is not in revision" in told["message"]
        assert not [each for each in running.events if each["reason"] == "Killing"]
        eventually(lambda: "Lost" in world.cli("get", "pvc", *state).stdout, what="a lost claim")
        assert "node reset" in world.cli("get", "pvc", "-o", "wide", *state).stdout
        listed = json.loads(world.cli("node", "list", "-o", "json", *state).stdout)["items"]
        assert there.node in {each["metadata"]["name"] for each in listed}
        assert [each.id for each in world.containers("base")] == [there.id]
    reset = world.cli("node", "reset", there.node, str(world.folder), "--yes", *world.host_options)
    assert reset.returncode == 0, reset.stderr
    assert world.containers("base") == []
    assert "test_default_keep" in lab.node(there.node).docker("volume", "ls", "-q").stdout
