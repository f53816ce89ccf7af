"""Carries out a pod's operations on its host, in order, and says how they ended. Runs on the session's workers.

Each operation is safe to repeat: what is already done counts as done, and what carries another pod's uid is left
alone. After each one the container is looked at, so that the outcome is never told before its effect is seen.
"""

import re
import time
from typing import Any

from msgspec import Struct

from reconciler.model.names import LABEL_CLUSTER, LABEL_UID, Uid
from reconciler.model.operations import (
    ContainerConfig,
    CreateContainer,
    Operation,
    Outcome,
    PodWork,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainers,
    UnpauseContainer,
)
from reconciler.nodes.docker_request import create_request
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import ConnectionLost, EngineError, NodeError, NotOurs, OutcomeUnknown
from reconciler.nodes.view import HostView
from reconciler.nodes.watching import Watcher

_PULL_SECONDS = 900.0
_KILL_SECONDS = 15.0
_POLL_SECONDS = 2.0
_REMOVAL_SECONDS = 20.0
_PORT_TAKEN = re.compile(r"port is already allocated|failed to bind (?:host )?port|listen \w+ \S*:\d+: bind", re.I)
_PORT = re.compile(r":(\d+)(?: failed|: bind|/| )")
_REGISTRY_WORDS = {"unauthorized": 401, "manifest unknown": 404, "not found": 404, "toomanyrequests": 429}
_LIKELY_FIXES = {
    401: "log the reconciler's user in to that registry (docker login)",
    403: "check that its account may read this image",
    404: "check the name and the tag, and that the registry needs no login",
    429: "the registry limits how often it is asked: wait, log in, or use a mirror",
}


