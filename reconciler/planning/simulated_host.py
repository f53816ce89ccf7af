"""A Docker host in memory: what it does with what it is asked, and what it then looks like.

One model for all who need a host without one: the dry run, the laws of planning, the fault stories and the loop's
tests. `tests/contract` holds it against a real host: where the two differ, this one is wrong.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final
from zlib import crc32

from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.container_config import ClaimMount, ContainerConfig, HostNetwork, PodAddress, SharedNetwork
from reconciler.model.names import Uid
from reconciler.model.observed import (
    IN_MEMORY,
    DockerState,
    Ended,
    NetworkState,
    ObservedContainer,
    Probed,
    Reachable,
    labelled,
)
from reconciler.model.operations import (
    ConnectPod,
    CreateContainer,
    HoldContainer,
    MakeDirectory,
    Operation,
    Outcome,
    PodWork,
    PullImage,
    RemoveContainer,
    RemoveFiles,
    RemoveVolume,
    RenameContainer,
    SetLimits,
    SetRestartPolicy,
    StartContainer,
    StopContainers,
    UnpauseContainer,
    WriteFiles,
)
from reconciler.model.probes import Hook, RunCommand
from reconciler.planning.kubelet.image_policy import is_present, tagged

ALIVE: Final = frozenset({"running", "paused", "restarting"})
"""The states of a container that has processes, or will have them again without being started."""
_LATER: Final = "~"
"""Begins every simulated moment: it sorts after all that a real host has told."""
_SET_UP: Final = NetworkState(fingerprint="simulated")
_PROBED: Final = Probed(started=True, ready=True)
_TERMINATED: Final = 128 + 15
"""The exit code of a process that SIGTERM ended."""


class OperationRefused(Exception):
    """What the host answers to an operation that it does not carry out."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """Kubernetes' own word for it, such as `ErrImagePull`."""


def runs_on(container: ObservedContainer) -> bool:
    """Say of every container that it does not end by itself."""
    return False


class SimulatedHost:
    """A host that does at once what Docker takes a moment for, and refuses what Docker and our session refuse."""

    def __init__(self, seen: Reachable, pullable: Collection[str] | None = None) -> None:
        """`pullable`: the images that a registry has; None: every image can be had, without a pull too."""
        self.seen = seen
        """The host as a look at it finds it. May be replaced, by whoever lets something happen to the host."""
        self.pullable = pullable
        self.foreign: Collection[str] = ()
        """Names of containers that somebody else made."""
        self.failing_commands: Collection[tuple[str, ...]] = ()
        """Commands of hooks that end with an error."""
        self._published: dict[str, tuple[int, ...]] = {}
        self._shares: dict[str, str] = {}
        """Container -> the one whose network it is in; both maps of containers made here."""
        self._made = 0
        self._moment = 0

    def carry_out(
        self, work: PodWork, ends: Callable[[ObservedContainer], bool] = runs_on, most: int | None = None
    ) -> Outcome:
        """Do the operations of a work in order, up to the first that is refused, and at most the first `most`.

        `ends` says which containers run to their end, and well, as soon as they are started.
        """
        under_way = _UnderWay(self, work.uid, ends)
        try:
            for operation in work.operations[:most]:
                try:
                    under_way.carry_out(operation)
                except OperationRefused as refused:
                    return Outcome(work, operation, str(refused), refused.reason)
            return Outcome(work)
        finally:
            self.seen = under_way.result()

    def route(self, addresses: frozenset[str]) -> None:
        """Let the proxy send new connections to these pods and to no others; its old connections end."""
        seen = self.seen
        network = seen.network if seen.network.fingerprint else _SET_UP
        proxy = replace(seen.proxy, routed=addresses, connected=frozenset())
        if (proxy, network) != (seen.proxy, seen.network) or seen.pulling or seen.busy:
            self.seen = replace(seen, network=network, proxy=proxy, pulling={}, busy=frozenset())

    def answer(self, asked: Iterable[SocketAddress]) -> None:
        """Let each of the pod ports that are asked for accept connections, if its pod runs here."""
        live = {one.ip for one in self.seen.containers if one.ip and one.state == "running"}
        listening = frozenset(one for one in (*self.seen.listening, *asked) if one.ip in live)
        if listening != self.seen.listening:
            self.seen = replace(self.seen, listening=listening)

    def probe(self, probed: Collection[str]) -> None:
        """Let the probes of the running containers of these names succeed, where they have not answered yet."""
        containers = [
            replace(one, probed=_PROBED)
            if one.state == "running" and one.probed is None and one.name in probed
            else one
            for one in self.seen.containers
        ]
        if any(new is not old for new, old in zip(containers, self.seen.containers, strict=True)):
            self.seen = replace(self.seen, containers=tuple(containers))

    # --- for what is under way -------------------------------------------------------------------------------

    def next_id(self) -> str:
        """Return an id for a container, as Docker gives it: another one each time, on each host."""
        self._made += 1
        return f"{crc32(self.seen.facts.engine_id.encode()):08x}{self._made:08x}"

    def next_moment(self) -> str:
        """Return a moment after all that have been."""
        if not self._moment:
            moments = (one.started_at for one in self.seen.containers)
            self._moment = max((int(each[1:]) for each in moments if each.startswith(_LATER)), default=0)
        self._moment += 1
        return f"{_LATER}{self._moment:09}"

    def remember(self, config: ContainerConfig) -> None:
        """Keep of a container what its host does not show before it runs."""
        self._published[config.name] = tuple(port.host_port for port in config.ports if port.host_port)
        if isinstance(config.network, SharedNetwork):
            self._shares[config.name] = config.network.container

    def forget(self, name: str) -> None:
        """Forget a container that is no more."""
        self._published.pop(name, None)
        self._shares.pop(name, None)

    def published(self, name: str) -> tuple[int, ...]:
        """Return the host's ports that a container takes while it runs."""
        return self._published.get(name, ())

    def network_of(self, name: str) -> str:
        """Return the container whose network this one shares; empty where it has its own."""
        return self._shares.get(name, "")


