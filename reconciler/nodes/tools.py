"""What works on one host over one connection: Docker's clients, the shell, and the keepers of the host's parts.

Made by connection.py for every connection anew. Sessions of sshd in use (it allows 10 by default): one shell on
the host, one in the proxy, and Docker's API with one for events, one for what the prober says, one for looking,
one for pulls and four for the rest: all ten.
"""

import time
from typing import Any, Final

import paramiko
from msgspec import Struct
from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.api.cluster import Cluster
from reconciler.model.names import SYSTEM_BOOT, SYSTEM_DNS, SYSTEM_PROBER
from reconciler.nodes.boot.keeper import BootKeeper
from reconciler.nodes.dns.servers import Dns
from reconciler.nodes.docker.engine import DIAL, ChannelPool, Engine, engine_errors, negotiate
from reconciler.nodes.docker.moments import event_time
from reconciler.nodes.docker.replies import DiskUse, read_disk
from reconciler.nodes.docker.system_container import SystemContainer
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.images.garbage_collection import ImageCollector
from reconciler.nodes.images.pull import Puller
from reconciler.nodes.images.record import PulledImages
from reconciler.nodes.lease.lease import LeaseKeeper
from reconciler.nodes.network.bridge_ports import Ports
from reconciler.nodes.network.keeper import NetworkKeeper
from reconciler.nodes.node_setup import HostParts, SetupKeeper
from reconciler.nodes.pods.attached import detached
from reconciler.nodes.pods.port_checks import PortChecker
from reconciler.nodes.pods.volumes import PodFiles
from reconciler.nodes.pods.worker import PodWorker
from reconciler.nodes.prober.session import ProberSession
from reconciler.nodes.proxy.haproxy import Proxy
from reconciler.nodes.proxy.stats import proxy_shell
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.shell import Shell

_ACTING_CHANNELS: Final = 4
_ACT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 5.0
_OPEN_SECONDS: Final = 5.0
_LOOK_OPEN_SECONDS: Final = 3.0


class HostContext(Struct, frozen=True):
    """One connection to a host: all that its tools work through, and where they record what they find."""

    node: str
    cluster: Cluster
    ssh: SshConnection
    lease: LeaseKeeper
    cache: HostCache
    log: BoundLogger

    def looking(self, channels: int, open_seconds: float = _OPEN_SECONDS) -> ChannelPool:
        """Channels to Docker that work with and without a lease."""
        return ChannelPool(lambda: self.ssh.open(DIAL, open_seconds), channels)

    def acting(self, channels: int) -> ChannelPool:
        """Channels to Docker that end with the lease."""
        return ChannelPool(lambda: self.lease.open(DIAL), channels)


class EngineInfo(Struct, frozen=True):
    """What Docker's `GET /info` said when the connection was made."""

    reply: dict[str, Any]
    clock: float | None
    """`Reachable.clock`."""

    @property
    def engine_id(self) -> str:
        return str(self.reply["ID"])

    @property
    def moment(self) -> str:
        """When it was asked, by the host's own clock, as `GET /events` takes it."""
        return event_time(str(self.reply["SystemTime"]))

    @property
    def root(self) -> str:
        """Docker's directory on the host."""
        return str(self.reply.get("DockerRootDir", "/"))


class HostTools(Struct, frozen=True):
    """All that works on one host over one connection; nothing of it outlives the connection."""

    info: EngineInfo
    shell: Shell
    looker: Engine
    events: Engine
    watcher: Watcher
    files: PodFiles
    worker: PodWorker
    setup: SetupKeeper
    proxy: Proxy
    prober: ProberSession
    checker: PortChecker
    ports: Ports
    collector: ImageCollector

    def stop(self) -> None:
        """End the threads that run the tools, as soon as each has come to an end of what it does."""
        for one in (self.setup, self.checker, self.ports, self.prober, self.collector):
            one.stop()


