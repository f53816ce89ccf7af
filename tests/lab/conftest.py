"""Real hosts for the tests: `lab` is up, and every test that uses it finds it whole and empty."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.lab import Host, Lab
from reconciler.lab.engine import labelled_containers
from reconciler.model.names import LABEL_CLUSTER
from tests.lab.pods import Stage
from tests.lab.world import World
from tests.own_lab import own_lab, share_images

TRACES = ("run/reconciler-leases", "run/reconciler", "var/lib/reconciler")
PIDS = 200
"""What one container may have of processes and threads."""
STAGE = f"""\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata: {{name: test}}
spec:
  images: {{pause: "lab/pause:1", proxy: "lab/proxy:1"}}
  guard: {{maxDeletePercent: 100}}
  sync: {{relistSeconds: 10}}
  podLimits: {{pids: {PIDS}}}
  podSecurity:
    namespaces: {{system: privileged, tight: restricted}}
    hostPaths: [{{path: /srv/shown}}, {{path: /srv/lent, readOnly: false}}]
    hostPorts: [8093]
"""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab of three hosts or more; one that was up before the tests stays up after them."""
    lab = own_lab()
    was_up = any(status.state != "off" for status in lab.status().values())
    share_images(lab.directory)
    lab.up(nodes=max(3, len(lab.records)))
    yield lab
    if was_up:
        restore(lab)
    else:
        lab.down()


@pytest.fixture
def world(lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """Manifests and a state for one test. Where its mark does not say how many, all hosts of the lab are nodes."""
    return World(lab, tmp_path, hosts_of(request.node))


def hosts_of(node: pytest.Item) -> int | None:
    mark = node.get_closest_marker("hosts")
    return mark.args[0] if mark else None


@pytest.fixture(autouse=True)
def whole_and_empty_lab(request: pytest.FixtureRequest) -> None:
    """Before each test that uses the lab: nothing of an earlier test runs, all hosts and engines answer.

    The tests of a file that share a running master (`stage`) begin once with such a lab.
    """
    if "lab" in request.fixturenames and "stage_of_file" not in request.fixturenames:
        restore(request.getfixturevalue("lab"))


@pytest.fixture(scope="module")
def stage_of_file(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """One master for all tests of a file, on one host, or as many as the file's mark says, empty before them."""
    restore(lab)
    world = World(lab, tmp_path_factory.mktemp("stage"), hosts_of(request.node) or 1)
    world.write("cluster.yaml", STAGE)
    with world.run() as running:
        running.converged()
        stage = Stage(world, running)
        try:
            yield stage
        finally:
            stage.running.stop()  # A test may have put another one in its place.


@pytest.fixture
def stage(stage_of_file: Stage) -> Iterator[Stage]:
    stage_of_file.begin()
    yield stage_of_file
    stage_of_file.clear()


def restore(lab: Lab) -> None:
    """Heal every host, restart what died, and wipe what a reconciler left there.

    Where one has been, there is its lease, or a directory, or a container: other hosts have nothing to wipe.
    """

    def restore_host(host: Host) -> None:
        if host.status().state != "ready":
            host.start()
        if any((host.root / trace).exists() for trace in TRACES) or labelled_containers(
            host.docker_socket, LABEL_CLUSTER
        ):
            host.wipe()

    with ThreadPoolExecutor(len(lab.nodes)) as pool:
        list(pool.map(restore_host, lab.nodes))
