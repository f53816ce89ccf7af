"""What a person does with pods, on real hosts: the commands as they are typed, in a process of their own."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.lab import Lab
from tests.command_server import Piped, call
from tests.haproxy_process import free_ports
from tests.lab.conftest import restore
from tests.lab.world import World, cluster, deployment, eventually, fetch, service

TALKER = """\
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: lab/busybox:1
      command:
        - sh
        - -c
        - |
          echo out $(cat /proc/sys/kernel/random/uuid)
          sleep 0.1
          echo err >&2
          while [ ! -e /tmp/end ]; do sleep 0.2; done
          rm /tmp/end
          exit 3
    - name: beside
      image: lab/busybox:1
      command: [sh, -c, "trap exit TERM; while true; do echo tick; sleep 1; done"]
---
apiVersion: v1
kind: Pod
metadata: {name: chatty}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: lab/busybox:1
      command:
        - sh
        - -c
        - |
          for number in $(seq 1000); do printf '%06d %01000d\\n' $number 0; done
          exec /bin/pause
"""
LOG_FILE, LOG_FILES = 128 << 10, 3
ROTATED = f"  podLimits: {{containerLogMaxSize: {LOG_FILE}, containerLogMaxFiles: {LOG_FILES}}}\n"

RUNS = 12
SHORT = """\
apiVersion: v1
kind: Pod
metadata: {name: short}
spec:
  restartPolicy: Never
  containers:
""" + "".join(
    f'  - {{name: c{number}, image: "lab/busybox:1", command: [echo, "line of {number}"]}}\n'
    for number in range(RUNS)
)
"""Docker may say that they ended before they started."""
LINES = """\
apiVersion: v1
kind: Pod
metadata: {name: lines}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: lab/busybox:1
      command:
        - sh
        - -c
        - |
          next() { while [ ! -e /tmp/$1 ]; do sleep 0.2; done; }
          echo first
          head -c 40000 /dev/zero | tr '\\0' x
          next between
          echo between >&2
          next end
          echo
          head -c 16384 /dev/zero | tr '\\0' y; echo
          next more
          head -c 20000 /dev/zero | tr '\\0' z; echo
          exec sleep 10000
