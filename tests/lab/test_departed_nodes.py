"""A host whose Node leaves the manifests: what is told of it, what becomes of its data, and how it is emptied."""

import json
import shutil
from pathlib import Path

from reconciler.lab import Lab
from tests.lab.pods import claim, container, manifests, workload
from tests.lab.world import World, eventually


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
