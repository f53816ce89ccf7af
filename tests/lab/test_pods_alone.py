"""What goes on while no master runs: probes and what follows from them, and the files that containers read."""

import pytest

from tests.lab.pods import STAY, Stage, config_map, container, is_ready, manifests, pod, restarts
from tests.lab.world import World, eventually


@pytest.mark.hosts(1)
def test_probes_go_on_while_the_master_is_dead(world: World) -> None:
    healthy = {
        "exec": {"command": ["test", "!", "-e", "/tmp/bad"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "timeoutSeconds": 10,
    }
    volumes = [{"name": "words", "configMap": {"name": "words"}}]
    mounts = [{"name": "words", "mountPath": "/words"}]
    # Each run of it begins well: one that fails again at once is ended, and waits for its back-off.
    script = f"rm -f /tmp/bad; {STAY}"
    main = container("main", script, livenessProbe=healthy, readinessProbe=healthy, volumeMounts=mounts)
    world.write(
        "orphan.yaml",
        manifests(
            config_map("words", word="kept"), pod("orphan", main, volumes=volumes, terminationGracePeriodSeconds=1)
        ),
    )
    with world.run() as running:
        running.converged()
        alone = Stage(world, running)
        alone.up("orphan", 30)
        running.kill()
        before = alone.inspect("orphan")["State"]["StartedAt"]
        alone.inside("orphan", "touch", "/tmp/bad")
        eventually(lambda: alone.inspect("orphan")["State"]["StartedAt"] != before, 15, "the restart")
        assert alone.inside("orphan", "cat", "/words/word") == "kept"
    with world.run() as running:
        running.converged()
        Stage(world, running).wait("orphan", lambda seen: is_ready(seen) and restarts(seen) >= 1)