"""


class Shop:
    """A world with running pods, and the commands of a person who looks after them."""

    def __init__(self, world: World, metrics: int) -> None:
        self.world = world
        self.metrics = f"http://127.0.0.1:{metrics}/metrics"
        self.environment = {
            **os.environ,
            "RECONCILER_STATE": str(world.state),
            "RECONCILER_SSH_KEY": str(world.lab.client_key),
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "reconciler", *arguments]

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return call(*arguments, stdin=stdin, timeout=60, environment=self.environment)

    def out(self, *arguments: str, stdin: bytes = b"") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def shows(self, pod: str, text: str) -> bool:
        """In its log up to now."""
        return text in self.out("logs", pod)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Piped]:
        process = Piped(arguments, self.environment, text=False)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)
            process.close()


@pytest.fixture(scope="module")
def shop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    restore(lab)
    world = World(lab, tmp_path_factory.mktemp("shop"))
    world.write("cluster.yaml", cluster() + ROTATED)
    world.write("talker.yaml", TALKER)
    world.write("short.yaml", SHORT)
    world.write("lines.yaml", LINES)
    world.write("web.yaml", deployment("web", 2) + "---\n" + service("web", 30080))
    (metrics,) = free_ports(1)
    with world.run(str(world.folder), "--metrics", str(metrics)) as reconciler:
        reconciler.converged()
        yield Shop(world, metrics)


@pytest.fixture(autouse=True)
def whole_and_empty_lab() -> None:
    """These tests share one world; none of them breaks it."""


def test_logs(shop: Shop) -> None:
    eventually(lambda: shop.out("logs", "talker", "-c", "main").endswith("err\n"), what="all of its words")
    eventually(lambda: shop.out("logs", "talker", "-c", "beside"), what="a tick")
    whole = shop.run("logs", "talker")
    assert whole.stdout.startswith(b"out ")
    assert whole.stdout.endswith(b"err\n")
    assert b'Defaulted container "main" out of: main, beside' in whole.stderr
    assert shop.out("logs", "talker", "-c", "beside", "--tail", "1") == "tick\n"
    (line,) = shop.out("logs", "talker", "-c", "main", "--tail", "1", "--timestamps").splitlines()
    assert line[:2] == "20"
    assert line.endswith("Z err")
    together = shop.out("logs", "talker", "--all-containers", "--prefix")
    assert "[pod/talker/main] err\n" in together
    assert "[pod/talker/beside] tick\n" in together
    assert shop.out("logs", "talker", "-c", "main", "--since", "1ms") == ""
    assert shop.out("logs", "svc/web").startswith("web: version 1.0")


def test_logs_are_followed_as_they_come(shop: Shop) -> None:
    with shop.running("logs", "pod/talker", "-c", "beside", "-f", "--tail", "0") as following:
        assert following.stdout is not None
        began = time.monotonic()
        assert [following.stdout.readline() for _ in range(3)] == [b"tick\n"] * 3
        assert time.monotonic() - began < 15


def test_long_lines_are_lines(shop: Shop) -> None:
    whole = ["first\n", "between\n", "x" * 40000 + "\n", "y" * 16384 + "\n"]
    for shown, then in (("first\n", "between"), ("between\n", "end")):
        eventually(partial(shop.shows, "lines", shown), what=shown)
        shop.out("exec", "lines", "--", "touch", f"/tmp/{then}")
    eventually(partial(shop.shows, "lines", "y\n"), what="all lines")
    assert shop.out("logs", "lines").splitlines(keepends=True) == whole
    timed = shop.out("logs", "lines", "--timestamps").splitlines()
    assert [len(line) for line in timed] == [31 + len(line.rstrip()) for line in whole], "one time a line"
    assert shop.out("logs", "lines", "--tail", "1") == whole[3]
    assert shop.out("logs", "lines", "--tail", "2").splitlines(keepends=True) == whole[2:]
    with shop.running("logs", "lines", "-f", "--tail", "2", "--timestamps") as following:
        assert following.stdout is not None
        seen = [following.stdout.readline()[31:].decode() for _ in range(2)]
        shop.out("exec", "lines", "--", "touch", "/tmp/more")
        assert [*seen, following.stdout.readline()[31:].decode()] == [*whole[2:], "z" * 20000 + "\n"]


def test_the_log_of_a_short_run_is_of_this_run(shop: Shop) -> None:
    eventually(lambda: '"phase": "Succeeded"' in shop.out("get", "pod", "short", "-o", "json"), what="its end")
    names = [f"c{number}" for number in range(RUNS)]
    shown = shop.out("logs", "short", "--all-containers", "--prefix").splitlines()
    assert shown == [f"[pod/short/{name}] line of {name[1:]}" for name in names]
    assert shop.out("logs", "short", "--all-containers", "--previous") == ""


def test_each_run_has_its_own_log(shop: Shop) -> None:
    none = shop.run("logs", "talker", "-c", "main", "--previous")
    assert none.returncode == 2
    assert b'previous terminated container "main" in pod "talker" not found' in none.stderr
    first = shop.out("logs", "talker", "-c", "main")
    shop.out("exec", "talker", "-c", "main", "--", "touch", "/tmp/end")
    eventually(lambda: shop.out("logs", "talker", "-c", "main") not in ("", first), what="a second run")
    second = shop.out("logs", "talker", "-c", "main")
    assert second.count("out ") == 1
    assert shop.out("logs", "talker", "-c", "main", "--previous") == first
    told = "container main exited with code 3"
    eventually(lambda: told in shop.out("describe", "pod", "talker"), what="the event of its end")


def test_a_chatty_pod_keeps_as_much_of_its_log_as_the_cluster_allows_and_no_more(shop: Shop) -> None:
    eventually(lambda: shop.out("logs", "chatty", "--tail", "1").startswith("001000 "), what="its last line")
    (chatty,) = [each for each in shop.world.containers() if each.pod == "chatty"]
    host = shop.world.lab.node(chatty.node)
    log = host.docker("inspect", "--format", "{{.LogPath}}", chatty.id).stdout.strip()
    sizes = [int(size) for size in host.run(["sh", "-c", f"stat -c %s {log}*"]).stdout.split()]
    assert sum(sizes) < LOG_FILES * (LOG_FILE + 4096), sizes
    numbers = [int(line.split()[0]) for line in shop.out("logs", "chatty").splitlines()]
    assert numbers == list(range(numbers[0], 1001))
    assert len(numbers) * 1000 > LOG_FILE, "more than the last file"
    ours = host.docker("ps", "-aq", "--filter", "label=reconciler.dev/cluster").stdout.split()
    configs = host.docker("inspect", "--format", "{{.Name}} {{.HostConfig.LogConfig}}", *ours).stdout.splitlines()
    assert len(configs) >= 3
    assert all("max-file" in config for config in configs), configs


def test_exec_is_the_command_itself(shop: Shop) -> None:
    script = "echo to-out; echo to-err >&2; cat; exit 42"
    done = shop.run("exec", "-i", "deploy/web", "--", "sh", "-c", script, stdin=b"x" * 100_000)
    assert done.returncode == 42
    assert done.stdout == b"to-out\n" + b"x" * 100_000
    assert b"to-err\n" in done.stderr
    assert shop.run("exec", "deploy/web", "--", "no-such-program").returncode in (126, 127)
    assert shop.run("exec", "deploy/web", "-c", "wep", "--", "true").returncode == 2


def test_exec_with_a_terminal(shop: Shop) -> None:
    """Raw keys, its size, and the terminal as it was afterwards."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    subprocess.run(["stty", "cols", "97", "rows", "31"], stdin=theirs, check=True)
    before = subprocess.run(["stty", "-g"], stdin=theirs, capture_output=True, check=True).stdout
    process = subprocess.Popen(
        shop.command("exec", "-it", "talker", "-c", "beside", "--", "sh"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=shop.environment,
        start_new_session=True,
    )
    seen = b""

    def shows(text: bytes) -> bool:
        nonlocal seen
        while select.select([ours], [], [], 0.05)[0]:
            seen += os.read(ours, 65536)
        return text in seen

    try:
        eventually(lambda: shows(b"# ") or shows(b"$ "), what="a prompt")
        os.write(ours, b"stty size\r")
        eventually(lambda: shows(b"31 97"), what="its size")
        subprocess.run(["stty", "cols", "120", "rows", "40"], stdin=theirs, check=True)
        process.send_signal(signal.SIGWINCH)

        def has_new_size() -> bool:
            os.write(ours, b"stty size\r")
            return shows(b"40 120")

        eventually(has_new_size, what="its new size")
        os.write(ours, b"echo be''gun; sleep 100\r")
        eventually(lambda: shows(b"begun"), what="a command that runs")
        time.sleep(1)
        before_the_key = len(seen)
        os.write(ours, b"\x03")
        eventually(
            lambda: shows(b"") and any(end in seen[before_the_key:] for end in (b"# ", b"$ ")), what="a prompt"
        )
        os.write(ours, b"exit 7\r")
        assert process.wait(20) == 7
        assert subprocess.run(["stty", "-g"], stdin=theirs, capture_output=True, check=True).stdout == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_files_there_and_back(shop: Shop, tmp_path: Path) -> None:
    source = tmp_path / "site"
    (source / "deep").mkdir(parents=True)
    (source / "deep/data").write_bytes(os.urandom(3_000_000))
    (source / "link").symlink_to("deep/data")
    shop.out("cp", str(source), "talker:/tmp/copied", "-c", "beside")
    shop.out("exec", "talker", "-c", "beside", "--", "ln", "-s", "/etc/passwd", "/tmp/copied/outside")
    shop.out("cp", str(source / "deep/data"), "default/talker:/tmp", "-c", "beside")
    assert "data" in shop.out("exec", "talker", "-c", "beside", "--", "ls", "/tmp")
    back = shop.run("cp", "talker:/tmp/copied", str(tmp_path / "back"), "-c", "beside")
    assert back.returncode == 0, back.stderr
    assert b"left out the link copied/outside -> /etc/passwd" in back.stderr
    assert (tmp_path / "back/deep/data").read_bytes() == (source / "deep/data").read_bytes()
    assert (tmp_path / "back/link").readlink() == Path("deep/data")
    assert not (tmp_path / "back/outside").is_symlink()
    shop.out("cp", "talker:/etc/passwd", str(tmp_path), "-c", "beside")
    assert "root" in (tmp_path / "passwd").read_text()
    for nowhere in ("talker:/no/such", "no-such:/etc/passwd"):
        assert shop.run("cp", nowhere, str(tmp_path / "x")).returncode == 2


def test_a_port_forwarded(shop: Shop) -> None:
    (port,) = free_ports(1)
    with shop.running("port-forward", "svc/web", f"{port}:80", ":http") as forwarding:
        assert forwarding.stdout is not None
        assert forwarding.stdout.readline() == f"Forwarding from 127.0.0.1:{port} -> 8080\n".encode()
        other = forwarding.stdout.readline().split(b":")[1].split(b" ")[0].decode()
        for url in [f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{other}/"] * 10:
            assert "version=1.0" in fetch(url)
        taken = shop.run("port-forward", "svc/web", f"{port}:80")
        assert taken.returncode == 2
        assert b"cannot listen at 127.0.0.1" in taken.stderr
        forwarding.send_signal(signal.SIGINT)
        assert forwarding.wait(10) == 0


def test_a_port_that_nothing_listens_at(shop: Shop) -> None:
    with shop.running("port-forward", "deploy/web", ":9") as forwarding:
        assert forwarding.stdout is not None
        assert forwarding.stderr is not None
        port = forwarding.stdout.readline().split(b":")[1].split(b" ")[0].decode()
        assert fetch(f"http://127.0.0.1:{port}/") == ""
        assert b"nothing accepts connections at 10.244." in forwarding.stderr.readline()


def test_top(shop: Shop) -> None:
    used = {
        one["container"]: one for one in json.loads(shop.out("top", "pods", "--containers", "-o", "json"))["items"]
    }
    assert {"web", "main", "beside"} <= used.keys()
    assert 0 < used["web"]["memoryBytes"] < 1 << 30
    assert shop.out("top", "pods", "talker").splitlines()[0].split() == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert len(shop.out("top", "nodes").splitlines()) == 1 + len(shop.world.lab.nodes)


def test_how_a_service_does_as_each_node_sees_it(shop: Shop) -> None:
    nodes = [host.name for host in shop.world.lab.nodes]
    before = traffic(shop)
    for node in nodes:
        assert all(fetch(shop.world.url(30080, node)) for _ in range(4))
    after = traffic(shop)
    assert {node: after[node]["sessions"] - before[node]["sessions"] for node in nodes} == dict.fromkeys(nodes, 4)
    assert {tuple(backend["up"] for backend in after[node]["backends"]) for node in nodes} == {(True, True)}
    # A node that does not answer within the metrics' own deadline is told of by the next look.
    expected = {node: after[node]["sessions"] for node in nodes}
    eventually(lambda: by_node(measured(shop, "reconciler_service_sessions_total")) == expected)

    pod = json.loads(shop.out("get", "pods", "-o", "json"))["items"][-1]
    name, ip = pod["metadata"]["name"], pod["status"]["podIP"]
    blind = next(host for host in shop.world.lab.nodes if host.name != pod["spec"]["nodeName"])
    rule = ["OUTPUT", "-d", ip, "-p", "tcp", "--dport", "8080", "-j", "REJECT"]
    blind.run(["iptables", "-I", *rule])
    try:
        down = {(blind.name, name)}
        eventually(lambda: unseen(shop) == down, 10, f"{name} is down for {blind.name} alone")
        seen = {(node, each["pod"]): each for node, port in traffic(shop).items() for each in port["backends"]}
        assert {one for one, backend in seen.items() if not backend["up"]} == down
        assert [seen[one]["state"] for one in down] == ["DOWN"]
    finally:
        blind.run(["iptables", "-D", *rule])


def traffic(shop: Shop) -> dict[str, Any]:
    """Of the service's only port, by node, as `describe` has it."""
    told = json.loads(shop.out("describe", "service", "web", "-o", "json"))["traffic"]
    return {each["node"]: each["ports"][0] for each in told}


def by_node(samples: dict[frozenset[tuple[str, str]], float]) -> dict[str, float]:
    return {dict(labels)["node"]: value for labels, value in samples.items()}


def measured(shop: Shop, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """The samples of a metric, by their labels."""
    families = text_string_to_metric_families(fetch(shop.metrics, timeout=5))
    return {
        frozenset(sample.labels.items()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def unseen(shop: Shop) -> set[tuple[str, str]] | None:
    """Nodes and pods: whom their HAProxy sends nothing to. None: not all of them have told."""
    found = measured(shop, "reconciler_service_endpoint_up")
    if len(found) != 2 * len(shop.world.lab.nodes):
        return None
    return {(dict(labels)["node"], dict(labels)["pod"]) for labels, up in found.items() if not up}


def test_events(shop: Shop) -> None:
    started = json.loads(shop.out("events", "--for", "pod/talker", "-o", "json"))["items"]
    assert {event["name"] for event in started} == {"talker"}
    assert "Started" in {event["reason"] for event in started}


def test_an_image_is_pushed_with_only_the_layers_that_are_missing(shop: Shop, tmp_path: Path) -> None:
    host, other = shop.world.lab.nodes[:2]
    archive = tmp_path / "image.tar"
    inside = "/tmp/reconciler-test-image.tar"
    assert host.docker("create", "--name", "made", "lab/web:1.0").returncode == 0
    try:
        made = tmp_path / "hello"
        made.write_text("hello\n" * 1000)
        container = host.docker("cp", str(made), "made:/hello")
        assert container.returncode == 0, container.stderr
        assert host.docker("commit", "made", "lab/pushed:1").returncode == 0
        assert host.docker("save", "-o", inside, "lab/pushed:1").returncode == 0
        Path(inside).rename(archive)
    finally:
        host.docker("rm", "-f", "made")
        host.docker("rmi", "lab/pushed:1")
    try:
        with tarfile.open(archive) as tar:
            whole = sum(entry.size for entry in tar)
        said = shop.out("image", "push", "lab/pushed:1", "--from", str(archive), "--node", other.name)
        assert f"{other.name}: pushed, 1 of " in said
        assert float(said.split(", ")[2].split()[0]) * 2**20 < whole / 10
        shown = other.docker("run", "--rm", "--network", "none", "--entrypoint", "cat", "lab/pushed:1", "/hello")
        assert shown.stdout == made.read_text()
        assert "lab/pushed" not in host.docker("images").stdout
        again = shop.out("image", "push", "lab/pushed:1", "--from", str(archive)).splitlines()
        assert f"{other.name}: has it already" in again
        assert len(again) == len(shop.world.lab.nodes)
    finally:
        for each in shop.world.lab.nodes:
            each.docker("rmi", "lab/pushed:1")


def test_a_host_that_is_gone_is_said(shop: Shop) -> None:
    node = json.loads(shop.out("get", "pod", "talker", "-o", "json"))["spec"]["nodeName"]
    host = shop.world.lab.node(node)
    host.cut()
    try:
        failed = shop.run("logs", "talker", "-c", "main")
        assert failed.returncode == 2
        assert b"does not answer" in failed.stderr
        top = shop.run("top", "nodes")
        assert top.returncode == 2
        assert f"error: {node}: ".encode() in top.stderr
        assert len(top.stdout.splitlines()) == len(shop.world.lab.nodes)
        expected = {each.name: float(each.name != node) for each in shop.world.lab.nodes}
        eventually(lambda: by_node(measured(shop, "reconciler_proxy_up")) == expected)
    finally:
        host.heal()
