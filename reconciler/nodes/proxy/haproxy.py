"""The node's HAProxy, brought to what is wanted: by its runtime API where only servers differ, or the networks
that clients may come from, else by a reload.

For a reload, a file is written beside the live one, checked by the HAProxy that is to run it, swapped in by a
rename, reloaded, and believed only when the new worker is there and has the servers of the file. If that fails,
the file before it is back, and was in force all along. The marker `in-force` says which structure a worker has
been seen with: a reload that we did not live to see is repeated.

Servers and networks change in the running process first, read back at once. The files follow when it is quiet, for
a HAProxy that starts anew: a hundred changes a second are one file in ten seconds.

Connections to a service without a pod that takes them are refused by the host itself: from before its last server
goes until its first one is there.

HAProxy refuses a whole file for one address that somebody else listens on. Such an address is left out, told of,
and tried again when it is free; every other service is heard, and kept up to date.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.given import Given
from reconciler.model.observed import ProxyState
from reconciler.model.proxy import NodeProxy, ProxySection, config_text
from reconciler.nodes.docker.engine import Engine
from reconciler.nodes.docker.system_container import Tell
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.network.refusals import Refusals, silent_binds
from reconciler.nodes.proxy.container import (
    ADMIN_SOCKET,
    FILES,
    INSIDE,
    LIVE,
    MARKER,
    MASTER_SOCKET,
    NEXT,
    SOURCES,
    STATE,
    ProxyContainer,
)
from reconciler.nodes.proxy.files import (
    current_workers,
    haproxy_complaint,
    held_by_others,
    lacking,
    left_out_of,
    not_heard,
    read_binds,
    read_heard,
    without_binds,
)
from reconciler.nodes.proxy.folder import ProxyFolder, digests_of
from reconciler.nodes.proxy.runtime_api import (
    Live,
    as_wanted,
    changes,
    command_lines,
    count_of_states,
    kept_state,
    other_sources,
    read_servers_state,
    read_sources,
    refusals,
    shown_sources,
    taking,
)
from reconciler.nodes.proxy.servers import LiveServers
from reconciler.nodes.ssh.shell import Shell

_ASK = 'while IFS= read -r line; do printf "%s\\n" "$line" | socat -t2 - "UNIX-CONNECT:$1"; done'
_CHECK_SECONDS = 10.0
_RELOAD_SECONDS = 5.0
_POLL_SECONDS = 0.01
_ANSWER_SECONDS = 2.0
"""As long as `socat` waits in `_ASK`."""
_FILE_SECONDS, _LATEST_FILE_SECONDS = 1.0, 10.0
"""After the last change of servers or networks, and after the first one that the files lack, they are written."""
_FIRST_DELETION, _LAST_DELETION = 0.02, 0.64
"""After a server was taken out: when it is tried for the first and for the last time, each time twice as late, to
delete it without its connections. What lasts longer than all this is looked at with the next change."""


class Proxy:
    """For one connection; used by the setup thread alone. `inside` is a shell in the container, `host` outside."""

    def __init__(
        self,
        cluster: str,
        engine: Engine,
        watcher: Watcher,
        host: Shell,
        inside: Shell,
        tell: Tell = lambda _: None,
    ) -> None:
        """`tell` is told what of the host somebody else had changed."""
        self._folder = ProxyFolder(cluster, host)
        self._host = host
        self._inside = inside
        self._container = ProxyContainer(cluster, engine, watcher, host, tell)
        self._image = ""
        """Of the container that is known to run; empty: it is to be looked at."""
        self._structure = ""
        """In force, with what was left out of it; empty: not known."""
        self._bound: frozenset[SocketAddress] = frozenset()
        """What HAProxy has been told to bind, and may have done."""
        self._servers = LiveServers({})
        """As last read back."""
        self._heard: Mapping[str, frozenset[SocketAddress]] = {}
        """Where the sections in force listen."""
        self._refusals = Refusals(host)
        self._sources: dict[str, frozenset[str]] = {}
        """As last read back, by list."""
        self._applied: dict[str, ProxySection] = {}
        """Sections whose servers and networks are known to be these."""
        self._unwritten: NodeProxy | None = None
        self._write_at = self._write_by = float("inf")
        self._delete_at = float("inf")
        self._deletion_pause = _FIRST_DELETION

    def read_back(self) -> tuple[ProxyState, frozenset[SocketAddress]]:
        """What is in force, and the ports of pods that it balances over. Raises NodeError.

        Called when the connection is made, and whenever what is known of it may have become wrong."""
        marker = self._folder.marker()
        file = self._folder.live()
        found, written, self._bound, self._heard = file.header, file.servers, file.binds, file.heard
        self._refusals.read()
        self._folder.read_sources()
        self._image, self._structure, self._applied = "", "", {}
        servers = self._all_servers() if self._serves() else None
        if servers is None:
            addresses = {address for section in written.values() for address in section.values()}
            return ProxyState(routed=found.routed), frozenset(addresses)
        self._servers = LiveServers({section: servers.get(section, {}) for section in written})
        self._structure = found.structure if found.structure == marker else ""
        self._sources = self._shown(tuple(self._folder.written))
        same = (
            self._structure
            and all(written[section] == taking(live) for section, live in self._servers.items())
            and self._folder.written == digests_of(self._sources)
            and self._refusals.known == self._unheard()
        )
        balanced = {address for _, live in self._servers.items() for address in taking(live).values()}
        return self._state(fingerprint=found.fingerprint if same else ""), frozenset(balanced)

    @property
    def given(self) -> Given:
        """What the file gives out, as last read back."""
        return self._folder.last_read.header.given

    def ensure(self, wanted: NodeProxy, now: ProxyState) -> ProxyState:
        """The state after trying. Raises NodeError where the host, not the configuration, is the trouble."""
        if wanted.image != self._image:
            if self._container.ensure(wanted.image):
                self._structure = ""
            self._image = wanted.image
        if now.fingerprint == wanted.fingerprint and self._structure == wanted.structure:
            # What all nodes have alike is one object for all: a set for each would be nodes times pods.
            routed = wanted.routed if now.routed == wanted.routed else now.routed
            return replace(now, running=False, routed=routed, error="", kept=self._unwritten is None)
        taken = {} if self._structure == wanted.structure else self._taken(wanted)
        if self._structure != lacking(wanted.structure, taken) or self._update(wanted.sections):
            if trouble := self._replace(wanted, taken):
                self._refusals.put(self._unheard())
                fingerprint = now.fingerprint if self._structure else ""
                return self._state(fingerprint, trouble, now.routed)
        elif self._unwritten is not wanted:
            self._plan_file(wanted)
        self._refusals.put(self._unheard())
        if taken:
            return self._state("", not_heard(taken), now.routed)
        state = self._state(wanted.fingerprint)
        return replace(state, routed=wanted.routed) if state.routed == wanted.routed else state

    @property
    def due(self) -> float:
        """When `follow_up` should be called, in monotonic seconds."""
        return min(self._write_at, self._delete_at)

    def follow_up(self, now: ProxyState) -> ProxyState:
        """What is left to do of earlier changes, and the state after it. Raises NodeError."""
        if time.monotonic() >= self._write_at:
            self._write_file()
            now = replace(now, kept=True)
        if time.monotonic() < self._delete_at:
            return now
        # Also where this fails, the next try is later.
        self._deletion_pause *= 2
        self._plan_deletions()
        if commands := self._servers.deletions:
            sections = sorted({command.split(" ")[2].partition("/")[0] for command in commands})
            shown = [f"show servers state {section}" for section in sections]
            replies = self._ask(*command_lines([*commands, *shown]))
            found = read_servers_state(replies)
            for section in sections if count_of_states(replies) == len(shown) else ():
                self._servers.put(section, found.get(section, {}))
        if not self._servers.connected:
            self._delete_at = float("inf")
        return replace(now, connected=self._servers.connected)

    def _plan_file(self, wanted: NodeProxy) -> None:
        moment = time.monotonic()
        if self._unwritten is None:
            self._write_by = moment + _LATEST_FILE_SECONDS
        self._unwritten, self._write_at = wanted, min(self._write_by, moment + _FILE_SECONDS)

    def _plan_deletions(self) -> None:
        there = self._servers.connected and self._deletion_pause <= _LAST_DELETION
        self._delete_at = time.monotonic() + self._deletion_pause if there else float("inf")

    def _state(self, fingerprint: str, error: str = "", before: frozenset[str] = frozenset()) -> ProxyState:
        """`before`: what was routed to, and perhaps is, where the structure in force is not known."""
        routed = self._servers.routed | (frozenset() if self._structure else before)
        return ProxyState(
            False, fingerprint, routed, self._servers.connected - routed, error, self._unwritten is None
        )

    def _write_file(self) -> None:
        """Servers and networks as they are by now; the check is not repeated, for only their lines are new."""
        wanted, self._unwritten, self._write_at = self._unwritten, None, float("inf")
        if wanted is not None:
            self._folder.put_sources(wanted.sources)
            self._folder.keep_only(SOURCES, wanted.sources)
            taken = left_out_of(self._structure)
            self._folder.put(LIVE, without_binds(config_text(wanted), taken) if taken else config_text(wanted))

    def _unheard(self) -> frozenset[SocketAddress]:
        """Where services listen that have nobody to take a connection."""
        return silent_binds(self._heard, self._servers.silent)

    def _refuse(self, heard: Mapping[str, frozenset[SocketAddress]], sections: Iterable[ProxySection]) -> None:
        """Where these sections listen that are to have no server, before they have none."""
        silent = (section.name for section in sections if section.server_options and not section.servers)
        self._refusals.put(self._refusals.known | silent_binds(heard, silent))

    def _taken(self, wanted: NodeProxy) -> Mapping[SocketAddress, str]:
        return held_by_others(read_binds(config_text(wanted)), self._bound, self._host.check(["ss", "-Hltnp"]))

    # --- by the runtime API ---------------------------------------------------------------------------------

    def _update(self, sections: Iterable[ProxySection]) -> str:
        """Why servers and networks are not the wanted ones; empty: they are."""
        new = [section for section in sections if self._is_new(section)]
        commands = {
            section.name: changes(section, self._servers.of(section.name), self._sources) for section in new
        }
        touched = [section for section in new if commands[section.name] or other_sources(section, self._sources)]
        if touched:
            lists = [name for section in touched for name in other_sources(section, self._sources)]
            told = [command for section in touched for command in commands[section.name]]
            shown = [f"show servers state {section.name}" for section in touched]
            self._refuse(self._heard, touched)
            replies = self._ask(*command_lines([*told, *shown, *shown_sources(lists)]))
            found = read_servers_state(replies)
            for section in touched:
                self._servers.put(section.name, found.get(section.name, {}))
            for name in lists:
                self._sources.pop(name, None)
            self._sources |= read_sources(replies, lists)
            if not all(as_wanted(section, self._servers.of(section.name), self._sources) for section in touched):
                return refusals(replies) or "HAProxy does not answer on its socket"
            self._deletion_pause = _FIRST_DELETION
            self._plan_deletions()
        self._applied |= {section.name: section for section in new}
        return ""

    def _is_new(self, section: ProxySection) -> bool:
        return bool(section.server_options) and self._applied.get(section.name) is not section

    def _ask(self, *lines: str) -> str:
        """The replies of the worker to lines of commands."""
        script = ["sh", "-c", _ASK, "sh", f"{INSIDE}/{ADMIN_SOCKET}"]
        seconds = _ANSWER_SECONDS * (len(lines) + 1)
        return self._inside.run(script, stdin="".join(f"{line}\n" for line in lines), timeout=seconds).out

    def _servers_state(self) -> str:
        """All of it; empty: the worker does not answer."""
        script = ["sh", "-c", _ASK, "sh", f"{INSIDE}/{ADMIN_SOCKET}"]
        return self._inside.read(script, "show servers state\n", 2 * _ANSWER_SECONDS)

    def _all_servers(self) -> dict[str, dict[str, Live]] | None:
        """None: the worker does not answer."""
        return read_servers_state(reply) if (reply := self._servers_state()).strip() else None

    def _shown(self, lists: Sequence[str]) -> dict[str, frozenset[str]]:
        return read_sources(self._ask(*command_lines(shown_sources(lists))), lists) if lists else {}

    # --- by a reload ----------------------------------------------------------------------------------------

    def _replace(self, wanted: NodeProxy, taken: Mapping[SocketAddress, str]) -> str:
        """Why the wanted configuration is not in force; empty: it is, but for what others hold."""
        config = without_binds(config_text(wanted), taken) if taken else config_text(wanted)
        self._folder.put_files(wanted.files)
        self._folder.put_sources(wanted.sources)
        self._folder.put(NEXT, config)
        if trouble := self._check():
            # What is in force stays, and is kept up to date as far as it goes.
            self._update(section for section in wanted.sections if section.name in self._servers)
            return trouble
        self._structure, self._unwritten, self._write_at = "", None, float("inf")
        self._keep_state(wanted)
        heard = read_heard(config)
        self._refuse(heard, wanted.sections)
        self._folder.swap_in()
        self._bound |= read_binds(config)
        if trouble := self._reload(wanted):
            if self._folder.swap_back():
                self._reload(None)
            return trouble
        self._bound, self._heard = read_binds(config), heard
        self._structure = lacking(wanted.structure, taken)
        self._applied = {section.name: section for section in wanted.sections}
        self._folder.put(MARKER, self._structure)
        self._folder.keep_only(FILES, wanted.files)
        self._folder.keep_only(SOURCES, wanted.sources)
        return ""

    def _check(self) -> str:
        """HAProxy's own words against the file; empty: it takes it."""
        reply = self._inside.run(["haproxy", "-c", "-f", f"{INSIDE}/{NEXT}"], timeout=_CHECK_SECONDS)
        return "" if reply.status == 0 else haproxy_complaint(reply.err or reply.out)

    def _keep_state(self, wanted: NodeProxy) -> None:
        """A pod that HAProxy knows to be dead stays so in the new process."""
        self._folder.put(STATE, kept_state(self._servers_state(), wanted.sections))

    def _serves(self) -> bool:
        """A worker is there. After a power cut only the files are; HAProxy cannot bind, and keeps starting."""
        return self._container.runs() and bool(current_workers(self._master("show proc")))

    def _reload(self, wanted: NodeProxy | None) -> str:
        """Why there is no new worker with these servers; empty: there is one."""
        deadline = time.monotonic() + _RELOAD_SECONDS
        # A master that is only starting may have read the file before: it is reloaded too, once it answers.
        while not (before := self._master("show proc")) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        hangs = not self._ask("show info")
        if wanted is not None and not before and hangs:
            self._container.make_anew(wanted.image)
            deadline = time.monotonic() + _RELOAD_SECONDS
        said = self._master("reload")
        if hangs and before:  # HAProxy waits for the listening sockets of the worker before, without an end.
            self._inside.run(["kill", "-KILL", *map(str, current_workers(before))])
        while "Success=0" not in said and time.monotonic() < deadline:
            if current_workers(self._master("show proc")) - current_workers(before) and self._has(wanted):
                return ""
            time.sleep(_POLL_SECONDS)
        return (
            f"HAProxy did not take over the new configuration: "
            f"{haproxy_complaint(said) or self._container.last_words()}"
        )

    def _has(self, wanted: NodeProxy | None) -> bool:
        servers = self._all_servers()
        if servers is None:
            return False
        sections = wanted.sections if wanted is not None else ()
        names = [section.name for section in sections] if wanted is not None else [*self._heard, *servers]
        self._servers = LiveServers({name: servers.get(name, {}) for name in names})
        self._sources = self._shown(tuple(wanted.sources)) if wanted is not None else {}
        return all(as_wanted(section, self._servers.of(section.name), self._sources) for section in sections)

    def _master(self, command: str) -> str:
        """The reply of HAProxy's master process; empty while it does not answer."""
        script = 'echo "$1" | socat -t2 - "UNIX-CONNECT:$2"'
        return self._inside.run(["sh", "-c", script, "sh", command, f"{INSIDE}/{MASTER_SOCKET}"]).out
