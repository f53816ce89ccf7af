"""`reconciler lab …` on real engines: in a lab of its own, beside the one that other tests use."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Host, Lab
from reconciler.lab.engine import ssh_answers
from reconciler.lab.processes import host_inits
from tests.lab.world import eventually
from tests.own_lab import share_images

NUMBER = 178
TAGS = {
    *("lab/pause:1", "lab/busybox:1", "lab/proxy:1", "lab/api:1.0", "lab/sidecar:1.0", "lab/faulty:1"),
    *(f"lab/web:{version}" for version in ("1.0", "2.0", "broken")),
}


def command(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    code = "from reconciler.cli.lab import lab; lab()"
    environment = {**os.environ, "RECONCILER_LAB_DIR": str(directory)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment, timeout=100
    )


def succeeds(*arguments: str, directory: Path) -> str:
    done = command(*arguments, directory=directory)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a lab of two hosts that is up"""
    directory = tmp_path_factory.mktemp("lab")
    share_images(directory)
    try:
        succeeds("up", "--yes", "--nodes", "2", "--network", str(NUMBER), directory=directory)
        yield directory
    finally:
        Lab.open(directory).down(purge=True)


@pytest.fixture
def own(directory: Path) -> Iterator[Lab]:
    lab = Lab.open(directory)
    lab.up()
    yield lab
    lab.up()
    for host in lab.nodes:
        host.run(["sh", "-c", "docker ps -aq | xargs -r docker rm -f; docker network prune -f"])


def get(url: str, seconds: float = 5.0) -> str:
    done = subprocess.run(["curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "0", "-m",
                           str(seconds), url], capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, f"{url}: curl {done.returncode} {done.stderr}"
    return done.stdout


def web(host: Host, *options: str, image: str = "lab/web:1.0") -> None:
    host.docker("run", "-d", "--name", "test-web", "--hostname", "web", "-p", "30080:8080", *options, image)


def traces(directory: Path, number: int = NUMBER) -> list[str]:
    """Everything on this machine that belongs to the lab of this directory."""
    found = [str(init) for init in host_inits() if init.directory == str(directory)]
    found += [
        line for line in subprocess.check_output(["ip", "netns"], text=True).splitlines() if f"rcl{number}" in line
    ]
    found += [
        line
        for line in subprocess.check_output(["ip", "-o", "link"], text=True).splitlines()
        if f"rcl{number}" in line
    ]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(directory) in line]
    for at, names, _ in os.walk("/sys/fs/cgroup"):  # other labs' come and go meanwhile
        found += [f"{at}/{name}" for name in names if name.startswith(f"reconciler-lab-rcl{number}")]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                if str(directory).encode() in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
    return found


def test_up_makes_hosts_that_ssh_reaches_with_the_pinned_key(own: Lab, directory: Path) -> None:
    assert succeeds("ssh", "node-2", "--", "hostname", directory=directory).strip() == "node-2"
    assert succeeds("ssh", "node-2", "--", "printf", "%s|", "a b", "$HOME", directory=directory) == "a b|$HOME|"
    assert own.client_key.stat().st_mode & 0o777 == 0o600
    for host in own.nodes:
        assert host.disk.host_key.stat().st_mode & 0o777 == 0o600


def test_every_host_has_an_engine_of_its_own_with_the_images(own: Lab) -> None:
    ids = {host.docker("info", "--format", "{{.ID}}").stdout.strip() for host in own.nodes}
    assert len(ids) == 2
    for host in own.nodes:
        images = host.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
        assert set(images) == TAGS


def test_up_again_changes_nothing(own: Lab, directory: Path) -> None:
    before = json.loads(succeeds("status", "-o", "json", directory=directory))
    out = succeeds("up", directory=directory)
    assert f"--ssh-key {directory}/keys/client" in out
    assert json.loads(succeeds("status", "-o", "json", directory=directory)) == before


def test_nothing_of_the_callers_environment_reaches_a_host(own: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "not-for-hosts")
    host = own.nodes[0]
    host.stop()
    host.start()
    assert "SOME_TOKEN" not in host.run(["env"]).stdout
    environments = host.run(["sh", "-c", "cat /proc/[0-9]*/environ"], check=False).stdout
    assert "not-for-hosts" not in environments


def test_containers_on_different_hosts_reach_each_other_over_routed_networks(own: Lab) -> None:
    masquerade = "com.docker.network.bridge.enable_ip_masquerade=false"
    for host in own.nodes:
        host.docker("network", "create", "--subnet", f"10.244.{host.index}.0/24", "-o", masquerade, "test-pods")
        for peer in own.nodes:
            if peer != host:
                host.run(["ip", "route", "replace", f"10.244.{peer.index}.0/24", "via", peer.address])
        host.run(["iptables", "-I", "DOCKER-USER", "-s", "10.244.0.0/16", "-d", "10.244.0.0/16", "-j", "ACCEPT"])
        web(host, "--network", "test-pods")
    for host, peer in ((own.nodes[0], own.nodes[1]), (own.nodes[1], own.nodes[0])):
        get(f"http://{peer.address}:30080/healthz")
        url = f"http://10.244.{peer.index}.2:8080/"
        assert "version=1.0" in host.docker("exec", "test-web", "timeout", "5", "wget", "-qO-", url).stdout


