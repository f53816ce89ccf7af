"""Find the lab's processes by what the kernel says of them.

The lab keeps no pid files, so none can be stale or name a reused pid. A host is one PID namespace: its init
(process 1 in there) carries a mark, the host's name and the lab's directory in its arguments. Killing the
init makes the kernel kill everything on that host, its containers included.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab.errors import LabError

MARK = "reconciler-lab-host"
_PROC = Path("/proc")


@dataclass(frozen=True)
class HostInit:
    """Process 1 of a running lab host, by its pid in the root namespace."""

    pid: int
    name: str
    directory: str

    @property
    def root(self) -> Path:
        """The host's file system as seen from outside (its private mounts included)."""
        return _PROC / str(self.pid) / "root"


def host_inits() -> list[HostInit]:
    """Every lab host running on this machine, of any lab directory."""
    return [found for pid in _pids() if (found := _as_host_init(pid))]


def find_init(name: str, directory: Path) -> HostInit | None:
    for found in host_inits():
        if (found.name, found.directory) == (name, str(directory)):
            return found
    return None


def parse_init_arguments(cmdline: bytes) -> tuple[str, str] | None:
    """(host name, lab directory) if these are the arguments of a host's init: `sh -c SCRIPT MARK NAME DIR …`."""
    arguments = cmdline.decode(errors="replace").split("\0")
    if len(arguments) >= 6 and arguments[1] == "-c" and arguments[3] == MARK:
        return arguments[4], arguments[5]
    return None


def is_namespace_init(status: str) -> bool:
    """Does this /proc/PID/status belong to process 1 of a PID namespace directly below ours?"""
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) == 2 and numbers[1] == "1"
    return False


def daemon_pid(init: HostInit, program: str) -> int | None:
    """The pid of the host's own `program` (not one inside a container, not an sshd session), if it lives."""
    with contextlib.suppress(OSError):
        namespace = _pid_namespace(init.pid)
        for pid in _pids():
            with contextlib.suppress(OSError):
                if _comm(pid) == program and _pid_namespace(pid) == namespace and _is_main(pid, program):
                    return pid
    return None


def is_suspended(pid: int) -> bool:
    """Is the process stopped by SIGSTOP?"""
    return _state(pid) == "T"


def suspend(pid: int) -> None:
    _signal(pid, signal.SIGSTOP)
    wait_until(lambda: is_suspended(pid), 5, f"process {pid} to stop running")


def resume(pid: int) -> None:
    _signal(pid, signal.SIGCONT)


def kill_hosts(inits: list[HostInit], deadline: float = 10.0) -> None:
    """Power off these hosts: one SIGKILL each, then wait until the kernel has taken every process down."""
    for init in inits:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(init.pid)
            try:
                if _as_host_init(init.pid) == init:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)
    names = ", ".join(init.name for init in inits)
    wait_until(lambda: not any(_as_host_init(i.pid) == i for i in inits), deadline, f"the end of {names}")


def wait_until(condition: Callable[[], bool], seconds: float, what: str, hint: str = "") -> None:
    """Poll `condition` until it holds; LabError after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"waited {seconds:g} s in vain for {what}{hint and '; ' + hint}")
        time.sleep(0.02)


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir(_PROC) if entry.isdigit())


def _as_host_init(pid: int) -> HostInit | None:
    try:
        arguments = parse_init_arguments((_PROC / str(pid) / "cmdline").read_bytes())
        if arguments and is_namespace_init((_PROC / str(pid) / "status").read_text()):
            return HostInit(pid, *arguments)
    except OSError:
        pass
    return None


def _comm(pid: int) -> str:
    return (_PROC / str(pid) / "comm").read_text().strip()


def _pid_namespace(pid: int) -> str:
    return os.readlink(_PROC / str(pid) / "ns" / "pid")


def _is_main(pid: int, program: str) -> bool:
    if _state(pid) in ("Z", "X", ""):
        return False
    return program != "sshd" or b"[listener]" in (_PROC / str(pid) / "cmdline").read_bytes()


def _state(pid: int) -> str:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