class _UnderWay:
    """A host in the middle of one work."""

    def __init__(self, host: SimulatedHost, uid: Uid, ends: Callable[[ObservedContainer], bool]) -> None:
        seen = host.seen
        self._host = host
        self._uid = uid
        self._ends = ends
        self._containers = {one.name: one for one in seen.containers if one.state != "removing"}
        self._images = set(seen.images)
        self._files = dict(seen.files)
        self._directories = set(seen.directories)
        self._volumes = set(seen.volumes or ())
        self._used_ports = dict(seen.used_ports)
        self._over: set[str] = set()
        """Addresses whose container was started or has ended: what listened there before does so no more."""

    def result(self) -> Reachable:
        seen = self._host.seen
        return replace(
            seen,
            containers=tuple(self._containers[name] for name in sorted(self._containers)),
            images=frozenset(self._images) if self._images != seen.images else seen.images,
            files=self._files,
            directories=frozenset(self._directories),
            volumes=frozenset(self._volumes) if seen.volumes is not None else None,
            used_ports=self._used_ports,
            listening=frozenset(one for one in seen.listening if one.ip not in self._over),
        )

    def carry_out(self, operation: Operation) -> None:
        match operation:
            case PullImage(image):
                self._pull(image)
            case WriteFiles(uid, volume, fingerprint=fingerprint):
                self._files[f"{uid}/{volume}"] = fingerprint
                self._directories.add(uid)
            case MakeDirectory(uid, volume, memory):
                self._directories.add(uid)
                if memory:
                    self._files[f"{uid}/{volume}"] = IN_MEMORY
            case RemoveFiles(uid):
                self._files = {key: value for key, value in self._files.items() if not key.startswith(f"{uid}/")}
                self._directories.discard(uid)
            case RemoveVolume(volume):
                self._volumes.discard(volume)
            case CreateContainer(config):
                self._create(config)
            case StartContainer(name, hook):
                self._start(self._existing(name))
                self._run_post_start(hook, name)
            case StopContainers(stops):
                for stop in stops:
                    self._stop(self._ours(stop.container))
            case HoldContainer(name):
                if (found := self._ours(name)) is not None and found.state == "restarting":
                    self._change(found, "exited")
            case RenameContainer(container_id, name):
                self._rename(container_id, name)
            case RemoveContainer(name, uid):
                self._remove(self._ours(name, uid))
            case _:
                self._adjust(operation)

    def _adjust(self, operation: Operation) -> None:
        """Change a container in place: it need not be made anew, nor stop."""
        match operation:
            case SetRestartPolicy(name, policy):
                self._put(replace(self._existing(name), restart_policy=policy))
            case SetLimits(name, limits, pids):
                self._put(replace(self._existing(name), limits=limits, pids_limit=pids))
            case ConnectPod(name, ip):
                self._put(replace(self._existing(name), ip=ip))
            case UnpauseContainer(name):
                if (found := self._existing(name)).state == "paused":
                    self._change(found, "running")

    # --- images and containers -------------------------------------------------------------------------------

    def _pull(self, image: str) -> None:
        if self._host.pullable is not None and image not in self._host.pullable:
            raise OperationRefused("ErrImagePull", f"cannot pull {image}: manifest unknown")
        self._images.add(tagged(image))

    def _create(self, config: ContainerConfig) -> None:
        if self._ours(config.name) is not None:
            return
        if self._host.pullable is not None and not is_present(config.image, self._images):
            raise OperationRefused("ErrImagePull", f"the image {config.image} is not on the host")
        network = config.network
        self._host.remember(config)
        self._volumes |= {mount.volume for mount in config.mounts if isinstance(mount, ClaimMount)}
        self._put(
            replace(
                labelled(config.labels),
                id=self._host.next_id(),
                name=config.name,
                image=config.image,
                state="created",
                restart_policy=config.restart_policy,
                ip=network.ip if isinstance(network, PodAddress | HostNetwork) else "",
            )
        )

    def _start(self, found: ObservedContainer) -> None:
        if found.state == "running":
            return
        if shared := self._host.network_of(found.name):
            holder = self._containers.get(shared)
            if holder is None or holder.state != "running":
                message = f"cannot join the network of {shared}, which does not run"
                raise OperationRefused("RunContainerError", message)
        for port in self._host.published(found.name):
            if (taken := self._used_ports.get(port, found.name)) != found.name:
                raise OperationRefused("PortConflict", f"port {port} is held by the container {taken}")
        began = replace(found, started_at=self._host.next_moment(), started=0.0, probed=None, exit_code=0)
        self._over.add(found.ip)
        if self._ends(found):
            self._put(replace(began, state="exited"))
            return
        self._used_ports |= dict.fromkeys(self._host.published(found.name), found.name)
        self._put(replace(began, state="running"))

    def _run_post_start(self, hook: Hook | None, name: str) -> None:
        if isinstance(hook, RunCommand) and hook.command in self._host.failing_commands:
            self._stop(self._existing(name))
            raise OperationRefused("FailedPostStartHook", f"the postStart hook of {name} failed")

    def _stop(self, found: ObservedContainer | None) -> None:
        if found is not None and found.state in ALIVE:
            moment = self._host.next_moment()
            end = Ended(_TERMINATED, at=moment)
            self._leave_ports(found.name)
            self._over.add(found.ip)
            self._put(replace(found, state="exited", exit_code=_TERMINATED, finished_at=moment, last_end=end))

    def _remove(self, found: ObservedContainer | None) -> None:
        if found is None:
            return
        if found.state in ALIVE:
            raise OperationRefused("KillContainerError", f"{found.name} is running: stop it first")
        del self._containers[found.name]
        self._over.add(found.ip)
        self._host.forget(found.name)

    def _rename(self, container_id: str, name: str) -> None:
        before = next((one for one in self._containers.values() if one.id == container_id), None)
        if before is not None and (found := self._ours(before.name)) is not None and found.name != name:
            del self._containers[found.name]
            self._put(replace(found, name=name))

    # --- what they stand on ----------------------------------------------------------------------------------

    def _put(self, container: ObservedContainer) -> None:
        self._containers[container.name] = container

    def _change(self, found: ObservedContainer, state: DockerState) -> None:
        self._put(replace(found, state=state))

    def _leave_ports(self, name: str) -> None:
        self._used_ports = {port: holder for port, holder in self._used_ports.items() if holder != name}

    def _existing(self, name: str) -> ObservedContainer:
        if (found := self._ours(name)) is None:
            raise OperationRefused("RunContainerError", f"the container {name} is gone")
        return found

    def _ours(self, name: str, uid: Uid = "") -> ObservedContainer | None:
        """Return the pod's container of this name, or None. Refused where it is somebody else's."""
        if name in self._host.foreign:
            raise OperationRefused(
                "CreateContainerError", f"a container {name} exists and is not made by reconciler"
            )
        found = self._containers.get(name)
        if found is not None and found.uid != (uid or self._uid):
            raise OperationRefused(
                "CreateContainerError", f"a container {name} exists and is of pod uid {found.uid}"
            )
        return found
