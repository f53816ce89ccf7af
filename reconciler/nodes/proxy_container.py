"""The system container that HAProxy runs in, on its host's network. Called by proxy.py."""

import hashlib
import json
from typing import Any

from reconciler.model.names import LABEL_CLUSTER, LABEL_CONTAINER, LABEL_HASH, SYSTEM_PROXY
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError, NotOurs
from reconciler.nodes.proxy_files import haproxy_complaint
from reconciler.nodes.shell import Shell
from reconciler.nodes.watching import Watcher

INSIDE = "/etc/reconciler"
"""Where the container sees the host's directory; docs/reference/host-contract.md."""
LIVE, NEXT, LAST, MARKER = "haproxy.cfg", "next.cfg", "last.cfg", "in-force"
STATE, FILES, SOURCES = "servers.state", "files", "sources"
MASTER_SOCKET, ADMIN_SOCKET = "master.sock", "admin.sock"
_MANY_RESTARTS = 3
"""In a row: HAProxy does not start with its file."""
_RUN = (
    # There is no file to start with until the first one is checked, and that takes this container.
    f"until [ -s {INSIDE}/{LIVE} ]; do sleep 0.05; done; "
    f"exec haproxy -W -S {INSIDE}/{MASTER_SOCKET} -f {INSIDE}/{LIVE}"
)


def proxy_name(cluster: str) -> str:
    return f"{cluster}_proxy"


def state_directory(cluster: str) -> str:
    return f"/var/lib/reconciler/{cluster}"


class ProxyContainer:
    def __init__(self, cluster: str, engine: Engine, watcher: Watcher, host: Shell) -> None:
        self._cluster = cluster
        self._name = proxy_name(cluster)
        self._directory = f"{state_directory(cluster)}/proxy"
        self._engine = engine
        self._watcher = watcher
        self._host = host

    def runs(self) -> bool:
        existing = self._find()
        return existing is not None and existing["State"]["Status"] == "running"

    def ensure(self, image: str) -> bool:
        """True if it had to be made or started. Raises NodeError."""
        request = container_request(self._cluster, image)
        existing = self._find()
        if existing is not None:
            labels = existing["Config"].get("Labels") or {}
            if (labels.get(LABEL_CLUSTER), labels.get(LABEL_CONTAINER)) != (self._cluster, SYSTEM_PROXY):
                raise NotOurs(
                    f"a container named {self._name} exists and is not ours; rename or remove it by hand"
                )
            restarting = existing["State"]["Status"] == "restarting"
            crashes = restarting and existing["RestartCount"] >= _MANY_RESTARTS
            if labels.get(LABEL_HASH) == request["Labels"][LABEL_HASH] and not crashes:
                return self._start_if_needed(existing)
            if crashes:
                self._set_aside()
            self._remove(existing["Id"])
        self._host.check(["mkdir", "-p", "-m", "0755", self._directory])
        with engine_errors(f"create {self._name}"):
            made = self._engine.create(self._name, request)
        return self._start(made)

    def make_anew(self, image: str) -> None:
        """For one that hangs: what it has under way is lost, and it was lost before."""
        if existing := self._find():
            self._remove(existing["Id"])
        self.ensure(image)

    def last_words(self) -> str:
        with engine_errors("the proxy's log"):
            log: bytes = self._engine.logs(self._name, tail=20)
        return haproxy_complaint(log.decode(errors="replace"))

    def _find(self) -> dict[str, Any] | None:
        try:
            with engine_errors(f"inspect {self._name}"):
                found: dict[str, Any] = self._engine.inspect_container(self._name)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        return found

    def _remove(self, container_id: str) -> None:
        with engine_errors(f"remove {self._name}"):
            self._engine.remove_container(container_id, force=True, v=True)
        self._watcher.look_at(container_id)

    def _start_if_needed(self, existing: dict[str, Any]) -> bool:
        match existing["State"]["Status"]:
            case "running" | "restarting":
                return False
            case "paused":
                with engine_errors("unpause the proxy"):
                    self._engine.unpause(existing["Id"])
                self._watcher.look_at(existing["Id"])
                return False
            case _:
                return self._start(existing["Id"])

    def _start(self, container_id: str) -> bool:
        try:
            with engine_errors("start the proxy"):
                self._engine.start(container_id)
        finally:
            self._watcher.look_at(container_id)
        return True

    def _set_aside(self) -> None:
        """HAProxy does not start with the live file: a new container waits for the next one, and checks it."""
        script = 'cd "$1" && { [ ! -e "$2" ] || mv -f "$2" "$3"; }'
        self._host.check(["sh", "-c", script, "sh", self._directory, LIVE, LAST])


def container_request(cluster: str, image: str) -> dict[str, Any]:
    """The body of Docker's create request; its own hash is one of the labels."""
    request: dict[str, Any] = {
        "Image": image,
        "Entrypoint": ["sh", "-c", _RUN],
        "Cmd": [],
        # As root: services listen on ports below 1024, on the host's own network.
        "User": "0:0",
        "Labels": {LABEL_CLUSTER: cluster, LABEL_CONTAINER: SYSTEM_PROXY},
        "HostConfig": {
            "NetworkMode": "host",
            "RestartPolicy": {"Name": "always"},
            "Binds": [f"{state_directory(cluster)}/proxy:{INSIDE}"],
        },
    }
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:10]
    return request | {"Labels": {**request["Labels"], LABEL_HASH: digest}}
