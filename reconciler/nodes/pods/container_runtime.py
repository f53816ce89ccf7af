"""The containers of pods on one host: made, started, held, removed, and found again by name and label.

What is already done counts as done, and what carries another pod's uid is left alone. After each step the
container is looked at, so that its outcome is never told before its effect is observed.
"""

import contextlib
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from reconciler.model.addresses import mac_of
from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.container_config import ContainerConfig
from reconciler.model.limits import ContainerLimits
from reconciler.model.names import LABEL_CLUSTER, LABEL_UID, POD_NETWORK, Uid
from reconciler.nodes.docker.create_request import RESTART_POLICIES, create_request, limit_update
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.errors import EngineError, NotOurs, OutcomeUnknown
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.mounts import Mounts

_POLL_SECONDS: Final = 2.0
_REMOVAL_SECONDS: Final = 20.0
_HOLD_SECONDS: Final = 5.0
_LONGEST_STOP_SECONDS: Final = 30
_PORT_TAKEN: Final = re.compile(
    r"port is already allocated|failed to bind (?:host )?port|listen \w+ \S*:\d+: bind", re.I
)
_PORT: Final = re.compile(r":(\d+)(?: failed|: bind|/| )")
_BEING_REMOVED: Final = ("removing", "dead")


class PodContainer(Struct, frozen=True):
    id: str
    status: str
    stop_signal: str
    stop_seconds: int
    labels: Mapping[str, str] = {}
    sources: tuple[str, ...] = ()
    """The paths on the host of what it mounts by a path."""

    @property
    def runs(self) -> bool:
        return self.status in ("running", "paused", "restarting")


