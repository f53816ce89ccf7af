"""Bars on real hosts: three engines behind real sshd, a real HAProxy, the reconciler as a process."""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import docker

from reconciler.lab import Host, Lab
from tests.bench.bars import Measured, at_most, p50, p99
from tests.lab.conftest import restore
from tests.lab.world import World, deployment, engine_events, fetch, service
from tests.own_lab import own_lab

REPLICAS = (1, 10, 30)
ROUNDS = 3
CALLERS = (4, 10)
"""Per engine, for the plain calls: the better of the two counts."""
Placed = tuple[str, dict[str, object]]
"""A node, and a request to its Docker engine for one container."""
SAVES = 30
COMMITS = 9


def everything() -> Iterator[Measured]:
    lab = own_lab()
    was_up = lab.is_up()
    lab.up(nodes=3)
    try:
        yield _saved_to_first_call(lab)
        yield _commit_to_answer(lab)
        yield from _many_replicas(lab)
        yield from _at_rest(lab)
    finally:
        if was_up:
            restore(lab)
        else:
            lab.down()


@contextmanager
def _world(lab: Lab) -> Iterator[World]:
    restore(lab)
    with tempfile.TemporaryDirectory() as directory:
        yield World(lab, Path(directory))


def _saved_to_first_call(lab: Lab) -> Measured:
    """From the rename that saves a file to the moment the engine begins with the container."""
    waits = []
    with _world(lab) as world:
        world.write("web.yaml", deployment("web", 1))
        with world.run() as running:
            running.converged()
            for replicas in range(2, SAVES + 2):
                mark = running.mark()
                known = {container.id for container in world.containers("web")}
                saved = time.time()
                world.write("web.yaml", deployment("web", replicas))
                running.converged(since=mark)
                (new,) = [container for container in world.containers("web") if container.id not in known]
                waits.append(begun(world.lab.node(new.node), new.id) - saved)
    detail = f" (p50 {p50(waits) * 1000:.0f} ms, n={SAVES})"
    return at_most("file saved → first Docker call, p99", p99(waits) * 1000, 250, "ms", detail)


def begun(host: Host, container: str) -> float:
    """Docker stamps a container when it begins to create it, before the layers are made."""
    text = host.docker("inspect", "--format", "{{.Created}}", container).stdout.strip()
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(seconds + "+00:00").timestamp() + float(f"0.{fraction or 0}")


def _commit_to_answer(lab: Lab) -> Measured:
    """One replica's commit (a new message) to the first answer with it through HAProxy on another host."""
    waits = []
    with _world(lab) as world:
        git = ["git", "-C", str(world.folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]

        def write(number: int) -> None:
            env = f"          env: [{{name: MESSAGE, value: 'edit-{number}.'}}]"
            world.write("web.yaml", deployment("web", 1, pod=env) + "---\n" + service("web", 30080))

        write(0)
        for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "0"]):
            subprocess.run([*git, *arguments], check=True)
        with world.run("--git", str(world.folder)) as running:
            running.converged()
            for number in range(1, COMMITS + 1):
                mark = running.mark()
                write(number)
                began = time.monotonic()
                subprocess.run([*git, "commit", "-qam", str(number)], check=True)
                while f"edit-{number}." not in fetch(world.url(30080, "node-2"), timeout=1):
                    assert time.monotonic() - began < 30, "no answer within 30 s"
                    time.sleep(0.005)
                waits.append(time.monotonic() - began)
                running.converged(since=mark)
    detail = f" (p99 {p99(waits):.2f} s, n={COMMITS})"
    return at_most("one replica's commit → first answer through HAProxy, p50", p50(waits), 1.5, "s", detail)


