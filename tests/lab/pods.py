"""Pods for the tests, written as a user writes them, and a stage to run many of them under one master.

Manifests are built as dicts and saved as JSON, which is YAML too. Every container here ends at once on SIGTERM,
unless its script says otherwise, and lives on node-1, unless told otherwise.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from reconciler.control.ports import StoreReader
from reconciler.kinds.core.pod import POD
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import controller_of
from reconciler.reporting import object_json
from reconciler.stores import open_reader
from tests.lab.world import OnHost, Running, World, engine_events, eventually

Json = dict[str, Any]
STAY = "exec /bin/pause"
"""Ends a script that shall live until SIGTERM."""


def container(name: str = "main", script: str = STAY, **fields: Any) -> Json:
    """A shell script in the lab's busybox; `fields` are added to the container, or replace what is here."""
    return {"name": name, "image": "lab/busybox:1", "command": ["sh", "-c", script], **fields}


def web(name: str = "web", **fields: Any) -> Json:
    """The lab's web server, on 8080."""
    ports = [{"name": "http", "containerPort": 8080}]
    return {"name": name, "image": "lab/web:1.0", "ports": ports, **fields}


def pod(name: str, *containers: Json, annotations: dict[str, str] | None = None, **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, "annotations": annotations or {}},
        "spec": _spec(containers, spec),
    }


def workload(
    name: str,
    *containers: Json,
    replicas: int = 1,
    annotations: dict[str, str] | None = None,
    template: dict[str, str] | None = None,
    more: Json | None = None,
    **spec: Any,
) -> Json:
    """A Deployment; `annotations` are its own, `template` those of its pods, `more` goes into its spec."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": template or {}},
                "spec": _spec(containers, spec),
            },
            **(more or {}),
        },
    }


def service(name: str, node_port: int, port: int | str = "http", app: str = "") -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": port, "nodePort": node_port}]
    spec = {"type": "NodePort", "selector": {"app": app or name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, type: str = "Opaque", **values: str) -> Json:
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type, "stringData": values}


def claim(name: str, **annotations: str) -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": name, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _spec(containers: tuple[Json, ...], spec: Json) -> Json:
    return {
        "terminationGracePeriodSeconds": 2,
        "nodeSelector": {"kubernetes.io/hostname": "node-1"},
        "containers": list(containers),
        **spec,
    }


def manifests(*objects: Json) -> str:
    return "\n---\n".join(json.dumps(each, indent=1) for each in objects) + "\n"


class Stage:
    """One running master; each test has files of its own on it, which go when the test ends."""

    def __init__(self, world: World, running: Running) -> None:
        self.world = world
        self.running = running
        self.events_from = 0
        self._files: set[str] = set()

    def begin(self) -> None:
        self.events_from = self.running.mark()

    def clear(self, *files: str) -> None:
        """Remove these files of the test, or all; what their pods leave is not waited for."""
        for name in files or tuple(self._files):
            (self.world.folder / name).unlink(missing_ok=True)
            self._files.discard(name)

    def write(self, *objects: Json, file: str = "test.yaml") -> int:
        """Save these objects as one file; the answer is where to wait for what follows from."""
        mark = self.running.mark()
        self._files.add(file)
        self.world.write(file, manifests(*objects))
        return mark

    def put(self, *objects: Json, file: str = "test.yaml", timeout: float = 60.0) -> int:
        """Save, and wait until the revision is accepted; a rejected one fails with its problems.

        What is told after the answer follows from this revision: a `Converged` before it may be of another one.
        So may an `Accepted`: of what the test before has cleared away.
        """
        mark = self.write(*objects, file=file)
        this = f"revision {self.world.revision()} "
        ours = False
        for number, event in self.running.arriving(mark, timeout):
            if event["reason"] in ("Accepted", "Rejected"):
                ours = event["message"].startswith(this)
            if ours and event["reason"] == "Accepted":
                return number
            if ours and event["reason"] == "Problem":
                raise AssertionError(event["message"])
        raise AssertionError(f"not read within {timeout} s; {self.running.errors}")

    def event(self, reason: str, text: str = "", timeout: float = 40.0) -> Json:
        """Of this test: the first with this reason and this text."""
        return self.running.wait_for(reason, text, timeout, since=self.events_from)

    # How things stand, as the master publishes it

    def pods(self, app: str) -> list[Json]:
        """The pods of this name, or of this Deployment, as `reconciler get pods -o json` prints them."""
        return _pods_of(app, self._published())

    def pod(self, app: str) -> Json:
        """The only one; empty while there is none, or more."""
        found = self.pods(app)
        return found[0] if len(found) == 1 else {}

    def wait(self, app: str, holds: Callable[[Json], object], timeout: float = 40.0) -> Json:
        """The pod's status, once `holds` of it; the last one seen is in the failure."""
        deadline = time.monotonic() + timeout
        pods: list[Json] = []
        read_at: float | None = None
        with open_reader(self.world.state) as reader:
            while True:
                published_at = reader.published_at()
                if published_at != read_at:
                    pods, read_at = _pods_of(app, _statuses(reader)), published_at
                if len(pods) == 1 and holds(pods[0]):
                    return pods[0]
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
        told = self.running.events[self.events_from :][-25:]
        shown = [f"{each['reason']} {each['kind']} {each['name']}: {each['message']}" for each in told]
        last = json.dumps(pods[0] if len(pods) == 1 else pods, indent=1)
        raise AssertionError("\n".join([f"after {timeout} s: {last}", *shown, self.running.errors]))

    def up(self, app: str, timeout: float = 40.0) -> Json:
        """Wait until the pod is ready."""
        return self.wait(app, is_ready, timeout)

    def _published(self) -> list[Pod]:
        with open_reader(self.world.state) as reader:
            return _statuses(reader)

    # What is on the hosts

    def containers(self, app: str, node: str = "node-1") -> list[OnHost]:
        """Of the pods of this name or Deployment, the sandbox included, by their names in the pod."""
        found = [
            each
            for each in self.world.containers(nodes=(node,))
            if app in (each.pod, each.labels.get("reconciler.dev/owner", "").partition("/")[2])
        ]
        return sorted(found, key=lambda each: each.labels["reconciler.dev/container"])

    def container(self, app: str, name: str = "main", node: str = "node-1") -> OnHost:
        (found,) = [c for c in self.containers(app, node) if c.labels["reconciler.dev/container"] == name]
        return found

    def inside(self, app: str, *command: str, name: str = "main", node: str = "node-1") -> str:
        """What the command prints, both ways, in this container; a failing one too."""
        found = self.container(app, name, node)
        done = self.world.lab.node(node).docker("exec", found.id, *command, check=False)
        return (done.stdout + done.stderr).strip()

    def inspect(self, app: str, name: str = "main", node: str = "node-1") -> Json:
        found = self.container(app, name, node)
        shown: Json = json.loads(self.world.lab.node(node).docker("inspect", found.id).stdout)[0]
        return shown

    def logs(self, app: str, name: str = "main", node: str = "node-1") -> str:
        return self.world.lab.node(node).docker("logs", self.container(app, name, node).id).stdout

    def crash(self, app: str, name: str = "main") -> None:
        """Its first process dies, as of a bug of its own: not by Docker's hand."""
        pid = self.inspect(app, name)["State"]["Pid"]
        self.world.lab.node("node-1").run(["kill", "-9", str(pid)])

    def gone(self, app: str) -> None:
        """Wait for the end of everything of it, and until the master has noticed."""
        eventually(lambda: not self.containers(app) and not self.pods(app), 20, f"the end of {app}")

    def is_empty(self) -> bool:
        """No pod is left on any host, and none is published."""
        return not self.world.containers() and not self._published()

    def told(self, app: str, shown: str, *filters: str, seconds: float = 600.0) -> list[str]:
        """The engine's own events about the pod's containers, in the last `seconds`."""
        host = self.world.lab.node("node-1")
        return engine_events(host, seconds, shown, f"label=reconciler.dev/pod={app}", *filters)

    def docker(self, *arguments: str, node: str = "node-1", check: bool = True) -> str:
        return self.world.lab.node(node).docker(*arguments, check=check).stdout.strip()