class Actor:
    """Made anew with each connection. `puller` has a channel of its own: a long pull delays no start."""

    def __init__(self, engine: Engine, puller: Engine, cluster: str, view: HostView, watcher: Watcher) -> None:
        self._engine = engine
        self._puller = puller
        self._cluster = cluster
        self._view = view
        self._watcher = watcher

    def carry_out(self, work: PodWork) -> Outcome:
        """Never raises for what a host can do."""
        for operation in work.operations:
            try:
                self._carry_out(operation, work.uid)
            except (OutcomeUnknown, ConnectionLost) as error:
                return Outcome(work, operation, str(error), _REASONS[type(operation)], unknown=True)
            except _Failed as failure:
                return Outcome(work, operation, failure.message, failure.reason)
            except NodeError as error:
                return Outcome(work, operation, str(error), _REASONS[type(operation)])
        return Outcome(work)

    def _carry_out(self, operation: Operation, uid: Uid) -> None:
        match operation:
            case PullImage(image=image):
                self.pull(image)
            case CreateContainer(config=config):
                self._create(config, uid)
            case StartContainer(container=name):
                self._start(name, uid)
            case UnpauseContainer(container=name):
                self._unpause(name, uid)
            case StopContainers(containers=stops, grace_seconds=grace):
                for stop in stops:
                    self._stop(stop.container, uid, grace)
            case RemoveContainer(container=name, uid=owner):
                self._remove(name, owner)

    # --- images ---------------------------------------------------------------------------------------------

    def pull(self, image: str) -> None:
        """Also called for the proxy's image."""
        name, tag = split_image(image)
        try:
            with engine_errors(f"pull {image}"):
                for line in self._puller.pull_within(name, tag, _PULL_SECONDS):
                    if said := line.get("error"):
                        raise EngineError((line.get("errorDetail") or {}).get("code", 500), said)
        except EngineError as error:
            raise _Failed("ErrImagePull", f"cannot pull {image}: {error.message}{_pull_fix(error)}") from error
        self._watcher.look_at_images()

    # --- containers -----------------------------------------------------------------------------------------

    def _create(self, config: ContainerConfig, uid: Uid) -> None:
        try:
            with engine_errors(f"create {config.name}"):
                made = self._engine.create(config.name, create_request(config))
        except EngineError as error:
            if error.status == 409:
                made = self._adopt(config.name, uid)
            elif error.status == 404 and "image" in error.message.lower():
                message = f"{error.message}; the image {config.image} is not on the host"
                raise _Failed("ErrImagePull", message) from error
            else:
                raise
        self._watcher.look_at(made)

    def _adopt(self, name: str, uid: Uid) -> str:
        """A container of this name exists: made by us for this pod, before a reply was lost or we were killed."""
        found = self._find(name, uid)
        if found is None:
            raise OutcomeUnknown(f"the name {name} was taken a moment ago, and now is not")
        return found.id

    def _start(self, name: str, uid: Uid) -> None:
        found = self._expect(name, uid)
        try:
            with engine_errors(f"start {name}"):
                self._engine.start(found.id)
        except EngineError as error:
            self._watcher.look_at(found.id)
            if _PORT_TAKEN.search(error.message):
                raise _Failed("PortConflict", self._port_conflict(error.message)) from error
            raise
        self._watcher.look_at(found.id)

    def _unpause(self, name: str, uid: Uid) -> None:
        found = self._expect(name, uid)
        if found.status == "paused":
            with engine_errors(f"unpause {name}"):
                self._engine.unpause(found.id)
        self._watcher.look_at(found.id)

    def _stop(self, name: str, uid: Uid, grace: int) -> None:
        """Like `docker stop`, which would keep one of the few channels busy for the whole grace period."""
        found = self._find(name, uid)
        if found is None or not found.runs:
            return self._seen_gone(found)
        for signal, patience in ((found.stop_signal, float(grace)), ("SIGKILL", _KILL_SECONDS)):
            self._signal(found.id, signal)
            if self._ended_within(found.id, patience):
                return None
        raise _Failed(
            "KillContainerError", f"{name} still runs {_KILL_SECONDS:g} s after SIGKILL; is its disk hung?"
        )

    def _signal(self, container_id: str, signal: str) -> None:
        try:
            with engine_errors(f"signal {container_id[:12]}"):
                self._engine.kill(container_id, signal)
        except EngineError as error:
            # 404, 409: it ended by itself, a moment ago.
            if error.status not in (404, 409):
                raise

    def _ended_within(self, container_id: str, seconds: float) -> bool:
        """An event tells; should it be lost, looking now and then does."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            if self._view.wait_until_ended(container_id, min(left, _POLL_SECONDS)):
                return True
            self._watcher.look_at(container_id)
            if left == 0.0:
                return self._view.wait_until_ended(container_id, 0)

    def _remove(self, name: str, uid: Uid) -> None:
        found = self._find(name, uid)
        if found is None:
            return
        try:
            with engine_errors(f"remove {name}"):
                self._engine.remove_container(found.id, v=True)
        except EngineError as error:
            if error.status == 409 and "in progress" in error.message:
                self._await_removal(found.id)
            elif error.status != 404:
                raise
        self._watcher.look_at(found.id)

    def _await_removal(self, container_id: str) -> None:
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while self._inspect(container_id) is not None:
            if time.monotonic() > deadline:
                raise _Failed("KillContainerError", f"Docker has been removing it for {_REMOVAL_SECONDS:g} s")
            time.sleep(0.1)

    # --- looking --------------------------------------------------------------------------------------------

    def _expect(self, name: str, uid: Uid) -> "_Found":
        if (found := self._find(name, uid)) is None:
            raise EngineError(404, f"the container {name} is gone")
        return found

    def _find(self, name: str, uid: Uid) -> "_Found | None":
        """The container of this name, if it is this pod's; NotOurs for anybody else's."""
        if (inspected := self._inspect(name)) is None:
            return None
        labels = inspected["Config"].get("Labels") or {}
        if (labels.get(LABEL_CLUSTER), labels.get(LABEL_UID)) != (self._cluster, uid):
            ours = labels.get(LABEL_CLUSTER) == self._cluster
            whose = f"of pod uid {labels.get(LABEL_UID)}" if ours else f"not of the cluster {self._cluster}"
            raise NotOurs(
                f"a container named {name} exists and is {whose}: left alone; rename or remove it by hand"
            )
        return _Found(
            inspected["Id"], inspected["State"]["Status"], inspected["Config"].get("StopSignal") or "SIGTERM"
        )

    def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            with engine_errors(f"inspect {name}"):
                inspected: dict[str, Any] = self._engine.inspect_container(name)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        return inspected

    def _seen_gone(self, found: "_Found | None") -> None:
        if found is not None:
            self._watcher.look_at(found.id)

    def _port_conflict(self, message: str) -> str:
        port = int(match[1]) if (match := _PORT.search(message)) else 0
        holder = self._view.holder(port)
        who = f"the container {holder}" if holder else "a program outside Docker (see `ss -ltnp` there)"
        return f"{message}; the port {port or ''} is held by {who}"


class _Found(Struct, frozen=True):
    id: str
    status: str
    stop_signal: str

    @property
    def runs(self) -> bool:
        return self.status in ("running", "paused", "restarting")


class _Failed(NodeError):
    """An operation ended, and Kubernetes has a word for why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def split_image(image: str) -> tuple[str, str]:
    """`registry:5000/a/b:1.0` -> (`registry:5000/a/b`, `1.0`); a digest counts as the tag; none is `latest`."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "latest")


def _pull_fix(error: EngineError) -> str:
    status = error.status
    for words, number in _REGISTRY_WORDS.items():
        if words in error.message.lower():
            status = number
    return f"; {_LIKELY_FIXES[status]}" if status in _LIKELY_FIXES else ""


_REASONS: dict[type, str] = {
    PullImage: "ErrImagePull",
    CreateContainer: "CreateContainerError",
    StartContainer: "RunContainerError",
    UnpauseContainer: "RunContainerError",
    StopContainers: "KillContainerError",
    RemoveContainer: "KillContainerError",
}
