"""The commands that talk to a pod, as a user types them, on real hosts."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.lab.pods import STAY, Json, Stage, container, pod, restarts, web
from tests.lab.world import eventually, fetch

TALKS = f"for n in 1 2 3; do echo line $n; echo problem $n >&2; done; {STAY}"
SHARED: Json = {"volumes": [{"name": "shared", "emptyDir": {}}]}
MOUNT: Json = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}


def asked(stage: Stage, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments(stage, *words), input=stdin, capture_output=True, text=True, timeout=30, check=False
    )


def arguments(stage: Stage, command: str, *words: str) -> list[str]:
    """The options come first: what follows `--` is the pod's."""
    return [sys.executable, "-m", "reconciler", *command.split(), *stage.world.host_options, *words]


def test_logs_of_now_and_of_the_run_before(stage: Stage) -> None:
    stage.put(pod("talker", container("main", TALKS), container("other", f"echo from the other; {STAY}")))
    stage.up("talker")
    got = asked(stage, "logs", "-c", "main", "talker")
    assert got.returncode == 0, got.stderr
    assert sorted(got.stdout.splitlines()) == sorted([f"{w} {n}" for w in ("line", "problem") for n in (1, 2, 3)])
    assert len(asked(stage, "logs", "-c", "main", "--tail", "2", "talker").stdout.splitlines()) == 2
    dated = asked(stage, "logs", "-c", "other", "--timestamps", "talker").stdout
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z from the other", dated)
    stage.inside("talker", "sh", "-c", "echo a later line >/proc/1/fd/1")
    stage.crash("talker")
    stage.wait("talker", lambda seen: restarts(seen) == 1)
    before = asked(stage, "logs", "-c", "main", "--previous", "talker").stdout
    assert "a later line" in before
    now = asked(stage, "logs", "-c", "main", "talker").stdout
    assert "a later line" not in now
    assert "line 3" in now


def test_logs_that_are_followed(stage: Stage) -> None:
    stage.put(pod("ticker", container("main", "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.2; done")))
    stage.up("ticker")
    following = subprocess.Popen(arguments(stage, "logs", "-f", "ticker"), stdout=subprocess.PIPE, text=True)
    try:
        assert following.stdout is not None
        got = [following.stdout.readline() for _ in range(8)]
        first = int(got[0].split()[1])
        assert got == [f"tick {number}\n" for number in range(first, first + 8)]
    finally:
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=10)


def test_exec_hands_over_stdin_both_outputs_and_the_exit_code(stage: Stage) -> None:
    stage.put(pod("target", container()))
    stage.up("target")
    got = asked(stage, "exec", "-i", "target", "--", "sh", "-c", "cat; echo bad >&2; exit 7", stdin="given")
    assert (got.stdout, got.returncode) == ("given", 7)
    assert "bad" in got.stderr
    odd = "$(touch /tmp/x) `id` ; 'quoted'"
    assert asked(stage, "exec", "target", "--", "echo", odd).stdout == f"{odd}\n"


def test_cp_there_and_back(stage: Stage, tmp_path: Path) -> None:
    stage.put(pod("store", container(**MOUNT), **SHARED))
    stage.up("store")
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "file").write_bytes(bytes(range(256)) * 100)
    there = asked(stage, "cp", str(tmp_path / "tree"), "store:/shared/tree")
    assert there.returncode == 0, there.stderr
    back = asked(stage, "cp", "store:/shared/tree/deep/file", str(tmp_path / "back"))
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "back").read_bytes() == bytes(range(256)) * 100


def test_port_forward_carries_connections_to_the_pod(stage: Stage) -> None:
    stage.put(pod("server", web()))
    stage.up("server")
    forwarding = subprocess.Popen(arguments(stage, "port-forward", "server", "18085:8080"), text=True)
    try:
        eventually(lambda: "pod=server" in fetch("http://127.0.0.1:18085/"), 10)
        assert all("pod=server" in fetch("http://127.0.0.1:18085/") for _ in range(5))
    finally:
        forwarding.send_signal(signal.SIGINT)
        assert forwarding.wait(10) in (0, 130)


def test_top_describe_and_events(stage: Stage) -> None:
    stage.put(pod("worker", container("main", "while :; do :; done", resources={"limits": {"cpu": "200m"}})))
    stage.up("worker")
    time.sleep(1)
    top = asked(stage, "top pods", "worker")
    assert top.returncode == 0, top.stderr
    cpu = re.search(r"worker\s+(\d+)m", top.stdout)
    assert cpu is not None, top.stdout
    assert 100 <= int(cpu[1]) <= 300
    nodes = asked(stage, "top nodes")
    assert all(host.name in nodes.stdout for host in stage.world.lab.nodes), nodes.stderr
    state = ("--state", str(stage.world.state))
    told = stage.world.cli("describe", "pod", "worker", *state)
    assert told.returncode == 0, told.stderr
    for word in ("worker", "node-1", "lab/busybox:1", "Ready", "Running", "Scheduled"):
        assert word in told.stdout
    events = stage.world.cli("events", *state)
    assert events.returncode == 0, events.stderr
    assert "pod/worker" in events.stdout.lower()
    shown = stage.world.cli("get", "pods", "worker", "-o", "json", *state)
    assert json.loads(shown.stdout)["status"]["containerStatuses"][0]["ready"] is True


def test_image_push_brings_a_local_image_to_the_hosts(stage: Stage, tmp_path: Path) -> None:
    """From an archive, as `docker save` writes it: this machine need not run Docker."""
    host = stage.world.lab.node("node-1")
    other = stage.world.lab.node("node-2")
    host.docker("tag", "lab/busybox:1", "lab/pushed:1")
    saved = host.root / "run" / "pushed.tar"
    host.docker("save", "-o", "/run/pushed.tar", "lab/pushed:1")
    archive = tmp_path / "pushed.tar"
    archive.write_bytes(saved.read_bytes())
    saved.unlink()
    try:
        pushed = asked(stage, "image push", str(archive), "--node", "node-2")
        assert pushed.returncode == 0, pushed.stderr
        assert "lab/pushed:1" in other.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout
    finally:
        for each in (host, other):
            each.docker("rmi", "lab/pushed:1", check=False)
