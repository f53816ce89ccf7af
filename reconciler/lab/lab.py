"""The lab as a whole: bring it up, take it down, know its hosts. Tests and `reconciler lab` both use this."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reconciler.lab import disk, engine, processes
from reconciler.lab.errors import LabError
from reconciler.lab.host import Host, HostStatus, remove_cgroups
from reconciler.lab.images import ImageSet, ensure_images
from reconciler.lab.network import DEFAULT_NUMBER, Network
from reconciler.lab.state import LabNode, LabState, default_directory, locked, read_state, write_state

ReportProgress = Callable[[str], None]
DEFAULT_NODES = 3
MAX_NODES = 50


def _silent(_: str) -> None: ...


@dataclass(frozen=True)
class Lab:
    """A lab in one directory, on one network. Labs that differ in both don't disturb each other."""

    directory: Path
    network: Network

    @classmethod
    def open(cls, directory: Path | None = None, number: int | None = None) -> "Lab":
        """The lab of this directory (default: RECONCILER_LAB_DIR, else /var/lib/reconciler-lab), up or not.

        `number`: its hosts are at 10.<number>.0.x (default: what it has, else 77).
        """
        directory = (directory or default_directory()).absolute()
        state = read_state(directory)
        if state and number not in (None, state.network.number):
            raise LabError(
                f"the lab in {directory} has the network 10.{state.network.number}.0.x; "
                f"`reconciler lab down --dir {directory}` comes before another one"
            )
        return cls(directory, state.network if state else Network(number or DEFAULT_NUMBER))

    @property
    def client_key(self) -> Path:
        return self.directory / "keys" / "client"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "keys" / "known_hosts"

    @property
    def records(self) -> tuple[LabNode, ...]:
        """How to reach each host, and the key it shows."""
        state = read_state(self.directory)
        return state.nodes if state else ()

    @property
    def nodes(self) -> tuple[Host, ...]:
        return tuple(self._host(record.index) for record in self.records)

    def node(self, name: str) -> Host:
        for host in self.nodes:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.nodes) or "none; `reconciler lab up` makes some"
        raise LabError(f"the lab has no node {name!r}; its nodes: {known}")

    def status(self) -> dict[str, HostStatus]:
        hosts = self.nodes
        with ThreadPoolExecutor(max(1, len(hosts))) as pool:
            return dict(zip((h.name for h in hosts), pool.map(Host.status, hosts), strict=True))

    def is_up(self) -> bool:
        """Does the lab have hosts, all of them ready?"""
        states = self.status()
        return bool(states) and all(status.state == "ready" for status in states.values())

    def up(self, nodes: int | None = None, progress: ReportProgress = _silent) -> None:
        """Bring the lab to `nodes` healthy hosts (default: as many as it has, else 3) with all images loaded.

        Whatever is missing, dead, paused or cut is put right; what is well is left alone.
        """
        require_root()
        with locked(self.directory):
            self._refuse_other_lab()
            count = nodes or len(self.records) or DEFAULT_NODES
            if not 1 <= count <= MAX_NODES:
                raise LabError(f"a lab has 1 to {MAX_NODES} nodes, not {count}")
            hosts = tuple(self._host(index) for index in range(1, count + 1))
            if read_state(self.directory) is None:  # before the first trace: `down` after a crash needs the number
                write_state(self.directory, LabState((), self.network))
            self._remove_hosts(beyond=count)
            self.network.ensure_switch()
            self._prepare(hosts)
            with ThreadPoolExecutor(len(hosts) + 1) as pool:
                images = pool.submit(ensure_images, self.directory / "cache", progress)
                ready = [pool.submit(self._bring_up, host, images.result, progress) for host in hosts]
                errors = [error for future in ready if (error := future.exception())]
            if errors:
                raise errors[0]

    def down(self, purge: bool = False, progress: ReportProgress = _silent) -> None:
        """End every host and remove every trace, also of a crashed run. The built images stay unless `purge`."""
        require_root()
        with locked(self.directory):
            if running := self._running():
                progress(f"stopping {', '.join(sorted(init.name for init in running))}")
                processes.kill_hosts(running)
            ours = self._other_lab() is None
            if ours:
                for name in self.network.leftover_hosts():
                    self.network.unplug(name)
                self.network.remove_switch()
            processes.kill_hosts(self._running())  # one that a killed `up` was just about to boot
            if ours:
                remove_cgroups(self.network)
            for part in ("hosts", "keys", *(["cache"] if purge else [])):
                if (self.directory / part).exists():
                    shutil.rmtree(self.directory / part)
            for name in ("state.json", "state.new"):
                (self.directory / name).unlink(missing_ok=True)

    def act(self, action: Literal["stop", "start", "pause", "cut", "heal"], name: str) -> None:
        """Do this to one host, while no other command changes the lab."""
        require_root()
        host = self.node(name)
        with locked(self.directory):
            if action == "start":
                self.network.ensure_switch()
            getattr(host, action)()

    # Steps of up

    def _host(self, index: int) -> Host:
        return Host(f"node-{index}", index, self.directory, self.network)

    def _running(self) -> list[processes.HostInit]:
        return [init for init in processes.host_inits() if init.directory == str(self.directory)]

    def _other_lab(self) -> str | None:
        """The directory of another lab that is up on our network."""
        for other in {init.directory for init in processes.host_inits()} - {str(self.directory)}:
            state = read_state(Path(other))
            if (state.network if state else Network()) == self.network:
                return other
        return None

    def _refuse_other_lab(self) -> None:
        """Two labs on one network would take each other's namespaces for leftovers of a crash."""
        if other := self._other_lab():
            raise LabError(
                f"another lab is up in {other}, on the same network; end it with "
                f"`reconciler lab down --dir {other}`, or give this one its own with `up --network NUMBER`"
            )

    def _remove_hosts(self, beyond: int) -> None:
        indexes = {int(name.removeprefix("node-")) for name in self.network.leftover_hosts()}
        for index in sorted(indexes | {record.index for record in self.records}):
            if index > beyond:
                host = self._host(index)
                host.stop()
                host.disk.erase()

    def _prepare(self, hosts: tuple[Host, ...]) -> None:
        """Keys, each host's files, state.json and known_hosts."""
        self.client_key.parent.mkdir(mode=0o700, exist_ok=True)
        disk.make_key(self.client_key, "reconciler-lab")
        client = disk.public_key(self.client_key)
        legacy = self.network.needs_legacy_iptables()
        for host in hosts:
            if processes.find_init(host.name, self.directory) is None:
                host.prepare(client, legacy)
        records = tuple(
            LabNode(h.name, h.index, h.address, h.ssh_port, disk.public_key(h.disk.host_key)) for h in hosts
        )
        write_state(self.directory, LabState(records, self.network))
        self.known_hosts.write_text("".join(f"{record.ip} {record.host_key}\n" for record in records))

    def _bring_up(self, host: Host, images: Callable[[], ImageSet], progress: ReportProgress) -> None:
        if host.status().state != "ready":
            host.start()
            progress(f"{host.name} is up at {host.address}")
        wanted = images()
        socket = host.docker_socket
        have = engine.image_ids(socket)
        if any(have.get(tag) != image for tag, image in wanted.ids.items()):
            with wanted.path.open("rb") as archive:
                engine.load_images(socket, archive, wanted.path.stat().st_size)
            progress(f"{host.name} has the images")


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and runs Docker engines: run it as root (sudo)")
