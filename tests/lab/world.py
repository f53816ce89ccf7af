"""A folder of manifests for the lab's hosts, the reconciler as a user runs it, and what is seen on the hosts."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from reconciler.lab import Host, Lab
from reconciler.lab.engine import labelled_containers
from reconciler.lab.repo import node_manifests
from reconciler.model.desired import Unavailable
from reconciler.sources.folder import FolderSource
from tests.command_server import Piped, call

DRAINED = "spec: {taints: [{key: maintenance, effect: NoExecute}]}\n"
"""Added to a Node's manifest."""


def cluster(lost_after_seconds: int = 6) -> str:
    return f"""\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata: {{name: test}}
spec:
  images: {{pause: "lab/pause:1", proxy: "lab/proxy:1"}}
  nodes: {{lostAfterSeconds: {lost_after_seconds}}}
  podSecurity: {{hostPorts: [8099]}}
"""


def deployment(name: str, replicas: int, image: str = "lab/web:1.0", extra: str = "", pod: str = "") -> str:
    """A Deployment of the lab's web server; `extra` goes into its spec, `pod` into the container."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
{extra}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: web
          image: {image}
          ports: [{{name: http, containerPort: 8080}}]
{pod}
"""


def service(name: str, node_port: int) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  type: NodePort
  selector: {{app: {name}}}
  ports: [{{name: http, port: 80, targetPort: http, nodePort: {node_port}}}]