def test_the_web_image_says_who_it_is_and_ends_gracefully(own: Lab) -> None:
    host = own.nodes[0]
    web(host, "-e", 'MESSAGE=it\'s "$5"', image="lab/web:2.0")
    assert get(f"http://{host.address}:30080/any/path") == 'pod=web version=2.0 message=it\'s "$5"\n'
    assert get(f"http://{host.address}:30080/healthz") == "ok"
    slow = subprocess.Popen(["curl", "-s", f"http://{host.address}:30080/slow"], stdout=subprocess.PIPE, text=True)
    with slow:
        eventually(lambda: _has_client(host), what="the connection")
        time.sleep(0.5)  # for the request that follows it
        assert slow.poll() is None
        host.docker("stop", "-t", "20", "test-web")
        assert slow.communicate(timeout=20)[0] == 'pod=web version=2.0 message=it\'s "$5"\n'
    assert host.docker("inspect", "-f", "{{.State.ExitCode}}", "test-web").stdout.strip() == "0"
    assert '"GET /any/path HTTP/1.1" 200' in host.docker("logs", "test-web").stdout


def _has_client(host: Host) -> bool:
    """Whether somebody is connected to the web server."""
    rows = [line.split() for line in host.docker("exec", "test-web", "cat", "/proc/net/tcp").stdout.splitlines()]
    return any(row[1].endswith(f":{8080:04X}") and row[3] == "01" for row in rows)


def test_the_broken_image_and_an_api_without_token_end_with_a_reason(own: Lab) -> None:
    host = own.nodes[0]
    broken = host.docker("run", "--name", "test-broken", "lab/web:broken", check=False)
    assert (broken.returncode, "broken on purpose" in broken.stderr) == (1, True)
    without = host.docker("run", "--name", "test-api", "lab/api:1.0", check=False)
    assert (without.returncode, "API_TOKEN is not set" in without.stderr) == (1, True)


def test_the_sidecar_shows_its_neighbour_and_the_pause_image_ends_at_once(own: Lab) -> None:
    host = own.nodes[0]
    host.docker("run", "-d", "--name", "test-pause", "--hostname", "pod-1", "-p", "30091:9091", "lab/pause:1")
    share = ("--network", "container:test-pause")
    host.docker(
        "run", "-d", "--name", "test-api", *share, "-e", "API_TOKEN=x", "-e", 'GREETING=a"\\b', "lab/api:1.0"
    )
    host.docker("run", "-d", "--name", "test-sidecar", *share, "lab/sidecar:1.0")
    get(f"http://{host.address}:30091/healthz")
    answer = json.loads(get(f"http://{host.address}:30091/"))
    assert answer == {"pod": "pod-1", "version": "1.0", "greeting": 'a"\\b'}
    began = time.monotonic()
    host.docker("stop", "-t", "50", "test-pause")
    assert time.monotonic() - began < 40


def test_the_proxy_image_has_what_the_service_layer_needs(own: Lab) -> None:
    script = "haproxy -v && dnsmasq --version && socat -V && sh -c true && wget --help 2>&1"
    done = own.nodes[0].docker("run", "--rm", "lab/proxy:1", "sh", "-c", script)
    assert re.search(r"HAProxy version 2", done.stdout)


def test_a_cut_host_does_not_answer_and_its_containers_go_on(own: Lab, directory: Path) -> None:
    host = own.nodes[0]
    web(host)
    succeeds("node", "cut", "node-1", directory=directory)
    assert not ssh_answers(host.address, 22, timeout=0.5)
    assert host.docker("ps", "-q").stdout
    assert "cut" in command("status", directory=directory).stdout
    succeeds("node", "heal", "node-1", directory=directory)
    assert "version=1.0" in get(f"http://{host.address}:30080/")


def test_a_paused_engine_hangs_while_ssh_and_containers_go_on(own: Lab, directory: Path) -> None:
    host = own.nodes[0]
    web(host)
    succeeds("node", "pause", "node-1", directory=directory)
    assert host.status().state == "paused"
    assert "version=1.0" in get(f"http://{host.address}:30080/")
    assert succeeds("ssh", "node-1", "--", "hostname", directory=directory).strip() == "node-1"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.5)
        client.connect(str(host.docker_socket))
        client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
        with pytest.raises(TimeoutError):
            client.recv(1)
    succeeds("node", "heal", "node-1", directory=directory)
    assert host.status().state == "ready"


def test_a_stopped_host_takes_its_containers_down_and_keeps_its_disk(own: Lab, directory: Path) -> None:
    host = own.nodes[0]
    engine = host.docker("info", "--format", "{{.ID}}").stdout
    web(host)
    host.run(["ip", "route", "add", "10.250.0.0/24", "via", own.nodes[1].address])
    succeeds("node", "stop", "node-1", directory=directory)
    assert host.status().state == "off"
    assert not ssh_answers(host.address, 22, timeout=0.5)
    succeeds("node", "start", "node-1", directory=directory)
    assert host.docker("info", "--format", "{{.ID}}").stdout == engine
    assert host.docker("ps", "-q").stdout == ""
    assert "test-web" in host.docker("ps", "-a").stdout
    assert "10.250" not in host.run(["ip", "route"]).stdout


