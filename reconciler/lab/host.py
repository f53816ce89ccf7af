"""One lab host: boot it, power it off, hang it, cut its network, run something on it.

Boot order: network namespace, init (private /etc, /root, /var/lib, /run), dockerd, sshd. Power off is one
SIGKILL to its init and the removal of its network namespace: routes, iptables rules and /run are gone as
after a real power cut, while the disk (images, containers, keys) stays.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from reconciler.lab import processes
from reconciler.lab.commands import HOST_ENVIRONMENT, run
from reconciler.lab.disk import HostDisk
from reconciler.lab.engine import engine_answers, remove_labelled, ssh_answers
from reconciler.lab.errors import LabError
from reconciler.lab.network import Network
from reconciler.model.names import LABEL_CLUSTER

SSH_PORT = 22
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class HostStatus:
    """What is seen of a host now. `state` is one of: ready, off, paused, cut, paused+cut, broken."""

    state: str
    dockerd: int | None = None
    sshd: int | None = None


@dataclass(frozen=True)
class Host:
    """A host of the lab; `name` is node-1, node-2, …"""

    name: str
    index: int
    lab_directory: Path
    network: Network = field(default_factory=Network)

    @property
    def address(self) -> str:
        return self.network.address_of(self.index)

    @property
    def ssh_port(self) -> int:
        return SSH_PORT

    @property
    def disk(self) -> HostDisk:
        return HostDisk(self.lab_directory / "hosts" / self.name)

    @property
    def root(self) -> Path:
        """The running host's file system, seen from outside."""
        return self._running().root

    @property
    def docker_socket(self) -> Path:
        """The running engine's socket, usable from outside the host (even when its network is cut)."""
        return self.root / "run/docker.sock"

    # Failures, and their end

    def start(self) -> None:
        """Bring the host to health: boot it if it is off, restart a dead dockerd or sshd, undo pause and cut."""
        init = processes.find_init(self.name, self.lab_directory)
        if init is None or not self.network.is_plugged(self.name):
            if init:
                processes.kill_hosts([init])
            self._boot()
        self.heal()
        self._ensure_daemons()

    def stop(self) -> None:
        """Power off: everything on the host ends at once, and its address no longer answers."""
        if init := processes.find_init(self.name, self.lab_directory):
            processes.kill_hosts([init])
        self.network.unplug(self.name)
        remove_cgroups(self.network, self.name)

    def pause(self) -> None:
        """SIGSTOP dockerd: the engine hangs; sshd and the containers go on."""
        dockerd = processes.daemon_pid(self._running(), "dockerd")
        if dockerd is None:
            raise LabError(f"{self.name} has no running dockerd to pause; `reconciler lab up` brings it back")
        processes.suspend(dockerd)

    def cut(self) -> None:
        """Cut the host off the network; everything on it goes on."""
        self._running()
        self.network.cut(self.name)

    def heal(self) -> None:
        """Undo pause and cut."""
        dockerd = processes.daemon_pid(self._running(), "dockerd")
        if dockerd is not None and processes.is_suspended(dockerd):
            processes.resume(dockerd)
        if self.network.is_cut(self.name):
            self.network.heal(self.name)

    def status(self) -> HostStatus:
        init = processes.find_init(self.name, self.lab_directory)
        if init is None:
            return HostStatus("off")
        dockerd = processes.daemon_pid(init, "dockerd")
        sshd = processes.daemon_pid(init, "sshd")
        cut = self.network.is_cut(self.name)
        if dockerd is None or sshd is None or not self.network.is_plugged(self.name):
            state = "broken"
        elif processes.is_suspended(dockerd):
            state = "paused+cut" if cut else "paused"
        elif not engine_answers(init.root / "run/docker.sock"):
            state = "broken"
        else:
            state = "cut" if cut else "ready"
        return HostStatus(state, dockerd, sshd)

    # Running things on it

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        stdin: str | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the host as root, without ssh (works while its network is cut)."""
        return run([*self._enter(), *argv], timeout=timeout, stdin=stdin, check=check, env=HOST_ENVIRONMENT)

    def docker(
        self, *arguments: str, timeout: float = 60.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """The host's own docker command."""
        return self.run(["docker", *arguments], timeout=timeout, check=check)

    def wipe(self) -> None:
        """Remove whatever a reconciler left on the host (the rest: wipe.sh); the host itself stays up."""
        remove_labelled(self.docker_socket, LABEL_CLUSTER)
        script = resources.files("reconciler.lab").joinpath("wipe.sh").read_text()
        self.run(["sh", "-c", script, "reconciler-lab-wipe"], timeout=60)

    # How it is done

    def prepare(self, client_public_key: str, legacy_iptables: bool) -> None:
        """Write the host's disk, before it boots."""
        daemon = {"bip": f"172.17.{self.index}.1/24", "cgroup-parent": cgroup_parent(self.network, self.name)}
        self.disk.prepare(self.name, daemon, client_public_key, legacy_iptables)

    def _boot(self) -> None:
        self.network.plug(self.name, self.address)
        remove_cgroups(self.network, self.name)
        script = resources.files("reconciler.lab").joinpath("boot.sh").read_text()
        namespaces = ["--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
        inner = ["sh", "-c", script, processes.MARK, self.name, str(self.lab_directory), str(self.disk.path)]
        self._spawn(
            ["nsenter", f"--net={self.network.namespace_path(self.name)}", "unshare", *namespaces, *inner], "init"
        )
        processes.wait_until(self._booted, 10, f"{self.name} to boot", self._see("init"))

    def _booted(self) -> bool:
        init = processes.find_init(self.name, self.lab_directory)
        return init is not None and (init.root / "run/booted").exists()

    def _ensure_daemons(self) -> None:
        init = self._running()
        if processes.daemon_pid(init, "dockerd") is None:
            for stale in ("run/docker.pid", "run/docker/containerd/containerd.pid"):
                (init.root / stale).unlink(missing_ok=True)
            self._spawn([*self._enter(), "setsid", "--fork", "dockerd"], "dockerd")
        if processes.daemon_pid(init, "sshd") is None:
            self._spawn([*self._enter(), "setsid", "--fork", "/usr/sbin/sshd", "-D", "-e"], "sshd")
        socket = init.root / "run/docker.sock"
        processes.wait_until(
            lambda: engine_answers(socket), 30, f"the engine of {self.name} to answer", self._see("dockerd")
        )
        processes.wait_until(
            lambda: ssh_answers(self.address, SSH_PORT),
            15,
            f"sshd of {self.name} to answer at {self.address}:{SSH_PORT}",
            self._see("sshd"),
        )

    def _spawn(self, argv: Sequence[str], log: str) -> None:
        """Start something that outlives us, with nothing of ours in its environment or open files."""
        with (self.disk.log / f"{log}.log").open("ab") as output:
            subprocess.run(
                ["setsid", "--fork", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=HOST_ENVIRONMENT,
                cwd="/",
                check=True,
                timeout=10,
            )

    def _enter(self) -> list[str]:
        return ["nsenter", f"--target={self._running().pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--"]

    def _running(self) -> processes.HostInit:
        init = processes.find_init(self.name, self.lab_directory)
        if init is None:
            raise LabError(f"{self.name} is off; `reconciler lab node start {self.name}` boots it")
        return init

    def _see(self, log: str) -> str:
        return f"see {self.disk.log / f'{log}.log'}"


def remove_cgroups(network: Network, name: str = "") -> None:
    """Remove the (empty) cgroups that killed containers of this host, or of all hosts, left behind."""
    parent = cgroup_parent(network, name).strip("/")
    for top in [*_CGROUPS.glob(parent), *_CGROUPS.glob(f"*/{parent}")]:
        for directory, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)


def cgroup_parent(network: Network, name: str) -> str:
    """The cgroup that holds the containers of this host; without a name, those of all hosts."""
    return f"/reconciler-lab-{network.prefix}/{name}".rstrip("/")
