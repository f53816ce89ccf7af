"""A host kept in memory: what `nodes.SshNodeSession` is to a real one, for the same tests and for the loop's.

It does at once what Docker would take a moment for, in the order it is asked, and tells a Listener from the
calling thread. `images`, `registry`, `foreign`, `change`, `lose` and `return_` are what can happen to a host.
"""

import itertools
import re
import time
from collections.abc import Callable, Mapping

import msgspec

from reconciler.model.addresses import SocketAddress
from reconciler.model.containers import ContainerConfig, PodAddress
from reconciler.model.leases import Claim, HostLease, Seat
from reconciler.model.names import SYSTEM_PROXY, Uid
from reconciler.model.observed import (
    BootState,
    ContainerState,
    DnsState,
    Ended,
    Facts,
    NetworkState,
    Observation,
    ObservedContainer,
    ProxyState,
    Reachable,
    Unreachable,
    labelled,
)
from reconciler.model.operations import (
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
    SetRestartPolicy,
    StartContainer,
    StopContainers,
    UnpauseContainer,
    WriteFiles,
)
from reconciler.model.probes import Hook, RunCommand
from reconciler.model.setups import NodeSetup
from reconciler.nodes.pods.volumes import IN_MEMORY
from reconciler.nodes.session import Listener


class FakeLease:
    """A host's lease by the rules of `nodes.lease_script`. Several sessions of one host share it."""

    def __init__(self) -> None:
        self.now: HostLease | None = None
        self.sessions: list[FakeNodeSession] = []

    def take(self, claim: Claim) -> bool:
        if (now := self.now) is not None and not now.is_held_by(claim):
            if claim.epoch <= now.epoch:
                return False
            if now.owner != claim.owner and now.live and not claim.take_over:
                return False
        self.now = HostLease(claim.owner, claim.epoch, claim.holder, claim.seconds, process=claim.process)
        return True

    def release(self, claim: Claim) -> None:
        if self.now is not None and self.now.is_held_by(claim):
            self.now = msgspec.structs.replace(self.now, seconds=0.0, released=True)

    def expire(self) -> None:
        """Its holder was silent for too long."""
        assert self.now is not None
        self.now = msgspec.structs.replace(self.now, seconds=0.0)
        self.tell()

    def tell(self) -> None:
        for session in self.sessions:
            session.look_at_lease()


