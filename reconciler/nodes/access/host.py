"""A host for one command of a person: a connection of its own, beside that of a running reconciler.

Only what a command asks for is opened; nothing watches, and nothing outlives the command.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import docker.errors
from msgspec import Struct

from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.names import (
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    LABEL_UID,
    SANDBOX,
    Uid,
)
from reconciler.nodes.docker.engine import DIAL, ChannelPool, Engine, engine_errors, negotiate
from reconciler.nodes.docker.streams import DuplexStream, hijack
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.login import Credentials
from reconciler.nodes.ssh.shell import Shell

_CHANNELS = 4
_CALL_SECONDS = 30.0
_OPEN_SECONDS = 10.0


class FoundContainer(Struct, frozen=True):
    """A container of a pod as it is on its host now."""

    id: str
    name: str
    """The container's name in the pod."""
    tty: bool
    running: bool
    started_at: str
    """RFC 3339, from the host's clock; empty: never."""
    finished_at: str
    """When it last ended, which may lie before its present start; empty: it never ended."""
    restarts: int


class HostAccess:
    """Close it, or use `reaching`. Every method raises NodeError; docker's own calls go through `engine`."""

    def __init__(self, ssh: SshConnection, cluster: str) -> None:
        self.ssh = ssh
        pool = ChannelPool(lambda: ssh.open(DIAL, _OPEN_SECONDS), _CHANNELS)
        self.version = negotiate(pool, _CALL_SECONDS)
        self.engine = Engine(pool, self.version, _CALL_SECONDS)
        self._cluster = cluster

    def containers_of(self, uid: Uid) -> dict[str, str]:
        """Name in the pod -> id, the sandbox left out."""
        listed = self.listed([f"{LABEL_UID}={uid}"])
        return {
            name: str(each["Id"])
            for each in listed
            if (name := (each.get("Labels") or {}).get(LABEL_CONTAINER, "")) not in ("", SANDBOX)
        }

    def listed(self, labels: list[str]) -> list[dict[str, Any]]:
        """The cluster's containers with these labels, as Docker lists them, running or not."""
        with engine_errors("list containers"):
            found: list[dict[str, Any]] = self.engine.containers(
                all=True, filters={"label": [f"{LABEL_CLUSTER}={self._cluster}", *labels]}
            )
        return found

    def look_at(self, container: str) -> FoundContainer:
        with engine_errors("inspect"):
            inspected: Mapping[str, Any] = self.engine.inspect_container(container)
        return read_found(inspected)

    def two_way(self, path: str, body: Mapping[str, Any]) -> DuplexStream:
        """POST to Docker's API, and keep the connection as a stream; `path` without the API's version."""
        return hijack(self.ssh.open(DIAL, _OPEN_SECONDS), f"/v{self.version}{path}", body)

    def shell(self, node: str) -> Shell:
        return Shell(lambda: self.ssh.open(("sh",)), node)

    def close(self) -> None:
        with contextlib.suppress(docker.errors.DockerException, OSError):
            self.engine.close()
        self.ssh.close()


@contextlib.contextmanager
def reaching(node: Node, cluster: Cluster, credentials: Credentials) -> Iterator[HostAccess]:
    """NodeError where it cannot be reached, saying why."""
    ssh = SshConnection.connect(node, credentials, cluster.spec.ssh.connect_timeout_seconds)
    try:
        access = HostAccess(ssh, cluster.metadata.name)
    except BaseException:
        ssh.close()
        raise
    try:
        yield access
    finally:
        access.close()


def read_found(inspected: Mapping[str, Any]) -> FoundContainer:
    """Read a container from the answer to `GET /containers/{id}/json`."""
    state, config = inspected["State"], inspected["Config"]
    return FoundContainer(
        id=inspected["Id"],
        name=(config.get("Labels") or {}).get(LABEL_CONTAINER, ""),
        tty=bool(config.get("Tty")),
        running=bool(state.get("Running")) and not state.get("Restarting"),
        started_at=_moment(state.get("StartedAt")),
        finished_at=_moment(state.get("FinishedAt")),
        restarts=int(inspected.get("RestartCount") or 0),
    )


def _moment(text: str | None) -> str:
    return "" if not text or text.startswith("0001-") else text
