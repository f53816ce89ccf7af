"""The proxy image: what is told while a host lacks it, and the one command that makes it and brings it there."""

import os
import subprocess
import sys
from pathlib import Path

from reconciler.lab import Lab
from tests.lab.world import World, cluster, deployment, eventually, fetch, service

MISSING = "lab/own-proxy:1"


def build_proxy(world: World, dockerfile: Path, *more: str) -> subprocess.CompletedProcess[str]:
    engine = {"DOCKER_HOST": f"unix://{world.lab.nodes[0].docker_socket}"}
    command = [sys.executable, "-m", "reconciler", "image", "build-proxy", str(world.folder), *world.host_options]
    return subprocess.run(
        [*command, "--file", str(dockerfile), *more],
        env={**os.environ, **engine},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_missing_image_is_one_message_a_node_and_one_command_brings_it(lab: Lab, tmp_path: Path) -> None:
    world = World(lab, tmp_path)
    world.write("cluster.yaml", cluster().replace("lab/proxy:1", MISSING))
    world.write("web.yaml", deployment("web", 2) + "---\n" + service("web", 30080))
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM lab/proxy:1\nLABEL made=here\n")
    try:
        with world.run() as running:
            names = {host.name for host in lab.nodes}
            for name in names:
                event = running.wait_for("ProxyRefused", f'"node": "{name}"')
                assert f"Docker has no {MISSING}" in event["message"]
                assert "reconciler image build-proxy" in event["message"]
            # Revisions come and go meanwhile: each has the hosts brought to what is wanted, and looked at.
            for replicas in (3, 4, 3):
                mark = running.mark()
                world.write("web.yaml", deployment("web", replicas) + "---\n" + service("web", 30080))
                running.accepted(since=mark)
                running.wait_for("Progressing", f"{replicas} updated", since=mark)
            told = [event for event in running.events if MISSING in event["message"] and event["kind"] == "Node"]
            assert sorted(event["name"] for event in told) == sorted(names)
            brought = build_proxy(world, dockerfile)
            assert brought.returncode == 0, brought.stderr
            running.converged(timeout=90, since=running.mark())
            # Whichever part of the host had the image first says that it is there.
            eventually(lambda: {each["name"] for each in running.events if "Recovered" in each["reason"]} == names)
            assert "web" in fetch(world.url(30080))
    finally:
        for host in lab.nodes:
            host.wipe()
            host.docker("rmi", "-f", MISSING, check=False)
