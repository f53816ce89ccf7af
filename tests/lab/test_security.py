"""The attacker, and the careless: secrets, shells, other people's things, and the wrong cluster, on real hosts."""

import base64
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.world import World, cluster, deployment, eventually, fetch, service

CANARIES = ("canary-7f3a-data", "canary-7f3a-string")
ENCODED = base64.b64encode(CANARIES[0].encode()).decode()
SECRET = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: passwords}}
data: {{token: {ENCODED}}}
stringData: {{word: {CANARIES[1]}}}
"""
FROM_SECRET = """\
          env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: passwords, key: token}}}]
          envFrom: [{secretRef: {name: passwords}}]
"""


def shows_a_secret(text: str) -> bool:
    return any(canary in text for canary in (*CANARIES, ENCODED, "canary-7f3a"))


class ArgumentsSeen:
    """The arguments of every process, on the master and on every host, again and again while it is open."""

    def __init__(self) -> None:
        self.telling: set[str] = set()
        self.looks = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "ArgumentsSeen":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.05):
            self.looks += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    arguments = path.read_bytes().decode(errors="replace")
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if shows_a_secret(arguments):
                    self.telling.add(arguments)


@pytest.mark.rule(7)
def test_a_secret_shows_nowhere_whatever_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_LOG", "debug")
    monkeypatch.setenv("RECONCILER_TRACEBACK", "1")
    world.write("secret.yaml", SECRET)
    world.write("good.yaml", deployment("good", 3, pod=FROM_SECRET) + "---\n" + service("good", 30080))
    told = []
    with ArgumentsSeen() as arguments:
        with world.run() as running:
            running.converged()
            world.write("absent.yaml", deployment("absent", 1, "lab/absent:9", pod=FROM_SECRET))
            world.write("crash.yaml", deployment("crash", 1, "lab/web:broken", pod=FROM_SECRET))
            no_program = f"{FROM_SECRET}          command: [/no/such/program]\n"
            world.write("start.yaml", deployment("start", 1, pod=no_program))
            running.wait_for("ErrImagePull")
            running.wait_for("RunContainerError")
            for number, bad in enumerate(
                (
                    SECRET.replace("stringData", "stringdata"),
                    SECRET.replace(ENCODED, f"[{CANARIES[1]}]"),
                    SECRET.replace(ENCODED, f"*{CANARIES[1]}"),
                    SECRET.replace("kind: Secret", "kind: Secert"),
                    f"{SECRET}spec: [{CANARIES[1]}\n",
                )
            ):
                mark = running.mark()
                path = world.write("bad.yaml", bad.replace("name: passwords", f"name: p{number}"))
                running.wait_for("Rejected", since=mark)
                told += _said(world, "validate", str(world.folder), "-o", "json")
                path.unlink()
                running.wait_for("Accepted", since=mark)
            mark = running.mark()
            world.lab.node("node-2").cut()
            running.wait_for("NodeNotReady", since=mark)
            world.write("secret.yaml", SECRET + "# changed\n")
            world.lab.node("node-2").heal()
            running.wait_for("NodeReady", since=mark)
            for kind in ("pods", "deployments", "services", "nodes", "events"):
                told += _said(world, "get", kind, "-A", "-o", "yaml", "--state", str(world.state))
        told += [json.dumps(running.events), running.errors]
        world.write("secret.yaml", SECRET.replace(CANARIES[1], f"{CANARIES[1]}-new"))
        for form in ("text", "json", "markdown"):
            told += _said(world, "diff", str(world.folder), *world.host_options, "-o", form)
    assert arguments.looks > 20
    assert not arguments.telling
    assert running.errors, "the debug log is part of what is looked at"
    for text in [*told, *_on_hosts(world), *_remembered(world)]:
        assert not shows_a_secret(text), text[:5000]
    secret = next(container for container in world.containers("good"))
    environment = world.lab.node(secret.node).docker("inspect", "-f", "{{json .Config.Env}}", secret.id).stdout
    assert all(canary in environment for canary in CANARIES), "or the test looks for nothing"


def _said(world: World, *command: str) -> list[str]:
    done = world.cli(*command)
    return [done.stdout, done.stderr]


def _on_hosts(world: World) -> Iterator[str]:
    for host in world.lab.nodes:
        yield host.docker("ps", "-a", "--no-trunc", "--format", "{{json .}}").stdout
        yield host.run(["grep", "-r", "", "/var/lib/reconciler", "/run/reconciler"], check=False).stdout
        yield host.run(["sh", "-c", "cat /root/.*history 2>/dev/null; journalctl 2>/dev/null"], check=False).stdout


def _remembered(world: World) -> Iterator[str]:
    """All of the state but the kept revision, which is the manifests as they are."""
    for path in world.state.rglob("*.db"):
        with sqlite3.connect(path) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            assert "revision_files" in tables
            for table in tables:
                if table != "revision_files":
                    yield repr(database.execute(f'SELECT * FROM "{table}"').fetchall())


HOSTILE = (
    "$(touch /tmp/pwned)`touch /tmp/pwned`; touch /tmp/pwned\n'\"touch /tmp/pwned\n"
    "-oProxyCommand=touch${IFS}/tmp/pwned"
)


@pytest.mark.rule(5)
@pytest.mark.hosts(1)
def test_no_text_of_a_manifest_reaches_a_shell(world: World) -> None:
    quoted = json.dumps(HOSTILE)
    pod = (
        f"          env: [{{name: HOSTILE, value: {quoted}}}, {{name: FROM, valueFrom: {{configMapKeyRef: "
        f"{{name: hostile, key: text}}}}}}]\n          args: [{quoted}]\n"
    )
    world.write(
        "hostile.yaml",
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: hostile, annotations: {{a: {quoted}}}}}\n"
        f"data: {{text: {quoted}}}\n---\n"
        + deployment("hostile", 3, pod=pod)
        + "---\n"
        + service("hostile", 30080),
    )
    assert world.on_folder("apply").returncode == 0
    container = world.containers("hostile")[0]
    inspected = world.lab.node(container.node).docker("inspect", "-f", "{{json .Config}}", container.id).stdout
    assert f"HOSTILE={HOSTILE}" in json.loads(inspected)["Env"]
    texts = (HOSTILE, "ssh://-oProxyCommand=touch${IFS}/tmp/pwned@h", "ssh://root@-oProxyCommand=x", "$(id)")
    nodes = []
    for annotation in ("reconciler.dev/ssh", "reconciler.dev/host-key"):
        for number, text in enumerate(texts):
            nodes.append(f"{annotation.rpartition('/')[2]}-{number}.yaml")
            world.write(
                nodes[-1],
                f"apiVersion: v1\nkind: Node\nmetadata:\n  name: hostile-{len(nodes)}\n  annotations:\n"
                f"    reconciler.dev/ssh: ssh://root@192.0.2.{len(nodes)}\n    {annotation}: {json.dumps(text)}\n",
            )
    refused = world.on_folder("apply")
    assert refused.returncode == 2
    for name in nodes:
        assert f"{name}:" in refused.stderr
        (world.folder / name).unlink()
    for option in ("--git", "--branch", "--tag", "--commit", "--path"):
        source = () if option == "--git" else ("--git", "ssh://git@127.0.0.1:1/none.git")
        assert world.cli("diff", *source, option, HOSTILE, *world.host_options).returncode == 2
        assert (
            world.cli("diff", *source, f"{option}=--upload-pack=touch /tmp/pwned", *world.host_options).returncode
            == 2
        )
    assert not Path("/tmp/pwned").exists()
    for host in world.lab.nodes:
        assert host.run(["ls", "/tmp/pwned"], check=False).returncode != 0
    inside = world.lab.node(container.node).docker("exec", container.id, "ls", "/tmp/pwned", check=False)
    assert inside.returncode != 0


def test_a_node_port_that_a_foreign_container_holds_takes_no_other_service_down(world: World) -> None:
    """Not even where HAProxy is made, or starts again, after the other one."""
    host = world.lab.node("node-1")
    host.docker("run", "-d", "--name", "foreign", "-p", "30080:8080", "lab/web:1.0")
    try:
        world.write("web.yaml", deployment("web", 2) + "---\n" + service("web", 30080))
        world.write("other.yaml", deployment("other", 2) + "---\n" + service("other", 30081))
        with world.run() as running:
            event = running.wait_for("ProxyRefused", "node-1")
            assert "0.0.0.0:30080 (held by docker-proxy)" in event["message"]
            eventually(lambda: "pod=other-" in fetch(world.url(30081)))
            eventually(lambda: "pod=web-" in fetch(world.url(30080, "node-2")))
            listed = world.cli("node", "list", "--state", str(world.state))
            assert "held by docker-proxy" in listed.stdout
            world.write("other.yaml", deployment("other", 1, "lab/web:2.0") + "---\n" + service("other", 30081))
            eventually(lambda: "version=2.0" in fetch(world.url(30081)))
            mark = running.mark()
            host.docker("rm", "-f", "foreign")
            running.converged(since=mark, timeout=45)
            eventually(lambda: "pod=web-" in fetch(world.url(30080)))
            host.docker("stop", "-t", "0", "test_proxy")
            host.docker("run", "-d", "--name", "foreign", "-p", "30081:8080", "lab/web:1.0", check=False)
            eventually(lambda: "pod=web-" in fetch(world.url(30080)), 45)
    finally:
        host.docker("rm", "-f", "foreign", check=False)


def test_a_foreign_network_of_our_name_is_left_alone_and_new_pods_run_elsewhere(world: World) -> None:
    host = world.lab.node("node-1")
    host.docker("network", "create", "reconciler")
    made = host.docker("network", "inspect", "reconciler").stdout
    try:
        world.write("web.yaml", deployment("web", 2))
        with world.run() as running:
            event = running.wait_for("NetworkRefused", "node-1")
            assert "not ours" in event["message"]
            world.write("late.yaml", deployment("late", 4))
            eventually(
                lambda: [c.state for c in world.containers("late", ("node-2", "node-3"))] == ["running"] * 4
            )
        reset = world.cli("node", "reset", "node-1", str(world.folder), *world.host_options, "--yes")
        assert reset.returncode == 0
        assert host.docker("network", "inspect", "reconciler").stdout == made
    finally:
        host.docker("network", "rm", "reconciler")


@pytest.mark.fault(64)
def test_one_host_under_two_names_is_one_node(world: World) -> None:
    host = world.lab.node("node-1")
    host.run(["ip", "addr", "add", f"{host.address.rpartition('.')[0]}.77/24", "dev", "eth0"])
    try:
        text = (world.folder / "nodes-node-1.yaml").read_text()
        alias = text.replace("name: node-1", "name: node-9").replace(
            host.address, f"{host.address.rpartition('.')[0]}.77"
        )
        world.write("nodes-node-9.yaml", alias)
        world.write("web.yaml", deployment("web", 4))
        with world.run() as running:
            event = running.wait_for("NodeNotReady", "node-9")
            assert "same host" in event["message"]
            eventually(lambda: [c.state for c in world.containers("web")] == ["running"] * 4)
    finally:
        host.run(["ip", "addr", "del", f"{host.address.rpartition('.')[0]}.77/24", "dev", "eth0"])


@pytest.mark.fault(80)
@pytest.mark.hosts(1)
def test_another_cluster_on_the_same_state_changes_nothing(world: World) -> None:
    world.write("web.yaml", deployment("web", 3))
    assert world.on_folder("apply").returncode == 0
    before = world.containers()
    world.write("cluster.yaml", cluster().replace("name: test", "name: other"))
    wrong = world.on_folder("apply")
    assert wrong.returncode == 2
    assert "'test'" in wrong.stderr
    assert world.containers() == before


@pytest.mark.hosts(1)
def test_two_states_with_the_same_manifests_share_the_pods_and_with_others_delete_nothing(
    world: World, tmp_path: Path
) -> None:
    world.write("web.yaml", deployment("web", 3))
    assert world.on_folder("apply").returncode == 0
    before = world.containers()
    other = ["--ssh-key", str(world.lab.client_key), "--state", str(tmp_path / "other")]
    assert world.cli("apply", str(world.folder), *other).returncode == 0
    assert world.containers() == before
    (world.folder / "web.yaml").unlink()
    third = ["--ssh-key", str(world.lab.client_key), "--state", str(tmp_path / "third")]
    assert world.cli("apply", str(world.folder), *third).returncode == 0
    assert world.containers() == before


@pytest.mark.fault(80)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.hosts(1)
def test_an_apply_that_is_interrupted_ends_soon_and_the_next_one_finishes(world: World, number: int) -> None:
    world.write("web.yaml", deployment("web", 6))
    command = [sys.executable, "-m", "reconciler", "apply", str(world.folder), *world.host_options]
    applying = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert applying.stderr is not None
    while "Scheduled" not in applying.stderr.readline():
        pass
    applying.send_signal(number)
    out, err = applying.communicate(timeout=10)
    assert applying.returncode == 2
    assert "interrupted" in err
    assert "Traceback" not in out + err
    assert world.on_folder("apply").returncode == 0
    assert [c.state for c in world.containers("web")] == ["running"] * 6


@pytest.mark.fault(55)
def test_killed_in_a_rollout_it_leaves_nothing_behind_and_nothing_twice(world: World) -> None:
    """Two of the moments that `tests/properties/test_crashes.py` tries one and all."""

    def write(round_: int) -> None:
        message = f"          env: [{{name: MESSAGE, value: round-{round_}}}]\n"
        for name, port in (("web", 30080), ("other", 30081)):
            world.write(f"{name}.yaml", deployment(name, 3, pod=message) + "---\n" + service(name, port))

    write(0)
    assert world.on_folder("apply").returncode == 0
    for round_, after in enumerate((0.3, 1.0), start=1):
        write(round_)
        running = world.run()
        running.wait_for("Accepted")
        time.sleep(after)
        running.kill()
    assert world.on_folder("apply").returncode == 0
    containers = world.containers("web") + world.containers("other")
    assert len(containers) == 6, containers
    assert {container.state for container in containers} == {"running"}
    assert len({container.labels["reconciler.dev/uid"] for container in containers}) == 6
    eventually(lambda: "message=round-2" in fetch(world.url(30080)) and "round-2" in fetch(world.url(30081)))
    pods = json.loads(world.cli("get", "pods", "-A", "-o", "json", "--state", str(world.state)).stdout)["items"]
    assert {pod["metadata"]["name"] for pod in pods} == {container.pod for container in containers}
    with world.run() as running:
        running.converged()
        assert not [e for e in running.events if e["reason"] in ("Orphan", "Scheduled", "Killing", "Started")]


@pytest.mark.fault(1)
@pytest.mark.hosts(1)
def test_an_empty_folder_applies_nothing(world: World) -> None:
    world.write("web.yaml", deployment("web", 2))
    assert world.on_folder("apply").returncode == 0
    before = world.containers()
    for path in world.folder.iterdir():
        path.unlink()
    empty = world.on_folder("apply")
    assert empty.returncode == 2
    assert "empty-revision" in empty.stderr
    assert world.containers() == before