class ContainerRuntime:
    """The containers of pods on one host, brought from state to state."""

    def __init__(self, engine: Engine, mounts: Mounts, cluster: str, cache: HostCache, watcher: Watcher) -> None:
        self._engine = engine
        self._mounts = mounts
        self._cluster = cluster
        self._cache = cache
        self._watcher = watcher

    def create(self, config: ContainerConfig, uid: Uid) -> None:
        if config.must_not_be_root:
            self._check_user(config)
        request = create_request(self._mounts.prepare(config))
        try:
            made = self._create(config, request)
        except EngineError as error:
            if error.status != 409:
                raise
            made = self._adopt(config, uid, request)
        self._watcher.look_at(made)

    def start(self, name: str, uid: Uid) -> PodContainer:
        found = self.expect(name, uid)
        if found.sources and not found.runs and not self._mounts.is_current(found.labels, found.sources):
            self.remove(name, uid)
            raise Failed(
                "FailedMount", f"{name} could have been led out of its volumes by a link: it is made anew"
            )
        try:
            with engine_errors(f"start {name}"):
                self._engine.start(found.id)
        except EngineError as error:
            self._watcher.look_at(found.id)
            if _PORT_TAKEN.search(error.message):
                raise Failed("PortConflict", self._port_conflict(error.message)) from error
            raise
        self._watcher.look_at(found.id)
        return found

    def set_restart_policy(self, name: str, policy: RestartPolicy, uid: Uid) -> None:
        found = self.expect(name, uid)
        with engine_errors(f"update {name}"):
            self._engine.set_restart_policy(found.id, RESTART_POLICIES[policy])
        self._watcher.look_at(found.id)

    def set_limits(self, name: str, limits: ContainerLimits, pids: int, uid: Uid) -> None:
        found = self.expect(name, uid)
        with engine_errors(f"update {name}"):
            self._engine.set_limits(found.id, limit_update(limits, pids))
        self._watcher.look_at(found.id)
        observed = self._cache.container_by_id(found.id)
        if observed is not None and (observed.limits, observed.pids_limit) != (limits, pids):
            raise EngineError(
                500, f"Docker does not limit {name} as it was told to; `docker info` says what the kernel lacks"
            )

    def connect(self, name: str, ip: str, uid: Uid) -> None:
        """Connect a container to the pod network under this address; from another place on it, it is taken
        first."""
        found = self.expect(name, uid)
        with contextlib.suppress(EngineError), engine_errors(f"disconnect {name}"):
            self._engine.disconnect_container_from_network(found.id, POD_NETWORK, force=True)
        with engine_errors(f"connect {name}"):
            self._engine.connect_container_to_network(
                found.id, POD_NETWORK, ipv4_address=ip, mac_address=mac_of(ip)
            )
        self._watcher.look_at(found.id)

    def unpause(self, name: str, uid: Uid) -> None:
        found = self.expect(name, uid)
        if found.status == "paused":
            with engine_errors(f"unpause {name}"):
                self._engine.unpause(found.id)
        self._watcher.look_at(found.id)

    def hold(self, name: str, uid: Uid) -> None:
        """Keep a container from being started again by Docker: a kill takes only the waiting. One that is
        running again by now has escaped: it is left alone."""
        found = self.find(name, uid)
        if found is None or found.status != "restarting":
            self.see(found)
            return
        self.signal(found.id, "SIGKILL")
        if not self.ended_within(found.id, _HOLD_SECONDS):
            message = f"Docker goes on restarting {name}, {_HOLD_SECONDS:g} s after a kill"
            raise Failed("KillContainerError", message)

    def rename(self, container: str, name: str, uid: Uid) -> None:
        found = self.find(container, uid)
        if found is None:
            return
        with engine_errors(f"rename {container[:12]} to {name}"):
            self._engine.rename(found.id, name)
        self._watcher.look_at(found.id)

    def remove(self, name: str, uid: Uid) -> None:
        found = self.find(name, uid)
        if found is None:
            return
        try:
            with engine_errors(f"remove {name}"):
                self._engine.remove_container(found.id, v=True)
        except EngineError as error:
            if error.status == 409 and "in progress" in error.message:
                self._await_removal(found.id, name, "KillContainerError")
            elif error.status != 404:
                self._give_up(found.id, name, error)
        self._mounts.release(uid, found.labels)
        self._watcher.look_at(found.id)

    def image_user(self, image: str) -> str:
        """`Config.User` of an image that is on the host; empty: root."""
        with engine_errors(f"inspect {image}"):
            return self._engine.image_user(image)

    # --- looking --------------------------------------------------------------------------------------------

    def find(self, name: str, uid: Uid) -> PodContainer | None:
        """The container of this name, if it is this pod's; NotOurs for anybody else's."""
        if (inspected := self._inspect(name)) is None:
            return None
        config = inspected["Config"]
        labels = config.get("Labels") or {}
        if (labels.get(LABEL_CLUSTER), labels.get(LABEL_UID)) != (self._cluster, uid):
            ours = labels.get(LABEL_CLUSTER) == self._cluster
            whose = f"of pod uid {labels.get(LABEL_UID)}" if ours else f"not of the cluster {self._cluster}"
            raise NotOurs(
                f"a container named {name} exists and is {whose}: left alone; rename or remove it by hand"
            )
        seconds = config.get("StopTimeout")
        return PodContainer(
            inspected["Id"],
            inspected["State"]["Status"],
            config.get("StopSignal") or "SIGTERM",
            _LONGEST_STOP_SECONDS if seconds is None else min(seconds, _LONGEST_STOP_SECONDS),
            labels,
            tuple(
                str(mount["Source"])
                for mount in inspected.get("HostConfig", {}).get("Mounts") or ()
                if mount.get("Type") == "bind"
            ),
        )

    def expect(self, name: str, uid: Uid) -> PodContainer:
        if (found := self.find(name, uid)) is None:
            raise EngineError(404, f"the container {name} is gone")
        return found

    def see(self, found: PodContainer | None) -> None:
        if found is not None:
            self._watcher.look_at(found.id)

    def ended_within(self, container_id: str, seconds: float) -> bool:
        """An event tells; should it be lost, looking now and then does."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            if self._cache.wait_until_ended(container_id, min(left, _POLL_SECONDS)):
                return True
            self._watcher.look_at(container_id)
            if left == 0.0:
                return self._cache.wait_until_ended(container_id, 0)

    def signal(self, container_id: str, signal: str, seconds: float = 10.0) -> None:
        try:
            with engine_errors(f"signal {container_id[:12]}"):
                self._engine.kill_within(container_id, signal, seconds)
        except EngineError as error:
            # 404, 409: it ended by itself, a moment ago.
            if error.status not in (404, 409):
                raise

    # --- inside ---------------------------------------------------------------------------------------------

    def _create(self, config: ContainerConfig, request: dict[str, Any]) -> str:
        try:
            with engine_errors(f"create {config.name}"):
                return self._engine.create(config.name, request)
        except EngineError as error:
            if error.status == 404 and "image" in error.message.lower():
                message = f"{error.message}; the image {config.image} is not on the host"
                raise Failed("ErrImagePull", message) from error
            raise

    def _adopt(self, config: ContainerConfig, uid: Uid, request: dict[str, Any]) -> str:
        """A container of this name exists: made by us for this pod, before a reply was lost or we were killed; or
        on its way out."""
        found = self.find(config.name, uid)
        if found is None:
            raise OutcomeUnknown(f"the name {config.name} was taken a moment ago, and now is not")
        if found.status not in _BEING_REMOVED:
            return found.id
        self._await_removal(found.id, config.name, "CreateContainerError")
        return self._create(config, request)

    def _await_removal(self, container_id: str, name: str, reason: str) -> None:
        """A removal that does not end keeps Docker's thing, under another name, and no pod from having its own."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while self._inspect(container_id) is not None:
            if time.monotonic() > deadline:
                return self._put_aside(container_id, name, reason)
            time.sleep(0.1)
        return None

    def _give_up(self, container_id: str, name: str, error: EngineError) -> None:
        """Docker cannot remove it: `dead` is what it calls one that is only half there."""
        left = self._inspect(container_id)
        if left is None:
            return
        if left["State"]["Status"] not in _BEING_REMOVED:
            raise error
        self._put_aside(container_id, name, "KillContainerError")

    def _put_aside(self, container_id: str, name: str, reason: str) -> None:
        try:
            with engine_errors(f"rename {name}"):
                self._engine.rename(container_id, f"{name}-stuck-{container_id[:12]}")
        except EngineError as error:
            raise Failed(
                reason,
                f"Docker has been removing {name} for more than {_REMOVAL_SECONDS:g} s, and keeps its name "
                f"({error.message}); is its disk hung? `docker rm -f` it there, or restart dockerd",
            ) from error

    def _check_user(self, config: ContainerConfig) -> None:
        """As the kubelet does it, with its words."""
        user = (config.user or self.image_user(config.image)).partition(":")[0]
        if user.isdecimal() and int(user) != 0:
            return
        if user in ("", "root") or user.isdecimal():
            message = f"container has runAsNonRoot and image {config.image} will run as root; set runAsUser"
        else:
            message = (
                f"container has runAsNonRoot and image {config.image} has non-numeric user ({user}), cannot "
                "verify user is non-root; set runAsUser"
            )
        raise Failed("CreateContainerConfigError", message)

    def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            with engine_errors(f"inspect {name}"):
                inspected: dict[str, Any] = self._engine.inspect_container(name)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        return inspected

    def _port_conflict(self, message: str) -> str:
        port = int(match[1]) if (match := _PORT.search(message)) else 0
        holder = self._cache.holder(port)
        who = f"the container {holder}" if holder else "a program outside Docker (see `ss -ltnp` there)"
        return f"{message}; the port {port or ''} is held by {who}"