def _is_of(pod: Pod, deployment: str) -> bool:
    """Whether it belongs to one of the Deployment's ReplicaSets, which may be gone before it."""
    owner = controller_of(pod.metadata)
    in_default = pod.metadata.namespace == "default"
    return in_default and owner is not None and owner.name.rpartition("-")[0] == deployment


# Reading a pod's status


def _statuses(reader: StoreReader) -> list[Pod]:
    return [one for one in reader.statuses().values() if isinstance(one, Pod)]


def _pods_of(app: str, pods: list[Pod]) -> list[Json]:
    """The pods of this name, or of this Deployment."""
    return [
        object_json(pod, POD.names, POD.encode) for pod in pods if pod.metadata.name == app or _is_of(pod, app)
    ]


def is_ready(pod: Json) -> bool:
    return condition(pod, "Ready") == "True"


def condition(pod: Json, kind: str) -> str:
    return next((each["status"] for each in pod["status"]["conditions"] if each["type"] == kind), "")


def state_of(pod: Json, name: str = "main") -> Json:
    """Its container's whole status, init containers and sidecars included; empty where there is none."""
    status = pod.get("status", {})
    every = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return next((each for each in every if each["name"] == name), {})


def reason(pod: Json, name: str = "main") -> str:
    """Why the container waits, or how it ended."""
    state = state_of(pod, name).get("state", {})
    return str(next((each.get("reason", "") for each in state.values()), ""))


def message(pod: Json, name: str = "main") -> str:
    state = state_of(pod, name).get("state", {})
    return str(next((each.get("message", "") for each in state.values()), ""))


def restarts(pod: Json, name: str = "main") -> int:
    return int(state_of(pod, name).get("restartCount", 0))


def is_running(pod: Json, name: str = "main") -> bool:
    return "running" in state_of(pod, name).get("state", {})
