"""What a first week asks of the messages: what is stuck is listed, with the reason, where people look for it."""

import json
import select
import subprocess
import sys
from typing import Any

from tests.lab.pods import Stage, container, workload
from tests.lab.world import eventually

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
