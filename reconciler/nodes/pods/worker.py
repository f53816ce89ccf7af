"""Carries out a pod's operations on its host, in order, and says how they ended. Runs on the session's workers.

Each operation is safe to repeat. How each is done is in modules of their own. What waits for something else than
Docker's answer (a pull, a hook, the end of a container) waits beside all others.
"""

import threading
from typing import Final

from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.names import Uid
from reconciler.model.operations import (
    ConnectPod,
    CreateContainer,
    HoldContainer,
    MakeDirectory,
    Operation,
    Outcome,
    PodWork,
    PullImage,
    Remark,
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
from reconciler.nodes.docker.engine import Engine
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.errors import ConnectionLost, NodeError, OutcomeUnknown
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.images.pull import Puller
from reconciler.nodes.pods.container_runtime import ContainerRuntime
from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.lifecycle_hooks import ConnectByHost, Hooks
from reconciler.nodes.pods.mounts import Mounts
from reconciler.nodes.pods.persistent_volumes import remove_volume
from reconciler.nodes.pods.termination import Budget, RecordRemark, Stopper
from reconciler.nodes.pods.volumes import PodFiles
from reconciler.nodes.ssh.shell import Shell

_TURNS: Final = 16
"""How many pods ask something of Docker and the shell at once. More would only wait there, for one of the few
channels, and the node's own containers behind them."""

_LOST: Final = (OutcomeUnknown, ConnectionLost)
"""After these it is not known what was done."""


def _ends(work: PodWork) -> bool:
    """Containers of the pod are stopped or removed, and none is started: it leaves, or has run to its end."""
    kinds = {type(operation) for operation in work.operations}
    return not kinds.isdisjoint((StopContainers, RemoveContainer)) and StartContainer not in kinds


class PodWorker:
    """Carries out operations on pods of one host; made anew with each connection."""

    def __init__(
        self,
        cluster: str,
        engine: Engine,
        shell: Shell,
        connect: ConnectByHost,
        files: PodFiles,
        puller: Puller,
        cache: HostCache,
        watcher: Watcher,
        log: BoundLogger,
    ) -> None:
        self._cluster = cluster
        self._engine = engine
        self._watcher = watcher
        self._files = files
        self._puller = puller
        self._turns = threading.BoundedSemaphore(_TURNS)
        self._under_way: dict[int, PodWork] = {}
        self._containers = ContainerRuntime(engine, Mounts(engine, shell, files), cluster, cache, watcher)
        self._stopper = Stopper(self._containers, Hooks(engine, connect, self._containers.ended_within), log)

    def awaited_images(self) -> frozenset[str]:
        """Return the images that the work under way needs: a pod may have one of its images, and wait for
        another."""
        works = tuple(self._under_way.values())
        return frozenset(one.image for work in works for one in work.operations if isinstance(one, PullImage))

    def carry_out(self, work: PodWork) -> Outcome:
        """Never raises for what a host can do."""
        self._under_way[id(work)] = work
        try:
            return self._carry_out_all(work)
        finally:
            del self._under_way[id(work)]

    def _carry_out_all(self, work: PodWork) -> Outcome:
        budget = Budget()
        remarks: list[Remark] = []
        if _ends(work):
            try:
                self._files.leaves(work.uid)
            except NodeError as error:
                return Outcome(work, work.operations[0], str(error), unknown=isinstance(error, _LOST))
        for operation in work.operations:
            reason = _REASONS[type(operation)]
            try:
                self._carry_out(operation, work.uid, budget, remarks.append)
            except _LOST as error:
                return Outcome(work, operation, str(error), reason, unknown=True, remarks=tuple(remarks))
            except Failed as failure:
                return Outcome(work, operation, failure.message, failure.reason, remarks=tuple(remarks))
            except NodeError as error:
                return Outcome(work, operation, str(error), reason, remarks=tuple(remarks))
        return Outcome(work, remarks=tuple(remarks))

    def _carry_out(self, operation: Operation, uid: Uid, budget: Budget, record_remark: RecordRemark) -> None:
        match operation:
            case PullImage(image=image, logins=logins):
                self._puller.pull(image, logins)
            case StartContainer(container=name, post_start=hook):
                with self._turns:
                    found = self._containers.start(name, uid)
                if hook is not None:
                    self._stopper.run_post_start(hook, name, found)
            case StopContainers(containers=stops, grace_seconds=grace):
                self._stopper.stop_all(stops, uid, budget.left(grace), record_remark)
            case _:
                with self._turns:
                    self._do(operation, uid)

    def _do(self, operation: Operation, uid: Uid) -> None:
        """What keeps nobody waiting for long."""
        match operation:
            case WriteFiles(image=image, owner=owner):
                self._files.write(operation, self._containers.image_user(image) if image and owner is None else "")
            case MakeDirectory():
                self._files.make(operation)
            case CreateContainer(config=config):
                self._containers.create(config, uid)
            case SetRestartPolicy(container=name, policy=policy):
                self._containers.set_restart_policy(name, policy, uid)
            case SetLimits(container=name, limits=limits, pids=pids):
                self._containers.set_limits(name, limits, pids, uid)
            case ConnectPod(container=name, ip=ip):
                self._containers.connect(name, ip, uid)
            case UnpauseContainer(container=name):
                self._containers.unpause(name, uid)
            case HoldContainer(container=name):
                self._containers.hold(name, uid)
            case RenameContainer(container=container, name=name):
                self._containers.rename(container, name, uid)
            case RemoveContainer(container=name, uid=owner):
                self._containers.remove(name, owner)
            case RemoveFiles(uid=owner):
                self._files.remove(owner)
            case RemoveVolume(volume=volume):
                remove_volume(self._engine, self._cluster, volume, self._files.pins.users_of)
                self._watcher.look_at_volumes()


_REASONS: Final[dict[type, str]] = {
    PullImage: "ErrImagePull",
    WriteFiles: "FailedMount",
    MakeDirectory: "FailedMount",
    CreateContainer: "CreateContainerError",
    StartContainer: "RunContainerError",
    SetRestartPolicy: "RunContainerError",
    SetLimits: "RunContainerError",
    ConnectPod: "FailedCreatePodSandBox",
    UnpauseContainer: "RunContainerError",
    StopContainers: "KillContainerError",
    HoldContainer: "KillContainerError",
    RenameContainer: "CreateContainerError",
    RemoveContainer: "KillContainerError",
    RemoveFiles: "FailedUnmount",
    RemoveVolume: "VolumeFailedDelete",
}
"""Kubernetes' own words, where the failure has no better one."""