"""


def api(replicas: int, token: str) -> str:
    """The lab's API with its sidecar, at node ports 30081 and 30082; `token` ends its variable's YAML."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: api}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: api}}}}
  template:
    metadata: {{labels: {{app: api}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: api
          image: lab/api:1.0
          ports: [{{name: http, containerPort: 9090}}]
          env: [{{name: API_TOKEN, {token}}}]
        - name: sidecar
          image: lab/sidecar:1.0
          ports: [{{name: sidecar, containerPort: 9091}}]
---
apiVersion: v1
kind: Service
metadata: {{name: api}}
spec:
  type: NodePort
  selector: {{app: api}}
  ports:
    - {{name: http, port: 80, targetPort: http, nodePort: 30081}}
    - {{name: sidecar, port: 81, targetPort: sidecar, nodePort: 30082}}
"""


@dataclass(frozen=True)
class OnHost:
    """A container as its host's engine lists it."""

    node: str
    id: str
    name: str
    image: str
    state: str
    labels: dict[str, str]

    @property
    def pod(self) -> str:
        return self.labels.get("reconciler.dev/pod", "")


class Running:
    """A `reconciler run` process and the events it prints."""

    def __init__(self, arguments: list[str]) -> None:
        self.events: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self.process = Piped(["run", *arguments, "-o", "json"])
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        self.errors = ""
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def mark(self) -> int:
        """How many events there were so far: waiting can begin here."""
        return len(self.events)

    def arriving(self, since: int = 0, timeout: float = 60.0) -> Iterator[tuple[int, dict[str, Any]]]:
        """The events after `since` with their numbers, each as it comes; ends with the time, or the process."""
        deadline = time.monotonic() + timeout
        at = since
        while True:
            while at < len(self.events):
                yield at, self.events[at]
                at += 1
            left = deadline - time.monotonic()
            if left <= 0 or self.process.poll() is not None:
                return
            with self._arrived:
                if at >= len(self.events):
                    self._arrived.wait(min(left, 0.5))

    def wait_for(self, reason: str, text: str = "", timeout: float = 60.0, since: int = 0) -> dict[str, Any]:
        """The first event with this reason, and this text in it, after `since`."""
        for _, event in self.arriving(since, timeout):
            if event["reason"] == reason and text in json.dumps(event):
                return event
        seen = "\n".join(json.dumps(event) for event in self.events[-40:])
        raise AssertionError(f"no {reason} {text!r} within {timeout} s:\n{seen}\n{self.errors}")

    def accepted(self, text: str = "", timeout: float = 60.0, since: int = 0) -> int:
        """Wait until a revision is; the answer is where to wait for what follows from it.

        A `Converged` before that may be of another revision.
        """
        event = self.wait_for("Accepted", text, timeout, since)
        return next(number for number, each in enumerate(self.events) if each is event)

    def converged(self, timeout: float = 60.0, since: int = 0) -> None:
        self.wait_for("Converged", timeout=timeout, since=since)

    def reached(self, since: int, text: str = "", timeout: float = 60.0) -> None:
        """Everything is as a revision asks that was accepted after `since`, with this text in the event."""
        self.converged(timeout, since=self.accepted(text, timeout, since))

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(10)
        for thread in self._threads:
            thread.join(5)
        self.process.close()
        return code

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._arrived:
                self.events.append(json.loads(line))
                self._arrived.notify_all()

    def _read_errors(self) -> None:
        for line in self.process.stderr:
            self.errors += line


class World:
    """One test's manifests, state and lab. Of the lab's hosts, the first `hosts` are nodes, or all."""

    def __init__(self, lab: Lab, directory: Path, hosts: int | None = None) -> None:
        self.lab = lab
        self.folder = directory / "manifests"
        self.state = directory / "state"
        self.folder.mkdir()
        self.write("cluster.yaml", cluster())
        for name, text in list(node_manifests(lab).items())[:hosts]:
            self.write(f"nodes-{name}", text)

    @property
    def host_options(self) -> list[str]:
        return ["--ssh-key", str(self.lab.client_key), "--state", str(self.state)]

    def write(self, name: str, text: str | bytes) -> Path:
        """Save a manifest the way an editor does: all at once."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(text.encode() if isinstance(text, str) else text)
        os.replace(beside, path)
        return path

    def revision(self) -> str:
        """Of the folder as it is now, in the words of the events."""
        found = FolderSource(self.folder).read()
        assert not isinstance(found, Unavailable), found
        return str(found.revision)

    def run(self, *source: str) -> Running:
        return Running([*(source or (str(self.folder),)), *self.host_options])

    def cli(self, command: str, *arguments: str, timeout: float = 90.0) -> subprocess.CompletedProcess[str]:
        """Any other command; `PATH` options and exit codes as a user has them."""
        done = call(command, *arguments, timeout=timeout)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def on_folder(self, command: str, *arguments: str, timeout: float = 90.0) -> subprocess.CompletedProcess[str]:
        return self.cli(command, str(self.folder), *self.host_options, *arguments, timeout=timeout)

    def containers(self, app: str = "", nodes: Collection[str] = ()) -> list[OnHost]:
        """Every container of ours on every host (or these), running or not; with `app`, of that Deployment."""
        hosts = [host for host in self.lab.nodes if not nodes or host.name in nodes]
        found = [
            OnHost(
                host.name,
                row["Id"],
                ",".join(name.removeprefix("/") for name in row["Names"]),
                row["Image"],
                row["State"],
                row["Labels"],
            )
            for host in hosts
            for row in labelled_containers(host.docker_socket, "reconciler.dev/pod")
        ]
        return [
            each for each in found if not app or each.labels.get("reconciler.dev/owner") == f"Deployment/{app}"
        ]

    def url(self, port: int, node: str = "node-1") -> str:
        return f"http://{self.lab.node(node).address}:{port}/"


def fetch(url: str, timeout: float = 2.0) -> str:
    """The answer's text; empty when there is none."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, OSError):
        return ""


def asked(edge: str, url: str) -> tuple[str, str]:
    """Status and body, by curl, of what the host at the address `edge` answers for the URL; 000: nothing."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    command = ["curl", "-sk", "-m", "5", "--resolve", f"{host}:{port}:{edge}", "-w", "\n%{http_code}", url]
    body, _, status = subprocess.run(command, capture_output=True, text=True, check=False).stdout.rpartition("\n")
    return status, body


def engine_events(host: Host, seconds: float, shown: str, *filters: str) -> list[str]:
    """What the host's engine was made to do in the last `seconds`, up to this moment."""
    now = time.time()  # said to the engine in full: of "0s ago" it would keep the whole seconds only
    span = ["--since", f"{now - seconds:.9f}", "--until", f"{now:.9f}"]
    chosen = (f"--filter={each}" for each in filters)
    return host.docker("events", *span, *chosen, "--format", shown).stdout.splitlines()


def eventually(condition: Callable[[], object], timeout: float = 40.0, what: str = "") -> None:
    """Wait until `condition()` holds; the last value it had is in the failure."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what or 'it'} did not happen within {timeout} s; last: {value!r}"
        time.sleep(0.1)
