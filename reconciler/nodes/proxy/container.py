"""The system container that HAProxy runs in, on its host's network. Called by proxy/haproxy.py."""

from functools import cache
from importlib import resources
from typing import Any, Final

from reconciler.model.names import SYSTEM_PROXY
from reconciler.nodes.docker.create_request import log_config
from reconciler.nodes.docker.engine import Engine
from reconciler.nodes.docker.system_container import RecordRepair, SystemContainer
from reconciler.nodes.docker.system_request import system_request
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.proxy.files import haproxy_complaint
from reconciler.nodes.ssh.shell import Shell

INSIDE = "/etc/reconciler"
"""Where the container sees the host's directory; docs/reference/host-contract.md."""
LIVE, NEXT, LAST, MARKER = "haproxy.cfg", "next.cfg", "last.cfg", "in-force"
STATE, FILES, SOURCES = "servers.state", "files", "sources"
MASTER_SOCKET, ADMIN_SOCKET = "master.sock", "admin.sock"
GROUP: Final = 8482
"""The group of the process that clients talk to, and of what it may reach; haproxy.cfg has it too."""
_DIRECTORY: Final = 'mkdir -p -m 0755 "${1%/*}" && mkdir -p "$1" && chown "$2" "$1" && chmod 2750 "$1"'
_MEMORY_BYTES: Final = 4 << 30
"""A thousand Services with five pods each take some 100 MiB, and a connection 33 KiB: this is for the 30,000 that
haproxy.cfg allows by its limit of open files, and for the processes that finish theirs after reloads."""
_PIDS: Final = 4096
"""A thread for each CPU, in each of the up to 20 processes that finish their connections after reloads."""
_LOG_BYTES, _LOG_FILES = 1 << 20, 2
_MANY_RESTARTS = 3
"""In a row: HAProxy does not start with its file."""
_WAIT_SECONDS = 20
_RUN = (
    # There is no file to start with until the first one is checked, and that takes this container.
    f"until [ -s {INSIDE}/{LIVE} ]; do sleep 0.05; done; "
    # After a boot the host gets its addresses one after the other.
    f'python3 -ISBc "$1" {INSIDE}/{LIVE} {_WAIT_SECONDS}; '
    f"exec haproxy -W -S {INSIDE}/{MASTER_SOCKET} -f {INSIDE}/{LIVE}"
)


def state_directory(cluster: str) -> str:
    return f"/var/lib/reconciler/{cluster}"


class ProxyContainer:
    """The container of a host's HAProxy. Used by the setup thread alone; any method may raise NodeError."""

    def __init__(
        self, cluster: str, engine: Engine, watcher: Watcher, host: Shell, record_repair: RecordRepair
    ) -> None:
        self._cluster = cluster
        self._container = SystemContainer(cluster, SYSTEM_PROXY, engine, watcher, host, record_repair)
        self._directory = f"{state_directory(cluster)}/proxy"
        self._host = host

    def runs(self) -> bool:
        found = self._container.find()
        return found is not None and found["State"]["Status"] == "running"

    def ensure(self, image: str) -> bool:
        """Have the container run with this image; True if it had to be made or started."""
        request = container_request(self._cluster, image)
        found = self._container.ours()
        if found is not None:
            restarting = found["State"]["Status"] == "restarting"
            crashes = restarting and found["RestartCount"] >= _MANY_RESTARTS
            if not crashes and self._container.is_as(found, request):
                return self._container.resume(found)
            if crashes:
                self._set_aside()
            self._container.remove(found)
        self._host.check(["sh", "-c", _DIRECTORY, "sh", self._directory, f"0:{GROUP}"])
        self._container.make(request)
        return True

    def make_anew(self, image: str) -> None:
        """Replace a container that hangs: what it has under way is lost, and was lost before."""
        if found := self._container.ours():
            self._container.remove(found)
        self.ensure(image)

    def last_words(self) -> str:
        return haproxy_complaint(self._container.last_words(20))

    def _set_aside(self) -> None:
        """HAProxy does not start with the live file: a new container waits for the next one, and checks it."""
        script = 'cd "$1" && { [ ! -e "$2" ] || mv -f "$2" "$3"; }'
        self._host.check(["sh", "-c", script, "sh", self._directory, LIVE, LAST])


@cache
def waiting_program() -> str:
    return resources.files("reconciler.prober").joinpath("listening.py").read_text()


def container_request(cluster: str, image: str) -> dict[str, Any]:
    """The body of Docker's create request; its own hash is one of the labels."""
    return system_request(
        cluster,
        SYSTEM_PROXY,
        image,
        # As root, to listen on ports below 1024 of the host's own network; the process that clients talk to
        # becomes another user, and has to be signalled all the same.
        ["sh", "-c", _RUN, "sh", waiting_program()],
        {
            "Binds": [f"{state_directory(cluster)}/proxy:{INSIDE}"],
            "Memory": _MEMORY_BYTES,
            "PidsLimit": _PIDS,
            "CapAdd": ["NET_BIND_SERVICE", "SETUID", "SETGID", "KILL"],
            "LogConfig": log_config(_LOG_BYTES, _LOG_FILES),
        },
    )