def make_tools(wire: HostContext) -> HostTools:
    """Raises NodeError where Docker does not answer."""
    cluster, cache, log = wire.cluster.metadata.name, wire.cache, wire.log
    looking = wire.looking(1, _LOOK_OPEN_SECONDS)
    version = negotiate(looking, _LOOK_SECONDS)
    looker = Engine(looking, version, _LOOK_SECONDS)
    acting = Engine(wire.acting(_ACTING_CHANNELS), version, _ACT_SECONDS)
    pulling = Engine(wire.acting(1), version, _ACT_SECONDS)
    info = _info(looker)
    shell = Shell(lambda: wire.lease.open(("sh",)), wire.node)
    watcher, acting_watcher = Watcher(looker, cluster, cache), Watcher(acting, cluster, cache)
    files = PodFiles(cluster, shell, cache)
    pulled = PulledImages(cluster, shell)
    puller = Puller(pulling, pulled, cache, acting_watcher)

    def connect_for_hook(ip: str, port: int, timeout: float) -> paramiko.Channel:
        """sshd makes the connection, and knows of no lease: the host's shell, which proved it, is asked first."""
        shell.check(["true"], timeout=timeout)
        return wire.ssh.connect_to(ip, port, timeout)

    def system_container(part: str) -> SystemContainer:
        return SystemContainer(cluster, part, acting, watcher, shell, cache.record_repair)

    worker = PodWorker(cluster, acting, shell, connect_for_hook, files, puller, cache, acting_watcher, log)
    boot = BootKeeper(cluster, system_container(SYSTEM_BOOT), shell)
    inside = proxy_shell(wire.lease, cluster, wire.node)
    proxy = Proxy(cluster, acting, watcher, shell, inside, cache.record_repair)
    prober = ProberSession(
        cluster,
        system_container(SYSTEM_PROBER),
        Engine(wire.looking(1), version, _LOOK_SECONDS),
        shell,
        cache,
        lambda: setup.container_changed(),
    )
    parts = HostParts(
        NetworkKeeper(cluster, cache, acting, shell, boot.keep_network, log),
        Dns(cluster, system_container(SYSTEM_DNS), shell, wire.ssh.connect_to, cache),
        proxy,
        prober,
        boot,
        lambda: look_at_files(files, shell, cache),
    )
    setup = SetupKeeper(cache, parts, puller, wire.cluster.spec.sync.relist_seconds)
    return HostTools(
        info=info,
        shell=shell,
        looker=looker,
        events=Engine(wire.looking(1), version, _LOOK_SECONDS),
        watcher=watcher,
        files=files,
        worker=worker,
        setup=setup,
        proxy=proxy,
        prober=prober,
        checker=PortChecker(wire.ssh.accepts, cache, log),
        ports=Ports(cache, shell, log, lambda: wire.lease.may_act),
        collector=ImageCollector(acting, pulled, worker.awaited_images, lambda: disk_use(shell, info.root), log),
    )


def look_at_files(files: PodFiles, shell: Shell, cache: HostCache) -> None:
    """Record the files of pods, and whether their containers have them mounted. Raises NodeError."""
    files.look()
    mounted = [(one, at) for one, at in cache.attachments() if files.is_volume(at.source)]
    runs = {one.id: one.run for one, _ in mounted}
    found = detached(shell, (at for _, at in mounted))
    cache.record_detached({key: (runs[key], target) for key, target in found.items()})


def disk_use(shell: Shell, directory: str) -> DiskUse:
    """The disk that this directory of the host is on. Raises NodeError."""
    return read_disk(shell.check(["df", "-kP", directory]))


def _info(looker: Engine) -> EngineInfo:
    with engine_errors("info"):
        reply = looker.info()
    if "SystemTime" not in reply:
        return EngineInfo(reply, None)
    return EngineInfo(reply, float(event_time(str(reply["SystemTime"]))) - time.monotonic())