@pytest.mark.parametrize("victim", ["dockerd", "sshd", "init"])
def test_up_repairs_a_host_of_which_something_was_killed(own: Lab, directory: Path, victim: str) -> None:
    host = own.nodes[0]
    status = host.status()
    init = next(i for i in host_inits() if (i.name, i.directory) == (host.name, str(directory)))
    pid = {"dockerd": status.dockerd, "sshd": status.sshd, "init": init.pid}[victim]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while host.status().state == "ready":
        time.sleep(0.02)
    assert command("status", directory=directory).returncode == 1
    succeeds("up", directory=directory)
    assert own.is_up()


def test_wipe_leaves_nothing_of_a_reconciler_and_spares_what_is_not_its(own: Lab) -> None:
    host = own.nodes[0]
    label = ("--label", "reconciler.dev/cluster=any")

    def picture() -> str:
        script = (
            "docker network ls -q; iptables-save | grep -v '^[#:]'; ip route; ip -o addr show dev lo; ip -o link"
        )
        return host.run(["sh", "-c", script]).stdout

    def stays_as_it_is() -> bool:
        """The kernel tells of a bridge that has come up after as much as a second."""
        before = picture()
        time.sleep(1.5)
        return picture() == before

    host.docker("run", "-d", "--name", "test-foreign", "lab/pause:1")
    eventually(stays_as_it_is)
    before = picture()
    host.docker("network", "create", *label, "test-pods")
    host.docker("run", "-d", *label, "--network", "test-pods", "lab/pause:1")
    host.run(["sh", "-c", "iptables -N OWN; iptables -A FORWARD -m comment --comment 'a b' -j OWN; "
              "iptables -t nat -N OWN-NAT; iptables -t nat -A POSTROUTING -j OWN-NAT; "
              "iptables -I DOCKER-USER -j ACCEPT; ip link add own0 type bridge; "
              "ip addr add 10.96.0.1/32 dev lo; "
              "ip route add 10.244.7.0/24 via $0; ip route add 10.244.8.0/24 via $0; "
              "mkdir -p /var/lib/reconciler/x /run/reconciler/x", own.nodes[1].address])  # fmt: skip
    host.wipe()
    assert picture() == before
    assert host.docker("ps", "--format", "{{.Names}}").stdout.split() == ["test-foreign"]
    assert not (host.root / "var/lib/reconciler").exists()


def test_up_refuses_the_network_of_another_lab(own: Lab, tmp_path: Path, directory: Path) -> None:
    done = command("up", "--network", str(NUMBER), directory=tmp_path / "other")
    assert done.returncode == 2
    assert str(directory) in done.stderr
    assert not (tmp_path / "other").exists()


def test_repo_has_the_example_and_the_hosts(own: Lab, directory: Path, tmp_path: Path) -> None:
    out = succeeds("up", "--repo", str(tmp_path / "repo"), directory=directory)
    assert f"reconciler run --git {tmp_path}/repo --ssh-key {directory}/keys/client" in out
    assert sorted(path.name for path in (tmp_path / "repo/nodes").iterdir()) == ["node-1.yaml", "node-2.yaml"]
    assert (tmp_path / "repo/cluster.yaml").exists()


@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.0])
def test_after_a_killed_up_both_down_and_up_work(directory: Path, tmp_path: Path, seconds: float) -> None:
    crashed = tmp_path / "crashed"
    shutil.copytree(directory / "cache", crashed / "cache")
    code = "from reconciler.cli.lab import lab; lab()"
    arguments = ["up", "--nodes", "1", "--network", str(NUMBER + 1), "--dir", str(crashed)]

    def killed_up() -> None:
        up = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL)
        with up:
            time.sleep(seconds)
            up.kill()

    try:
        killed_up()
        Lab.open(crashed).down()
        assert traces(crashed, NUMBER + 1) == []
        killed_up()
        Lab.open(crashed, NUMBER + 1).up(1)
        assert Lab.open(crashed).is_up()
    finally:
        Lab.open(crashed).down(purge=True)
    assert traces(crashed, NUMBER + 1) == []


def test_fewer_nodes_then_down_and_nothing_is_left_even_without_the_state(directory: Path) -> None:
    lab = Lab.open(directory)
    lab.up(nodes=2)
    web(lab.nodes[1])
    succeeds("up", "--nodes", "1", directory=directory)
    assert [host.name for host in lab.nodes] == ["node-1"]
    lab.up(nodes=2)
    web(lab.nodes[1])
    (directory / "keys/known_hosts").unlink()
    succeeds("down", directory=directory)
    assert traces(directory) == []
    assert [path.name for path in directory.iterdir()] == ["cache"]
    succeeds("down", "--purge", directory=directory)
    assert not directory.exists()
