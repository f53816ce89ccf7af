"""HAProxy's processes on a node, spoken to on their sockets through a shell in their container.

The worker serves clients and has the runtime API; the master starts workers anew.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from reconciler.nodes.proxy.container import ADMIN_SOCKET, INSIDE, MASTER_SOCKET, NEXT
from reconciler.nodes.proxy.files import haproxy_complaint
from reconciler.nodes.proxy.runtime_api import (
    LiveServer,
    command_lines,
    read_servers_state,
    read_sources,
    shown_sources,
)
from reconciler.nodes.ssh.shell import Shell

_ASK: Final = 'while IFS= read -r line; do printf "%s\\n" "$line" | socat -t2 - "UNIX-CONNECT:$1"; done'
_ASK_MASTER: Final = 'echo "$1" | socat -t2 - "UNIX-CONNECT:$2"'
_CHECK_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 2.0
"""As long as `socat` waits in `_ASK`."""


class HaproxyProcess:
    """The processes of a host's HAProxy. Used by the setup thread alone; any method may raise NodeError."""

    def __init__(self, inside: Shell) -> None:
        self._inside = inside

    def ask(self, *lines: str) -> str:
        """The replies of the worker to lines of commands."""
        script = ["sh", "-c", _ASK, "sh", f"{INSIDE}/{ADMIN_SOCKET}"]
        seconds = _ANSWER_SECONDS * (len(lines) + 1)
        return self._inside.run(script, stdin="".join(f"{line}\n" for line in lines), timeout=seconds).out

    def servers_state(self) -> str:
        """What the worker says of all its servers; empty: it does not answer."""
        script = ["sh", "-c", _ASK, "sh", f"{INSIDE}/{ADMIN_SOCKET}"]
        return self._inside.read(script, "show servers state\n", 2 * _ANSWER_SECONDS)

    def servers(self) -> Mapping[str, Mapping[str, LiveServer]] | None:
        """All servers by section and name; None: the worker does not answer."""
        return read_servers_state(reply) if (reply := self.servers_state()).strip() else None

    def sources(self, lists: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Return those of these lists of networks that the worker has."""
        return read_sources(self.ask(*command_lines(shown_sources(lists))), lists) if lists else {}

    def ask_master(self, command: str) -> str:
        """The reply of the master; empty while it does not answer."""
        return self._inside.run(["sh", "-c", _ASK_MASTER, "sh", command, f"{INSIDE}/{MASTER_SOCKET}"]).out

    def complaint(self) -> str:
        """HAProxy's own words against the file that is to be next; empty: it takes it."""
        reply = self._inside.run(["haproxy", "-c", "-f", f"{INSIDE}/{NEXT}"], timeout=_CHECK_SECONDS)
        return "" if reply.status == 0 else haproxy_complaint(reply.err or reply.out)

    def kill(self, workers: frozenset[int]) -> None:
        self._inside.run(["kill", "-KILL", *map(str, workers)])