class FakeNodeSession:
    """Implements `control.ports.NodeSession`."""

    def __init__(
        self,
        name: str,
        cluster: str,
        listener: Listener,
        images: frozenset[str],
        lease: FakeLease | None = None,
    ) -> None:
        self.lease = lease or FakeLease()
        self.lease.sessions.append(self)
        self._claim: Claim | None = None
        self._refused = 0
        self._resting = False
        self._name = name
        self._cluster = cluster
        self._listener = listener
        self._ids = itertools.count(1)
        self._configs: dict[str, ContainerConfig] = {}
        self._containers: dict[str, ObservedContainer] = {}
        self.setup: NodeSetup | None = None
        self._proxy = ProxyState()
        self._dns = DnsState()
        self._boot = BootState()
        self._lost: Unreachable | None = None
        self._now = 0.0
        self.images = images
        self.registry: frozenset[str] = frozenset()
        """Images that a pull would find."""
        self.foreign: dict[str, Mapping[str, str]] = {}
        """Names of other people's containers, with their labels."""
        self._files: dict[str, str] = {}
        self._directories: set[Uid] = set()
        self.failing_commands: frozenset[tuple[str, ...]] = frozenset({("false",)})
        """Of hooks."""
        self.calls: list[Operation] = []
        """Every operation that was begun."""

    @property
    def name(self) -> str:
        return self._name

    def observe(self) -> Observation:
        return self._lost or self._reachable()

    @property
    def seat(self) -> Seat:
        return Seat(self._lost is None, self.lease.now, self._held(), self._refused)

    def lead(self, claim: Claim | None) -> None:
        if claim is None:
            if self._claim is not None:
                self.lease.release(self._claim)
            self._claim = None
            self.lease.tell()
            return
        self._resting = False
        if self._lost is not None:
            self._claim = claim
        elif self._held() != claim.epoch:
            granted = self.lease.take(claim)
            self._claim, self._refused = (claim, 0) if granted else (None, claim.epoch)
            self.lease.tell()

    def rest(self) -> None:
        self._resting = True

    def look_at_lease(self) -> None:
        """What a heartbeat does."""
        if self._claim is not None and self._lost is None and not self._held():
            self._claim = None
        self._listener.observed(self._name)

    def _held(self) -> int:
        now, claim = self.lease.now, self._claim
        return claim.epoch if now is not None and claim is not None and now.is_held_by(claim) else 0

    def submit(self, work: PodWork) -> None:
        if not self._held() or self._resting:
            refused = Outcome(work, work.operations[0], "the host was not given to this reconciler", "NotLeading")
            self._listener.finished(self._name, refused)
            return
        if self._lost is not None:
            self._listener.finished(self._name, Outcome(work, work.operations[0], "not connected", "NodeNotReady"))
            return
        outcome = Outcome(work)
        for operation in work.operations:
            self.calls.append(operation)
            try:
                self._do(operation, work.uid)
            except _Failure as failure:
                outcome = Outcome(work, operation, failure.message, failure.reason)
                break
        self._listener.observed(self._name)
        self._listener.finished(self._name, outcome)

    def ensure(self, setup: NodeSetup) -> None:
        if setup == self.setup or not self._held():
            return
        self.setup = setup
        if complaint := re.search(r"^\s*nonsense.*$", setup.proxy.preamble, re.MULTILINE):
            self._proxy = msgspec.structs.replace(self._proxy, error=f"unknown keyword {complaint[0].strip()!r}")
        else:
            self._proxy = ProxyState(True, setup.proxy.fingerprint, setup.proxy.routed)
        self._ensure_proxy_container(setup.proxy.image)
        if setup.dns is not None:
            self._dns = DnsState(setup.dns.fingerprint)
        self._boot = BootState(setup.boot)
        self._listener.observed(self._name)

    def stop(self, release: bool = False) -> None:
        if release:
            self.lead(None)
        self._lost = Unreachable(time.monotonic(), "closed", self.last())

    @property
    def ended(self) -> bool:
        return True

    def close(self) -> None:
        self.stop()

    # --- what happens to a host -----------------------------------------------------------------------------

    def lose(self, why: str = "the network is cut", refused: bool = False, answers: bool = False) -> None:
        self._lost = Unreachable(time.monotonic(), why, self.last(), refused, answers)
        self._listener.observed(self._name)

    def return_(self) -> None:
        self._lost = None
        if (claim := self._claim) is not None:
            self.lead(claim)
        self._listener.observed(self._name)

    def change(self, name: str, change: Callable[[ObservedContainer], ObservedContainer | None]) -> None:
        """By hand, or by a crash; None removes it."""
        changed = change(self._containers.pop(name))
        if changed is not None:
            self._containers[name] = changed
        self._listener.observed(self._name)

    # --- inside ---------------------------------------------------------------------------------------------

    def _do(self, operation: Operation, uid: Uid) -> None:
        match operation:
            case PullImage(image=image):
                if image not in self.registry:
                    raise _Failure("ErrImagePull", f"cannot pull {image}: manifest unknown")
                self.images |= {image}
            case CreateContainer(config=config):
                self._create(config, uid)
            case WriteFiles(uid=owner, volume=volume, fingerprint=fingerprint):
                self._files[f"{owner}/{volume}"] = fingerprint
                self._directories.add(owner)
            case MakeDirectory(uid=owner, volume=volume, memory=memory):
                self._directories.add(owner)
                if memory:
                    self._files[f"{owner}/{volume}"] = IN_MEMORY
            case RemoveFiles(uid=owner):
                self._directories.discard(owner)
                self._files = {key: value for key, value in self._files.items() if not key.startswith(f"{owner}/")}
            case RemoveVolume():
                pass
            case RenameContainer(container=container_id, name=name):
                before = next((key for key, one in self._containers.items() if one.id == container_id), "")
                if self._ours(before, uid) is not None:
                    self._containers[name] = msgspec.structs.replace(self._containers.pop(before), name=name)
            case HoldContainer(container=name):
                found = self._ours(name, uid)
                if found is not None and found.state == "restarting":
                    self._containers[name] = msgspec.structs.replace(found, state="exited")
            case StartContainer(container=name, post_start=hook):
                self._start(self._ours(name, uid, must_exist=True))
                self._run_post_start(hook, name, uid)
            case SetRestartPolicy(container=name, policy=policy):
                found = self._ours(name, uid, must_exist=True)
                assert found is not None
                self._containers[name] = msgspec.structs.replace(found, restart_policy=policy)
            case UnpauseContainer(container=name):
                self._to(self._ours(name, uid, must_exist=True), "running")
            case StopContainers(containers=stops):
                for stop in stops:
                    found = self._ours(stop.container, uid)
                    if found is not None and found.state in ("running", "paused", "restarting"):
                        self._to(found, "exited", exit_code=143)
            case RemoveContainer(container=name, uid=owner):
                found = self._ours(name, owner)
                if found is not None and found.state in ("running", "paused", "restarting"):
                    raise _Failure("KillContainerError", f"{name} is running: stop it first")
                self._containers.pop(name, None)

    def _create(self, config: ContainerConfig, uid: Uid) -> None:
        if self._ours(config.name, uid) is not None:
            return
        if config.image not in self.images:
            raise _Failure("ErrImagePull", f"the image {config.image} is not on the host")
        self._configs[config.name] = config
        self._containers[config.name] = msgspec.structs.replace(
            labelled(config.labels),
            id=f"{self._name}-{next(self._ids)}",
            name=config.name,
            image=config.image,
            state="created",
            restart_policy=config.restart_policy,
            ip=config.network.ip if isinstance(config.network, PodAddress) else "",
        )

    def _start(self, found: ObservedContainer | None) -> None:
        assert found is not None
        if found.state == "running":
            return
        used = self._used_ports()
        for port in self._configs[found.name].ports:
            if port.host_port and used.get(port.host_port, found.name) != found.name:
                holder = used[port.host_port]
                raise _Failure("PortConflict", f"port {port.host_port} is held by the container {holder}")
        self._to(found, "running")

    def _run_post_start(self, hook: Hook | None, name: str, uid: Uid) -> None:
        if isinstance(hook, RunCommand) and hook.command in self.failing_commands:
            self._to(self._ours(name, uid), "exited", exit_code=143)
            raise _Failure("FailedPostStartHook", f"the postStart hook of {name} failed")

    def _ours(self, name: str, uid: Uid, must_exist: bool = False) -> ObservedContainer | None:
        if name in self.foreign:
            raise _Failure("CreateContainerError", f"a container {name} exists and is not made by reconciler")
        found = self._containers.get(name)
        if found is None:
            if must_exist:
                raise _Failure("RunContainerError", f"the container {name} is gone")
            return None
        if found.uid != uid:
            raise _Failure("CreateContainerError", f"a container {name} exists and is of pod uid {found.uid}")
        return found

    def _to(self, found: ObservedContainer | None, state: ContainerState, exit_code: int = 0) -> None:
        assert found is not None
        self._now += 1
        moment = {"started_at": f"t{self._now:g}"} if state == "running" else {"finished_at": f"t{self._now:g}"}
        end = found.last_end if state == "running" else Ended(exit_code, at=f"t{self._now:g}")
        self._containers[found.name] = msgspec.structs.replace(
            found, state=state, exit_code=exit_code, last_end=end, **moment
        )

    def _ensure_proxy_container(self, image: str) -> None:
        name = f"{self._cluster}_proxy"
        self._containers[name] = ObservedContainer(
            f"{self._name}-proxy", name, image, "running", self._cluster, container=SYSTEM_PROXY
        )

    def _used_ports(self) -> dict[int, str]:
        return {
            port.host_port: name
            for name, container in self._containers.items()
            if container.state == "running" and name in self._configs
            for port in self._configs[name].ports
            if port.host_port
        }

    def _listening(self) -> frozenset[SocketAddress]:
        """Whatever runs, answers: on every port that is asked for."""
        live = {c.ip for c in self._containers.values() if c.ip and c.state == "running"}
        checks = self.setup.checks if self.setup else frozenset()
        return frozenset(check for check in checks if check.ip in live)

    def _reachable(self) -> Reachable:
        return Reachable(
            facts=Facts(f"engine-{self._name}", "20.10", "fake", "6", "x86_64", 4, 8 << 30),
            containers=tuple(sorted(self._containers.values(), key=lambda container: container.name)),
            images=self.images,
            used_ports=self._used_ports(),
            network=NetworkState(
                "in force" if self.setup else "",
                policies=frozenset(self.setup.network.policy.pods if self.setup else ()),
            ),
            proxy=self._proxy,
            dns=self._dns,
            boot=self._boot,
            listening=self._listening(),
            files=dict(self._files),
            directories=frozenset(self._directories),
            at=time.monotonic(),
        )

    def last(self) -> Reachable:
        """The host itself, seen from beside it: also while it cannot be reached."""
        return self._reachable() if self._lost is None or self._lost.last is None else self._lost.last


class _Failure(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