def _many_replicas(lab: Lab) -> Iterator[Measured]:
    """Against the same containers, made and started by plain parallel calls to the same three engines."""
    ours: dict[int, list[float]] = {replicas: [] for replicas in REPLICAS}
    plain: dict[int, list[float]] = {replicas: [] for replicas in REPLICAS}
    for _ in range(ROUNDS):
        for replicas in REPLICAS:
            seconds, configs = _by_us(lab, replicas)
            ours[replicas].append(seconds)
            plain[replicas].append(min(_plain(lab, configs, callers) for callers in CALLERS))
    for replicas in REPLICAS:
        ratio = p50([mine / theirs for mine, theirs in zip(ours[replicas], plain[replicas], strict=True)])
        detail = f" ({p50(ours[replicas]):.2f} s against {p50(plain[replicas]):.2f} s)"
        yield at_most(
            f"{replicas} replicas on 3 hosts running, against plain parallel calls", ratio, 1.3, "×", detail
        )


def _by_us(lab: Lab, replicas: int) -> tuple[float, list[Placed]]:
    """From the saved file to the last container's start; and the requests that made them."""
    with _world(lab) as world, world.run() as running:
        world.write("one.yaml", deployment("one", 1))
        running.converged()
        mark = running.mark()
        began = time.time()
        world.write("web.yaml", deployment("web", replicas))
        running.converged(since=mark, timeout=120)
        moments = [started(lab.node(c.node), c.id) for c in world.containers("web")]
        assert len(moments) == replicas
        configs = _configs(world)
        mark = running.mark()
        (world.folder / "web.yaml").unlink()
        running.converged(since=mark, timeout=120)
        return max(moments) - began, configs


def started(host: Host, container: str) -> float:
    text = host.docker("inspect", "--format", "{{.State.StartedAt}}", container).stdout.strip()
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(seconds + "+00:00").timestamp() + float(f"0.{fraction or 0}")


def _configs(world: World) -> list[Placed]:
    """The very requests that made the replicas, read back from the engines."""
    found = []
    for container in world.containers("web"):
        inspected = json.loads(world.lab.node(container.node).docker("inspect", container.id).stdout)[0]
        address = inspected["NetworkSettings"]["Networks"]["reconciler"]["IPAMConfig"]
        request = {
            **inspected["Config"],
            "HostConfig": inspected["HostConfig"],
            "NetworkingConfig": {"EndpointsConfig": {"reconciler": {"IPAMConfig": address}}},
        }
        found.append((container.node, request))
    return found


def _plain(lab: Lab, configs: list[Placed], callers: int) -> float:
    """So many callers per engine, straight to its socket: nothing between them and Docker."""
    clients: dict[str, Any] = {
        host.name: docker.APIClient(f"unix://{host.docker_socket}", num_pools=16) for host in lab.nodes
    }
    pools = {name: ThreadPoolExecutor(callers) for name in clients}

    def start(node: str, request: dict[str, object]) -> tuple[str, str]:
        made = clients[node].create_container_from_config(request)["Id"]
        clients[node].start(made)
        return node, made

    began = time.time()
    made = [each.result() for each in [pools[node].submit(start, node, request) for node, request in configs]]
    took = max(started(lab.node(node), container) for node, container in made) - began
    for node, container in made:
        clients[node].remove_container(container, force=True)
    for name, client in clients.items():
        pools[name].shutdown()
        client.close()
    return took


def _at_rest(lab: Lab) -> Iterator[Measured]:
    """The size of the process, its idle cost, and what it does to hosts that are as they should be."""
    with _world(lab) as world:
        world.write("web.yaml", deployment("web", 9) + "---\n" + service("web", 30080))
        with world.run() as running:
            running.converged()
            time.sleep(2)
            before, ticks = _written(lab), cpu_seconds(running.process.pid)
            time.sleep(10)
            idle = (cpu_seconds(running.process.pid) - ticks) / 10 * 100
            writes = _written(lab) - before
            status = Path(f"/proc/{running.process.pid}/status").read_text()
            resident = re.search(r"VmHWM:\s+(\d+)", status)
            assert resident is not None
            yield at_most("reconciler's memory with the lab, at its peak", int(resident[1]) / 1024, 120, "MB")
            yield at_most("writing calls to hosts that are as wanted, in 10 s", writes, 0, "calls")
            yield at_most("idle reconciler, of one core", idle, 1, "%")


def _written(lab: Lab) -> int:
    """Everything an engine did or was asked to do that is not reading; every exec counts."""
    return sum(len(engine_events(host, 3600, "{{.Action}}")) for host in lab.nodes)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
