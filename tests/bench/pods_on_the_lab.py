"""Bars of pods on a real host: how fast they run, come back and are told news; and what they cost at rest."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker

from reconciler.lab import Host, Lab
from reconciler.lab.errors import LabError
from tests.bench.bars import Measured, at_most, p50, p99
from tests.bench.on_the_lab import begun, cpu_seconds, started
from tests.lab.conftest import restore
from tests.lab.pods import Json, Stage, config_map, container, pod
from tests.lab.world import OnHost, World
from tests.own_lab import own_lab

ROUNDS = 12
KILLS = 40
EDITS = 40
MANY = 100
WATCHED = 30.0
"""Seconds of rest that are measured."""
MORE_ROOM = """\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata: {name: test}
spec:
  images: {pause: "lab/pause:1", proxy: "lab/proxy:1"}
  guard: {maxDeletePercent: 100}
"""


def everything() -> Iterator[Measured]:
    lab = own_lab()
    was_up = lab.is_up()
    lab.up(nodes=max(1, len(lab.records)))
    try:
        yield from _started(lab)
        yield _killed(lab)
        yield _told(lab)
        yield from _at_rest(lab)
    finally:
        if was_up:
            restore(lab)
        else:
            lab.down()


@contextmanager
def _stage(lab: Lab) -> Iterator[Stage]:
    restore(lab)
    with tempfile.TemporaryDirectory() as directory:
        world = World(lab, Path(directory))
        world.write("cluster.yaml", MORE_ROOM)
        with world.run() as running:
            running.converged()
            yield Stage(world, running)


# --- create -> running --------------------------------------------------------------------------------------


def _started(lab: Lab) -> Iterator[Measured]:
    """From the decision (the event Scheduled) to the last container's start, by the engine's own stamps.

    Against the very same requests, made by plain calls to the same engine one after the other, in the same
    round. What comes before, from the saved file to the first call, is a bar of its own.
    """
    for what, count, limit in (("a pod of one container", 1, 1.15), ("a pod of three containers", 3, 1.3)):
        ours, plain = [], []
        with _stage(lab) as stage:
            for number in range(ROUNDS + 1):
                mine, requests = _by_us(stage, f"pod-{number}", count)
                theirs = _plainly(stage.world.lab.node("node-1"), requests)
                if number:  # The first one meets everything cold.
                    ours.append(mine)
                    plain.append(theirs)
        detail = f" ({p50(ours):.3f} s against {p50(plain):.3f} s, medians of {ROUNDS})"
        calls = "one plain create + start" if count == 1 else "its four"
        yield at_most(f"{what}, created → running, against {calls}", p50(ours) / p50(plain), limit, "×", detail)


def _by_us(stage: Stage, name: str, count: int) -> tuple[float, list[Json]]:
    host = stage.world.lab.node("node-1")
    arrived = _Arrival(stage)
    mark = stage.put(pod(name, *(container(f"c{number}") for number in range(count))))
    decided = arrived.of("Scheduled", name, mark)
    stage.up(name)
    found = _in_order(host, stage.containers(name))
    assert len(found) == (1 if count == 1 else count + 1)
    took = max(started(host, each.id) for each in found) - min(decided, begun(host, found[0].id))
    requests = [_request(json.loads(host.docker("inspect", each.id).stdout)[0]) for each in found]
    mark = stage.running.mark()
    stage.clear()
    stage.running.converged(since=mark)
    return took, requests


class _Arrival:
    """When an event was printed; looked at so often that a millisecond is not missed."""

    def __init__(self, stage: Stage) -> None:
        self._running = stage.running

    def of(self, reason: str, name: str, since: int) -> float:
        deadline = time.monotonic() + 20
        at = since
        while time.monotonic() < deadline:
            events = self._running.events
            while at < len(events):
                if events[at]["reason"] == reason and events[at]["name"] == name:
                    return time.time()
                at += 1
            time.sleep(0.001)
        raise AssertionError(f"no {reason} of {name}")


def _in_order(host: Host, found: list[OnHost]) -> list[OnHost]:
    return sorted(found, key=lambda each: begun(host, each.id))


def _request(inspected: Json) -> Json:
    """What made this container, without our labels: a running reconciler would look after it."""
    networks = inspected["NetworkSettings"]["Networks"]
    endpoints = {name: {"IPAMConfig": each["IPAMConfig"]} for name, each in networks.items()}
    config = {**inspected["Config"], "Labels": {}}
    if inspected["HostConfig"]["NetworkMode"].startswith("container:"):
        for field in ("Hostname", "Domainname", "ExposedPorts"):
            config.pop(field, None)
    return {
        **config,
        "HostConfig": inspected["HostConfig"],
        **({"NetworkingConfig": {"EndpointsConfig": endpoints}} if endpoints else {}),
        "Id": inspected["Id"],
    }


def _plainly(host: Host, requests: list[Json]) -> float:
    """One call after the other; a container that joined another joins its new one."""
    client: Any = docker.APIClient(f"unix://{host.docker_socket}")
    made: dict[str, str] = {}
    began = time.time()
    for request in requests:
        text = json.dumps({key: value for key, value in request.items() if key != "Id"})
        for old, new in made.items():
            text = text.replace(old, new)
        fresh = client.create_container_from_config(json.loads(text))["Id"]
        client.start(fresh)
        made[request["Id"]] = fresh
    took = started(host, list(made.values())[-1]) - began
    for fresh in reversed(made.values()):
        client.remove_container(fresh, force=True)
    client.close()
    return took


# --- killed -> running, and edited -> read ------------------------------------------------------------------


def _killed(lab: Lab) -> Measured:
    """SIGKILL to a container's first process; each container once, so that no back-off is in it."""
    waits = []
    with _stage(lab) as stage:
        host = lab.node("node-1")
        lone = [pod(f"lone-{number}", container()) for number in range(KILLS // 2)]
        pairs = [pod(f"pair-{number}", container("main"), container("two")) for number in range(KILLS // 4)]
        mark = stage.put(*lone, *pairs)
        stage.running.converged(since=mark, timeout=120)
        for each in stage.world.containers(nodes=("node-1",)):
            if each.labels["reconciler.dev/container"] not in ("main", "two"):
                continue
            state = json.loads(host.docker("inspect", each.id).stdout)[0]["State"]
            killed = time.time()
            host.run(["kill", "-9", str(state["Pid"])])
            waits.append(_started_after(host, each.id, killed) - killed)
    detail = f" (p50 {p50(waits):.2f} s, n={len(waits)})"
    return at_most("container killed → running again, p99", p99(waits), 1.5, "s", detail)


def _started_after(host: Host, container: str, killed: float) -> float:
    deadline = time.monotonic() + 20
    while (again := started(host, container)) <= killed:
        assert time.monotonic() < deadline, "not started again within 20 s"
        time.sleep(0.02)
    return again


def _told(lab: Lab) -> Measured:
    """From the rename that saves the ConfigMap to the new bytes in a file as the container's process sees it."""
    waits = []
    with _stage(lab) as stage:
        host = lab.node("node-1")
        volumes = [{"name": "words", "configMap": {"name": "words"}}]
        main = container(volumeMounts=[{"name": "words", "mountPath": "/words"}])
        stage.put(config_map("words", word="edit-0"), file="words.yaml")
        stage.put(pod("reader", main, volumes=volumes), file="reader.yaml")
        stage.up("reader")
        before = stage.container("reader").id
        pid = stage.inspect("reader")["State"]["Pid"]
        seen = host.root / f"proc/{pid}/root/words/word"
        for number in range(1, EDITS + 1):
            saved = time.monotonic()
            stage.write(config_map("words", word=f"edit-{number}"), file="words.yaml")
            while _text(seen) != f"edit-{number}":
                assert time.monotonic() - saved < 20, "not read within 20 s"
                time.sleep(0.002)
            waits.append(time.monotonic() - saved)
            time.sleep(0.1)
        assert stage.container("reader").id == before
    detail = f" (p50 {p50(waits) * 1000:.0f} ms, n={EDITS})"
    return at_most("ConfigMap saved → new bytes in the running container, p99", p99(waits), 2, "s", detail)


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""


# --- at rest ------------------------------------------------------------------------------------------------


def _at_rest(lab: Lab) -> Iterator[Measured]:
    """A hundred pods on one host, each with an HTTP readiness and an HTTP liveness probe every 10 s (the default).

    Counted: the reconciler, the prober, and what dockerd and containerd do more than for the same pods with
    nobody there (dockerd wakes once in two seconds for every container on a network of its own). Not counted: the
    pods' own web servers, and the kernel's work for them.
    """
    get = {"httpGet": {"path": "/", "port": 8080}}
    serve = "mkdir /tmp/www; echo hi >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
    with _stage(lab) as stage:
        main = container("main", serve, readinessProbe=get, livenessProbe=get)
        mark = stage.put(*(pod(f"pod-{number:03}", main) for number in range(MANY)), timeout=60)
        stage.running.converged(since=mark, timeout=200)
        time.sleep(5)
        host = lab.node("node-1")
        engine = {name: _pids(host, name) for name in ("dockerd", "containerd")}
        prober, pid = _prober(host), stage.running.process.pid
        ours, probes = cpu_seconds(pid), _container_seconds(host, prober)
        watched = _shares(engine)
        reconciler = (cpu_seconds(pid) - ours) / WATCHED * 100
        probing = (_container_seconds(host, prober) - probes) / WATCHED * 100
        stage.running.stop()
        host.docker("stop", "-t", "1", prober)
        time.sleep(1)
        alone = _shares(engine)
        more = {name: max(0.0, watched[name] - alone[name]) for name in engine}
        cost = reconciler + probing + sum(more.values())
        parts = [f"reconciler {reconciler:.2f}", f"prober {probing:.2f}"]
        parts += [f"{name} {more[name]:.2f} over its own {alone[name]:.2f}" for name in engine]
        yield at_most(
            f"{MANY} pods with two HTTP probes on one host, of one core", cost, 2, "%", f" ({', '.join(parts)})"
        )
        yield at_most(f"idle reconciler with {MANY} pods on one host, of one core", reconciler, 1, "%")


def _shares(processes: dict[str, list[int]]) -> dict[str, float]:
    """Percent of one core, over WATCHED seconds from now."""
    before = {name: sum(map(cpu_seconds, pids)) for name, pids in processes.items()}
    time.sleep(WATCHED)
    return {name: (sum(map(cpu_seconds, pids)) - before[name]) / WATCHED * 100 for name, pids in processes.items()}


def _pids(host: Host, program: str) -> list[int]:
    """Of the host's processes of this name, as the machine numbers them."""
    inside = host.run(["readlink", "/proc/self/ns/pid"]).stdout.strip()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            number = int(entry.name)
            if (entry / "comm").read_text().strip() == program and str((entry / "ns/pid").readlink()) == inside:
                found.append(number)
    if not found:
        raise LabError(f"{host.name} runs no {program}")
    return found


def _prober(host: Host) -> str:
    return host.docker(
        "ps", "-q", "--no-trunc", "--filter", "label=reconciler.dev/container=PROBER"
    ).stdout.strip()


def _container_seconds(host: Host, container: str) -> float:
    """CPU time of everything in a container so far; execs in it too."""
    client: Any = docker.APIClient(f"unix://{host.docker_socket}")
    used = client.stats(container, stream=False, one_shot=True)["cpu_stats"]["cpu_usage"]["total_usage"]
    client.close()
    return float(used) / 1e9
