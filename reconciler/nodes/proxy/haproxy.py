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

HAProxy refuses a whole file for one address that somebody else listens on. Such an address is left out, reported,
and tried again when it is free; every other service is heard, and kept up to date.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.allocations import HostAllocations
from reconciler.model.observed import ProxyState
from reconciler.model.proxy import NodeProxy, ProxySection, config_text
from reconciler.nodes.docker.engine import Engine
from reconciler.nodes.docker.system_container import RecordRepair
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.network.refusals import Refusals, silent_binds
from reconciler.nodes.proxy.container import FILES, LIVE, MARKER, NEXT, SOURCES, STATE, ProxyContainer
from reconciler.nodes.proxy.files import (
    current_workers,
    haproxy_complaint,
    held_by_others,
    lacking,
    left_out_of,
    not_heard,
    read_binds,
    read_listens,
    without_binds,
)
from reconciler.nodes.proxy.folder import ProxyFolder, digests_of
from reconciler.nodes.proxy.follow_ups import FollowUps
from reconciler.nodes.proxy.in_force import InForce, proxy_state
from reconciler.nodes.proxy.process import HaproxyProcess
from reconciler.nodes.proxy.runtime_api import (
    LiveServer,
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

_RELOAD_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.01


class Proxy:
    """The proxy of one host, over one connection; used by the setup thread alone."""

    def __init__(
        self,
        cluster: str,
        engine: Engine,
        watcher: Watcher,
        host: Shell,
        inside: Shell,
        record_repair: RecordRepair = lambda _: None,
    ) -> None:
        """`inside` is a shell in the container, `host` outside; `record_repair` is called with what of the host
        somebody else had changed."""
        self._host = host
        self._folder = ProxyFolder(cluster, host)
        self._process = HaproxyProcess(inside)
        self._container = ProxyContainer(cluster, engine, watcher, host, record_repair)
        self._refusals = Refusals(host)
        self._in_force = InForce()
        self._follow_ups = FollowUps()

    def read_back(self) -> tuple[ProxyState, frozenset[SocketAddress]]:
        """What is in force, and the ports of pods that it balances over. Raises NodeError.

        Called when the connection is made, and whenever what is known of it may have become wrong."""
        marker = self._folder.marker()
        file = self._folder.live()
        found, written, known = file.header, file.servers, self._in_force
        self._in_force = replace(known, image="", structure="", bound=file.binds, listens=file.listens, applied={})
        self._refusals.read()
        self._folder.read_sources()
        servers = self._process.servers() if self._serves() else None
        if servers is None:
            addresses = {address for section in written.values() for address in section.values()}
            return ProxyState(routed=found.routed), frozenset(addresses)
        live = LiveServers().updated({section: servers.get(section, {}) for section in written})
        structure = found.structure if found.structure == marker else ""
        self._in_force = replace(self._in_force, servers=live, structure=structure)
        sources = self._process.sources(tuple(self._folder.written))
        self._in_force = replace(self._in_force, sources=sources)
        same = (
            structure
            and all(written[section] == taking(there) for section, there in live.sections.items())
            and self._folder.written == digests_of(sources)
            and self._refusals.known == self._in_force.unserved
        )
        balanced = {address for there in live.sections.values() for address in taking(there).values()}
        return self._state(found.fingerprint if same else ""), frozenset(balanced)

    @property
    def given(self) -> HostAllocations:
        """What the file gives out, as last read back."""
        return self._folder.last_read.header.given

    def ensure(self, wanted: NodeProxy, now: ProxyState) -> ProxyState:
        """The state after trying. Raises NodeError where the host, not the configuration, is the trouble."""
        if wanted.image != self._in_force.image:
            started = self._container.ensure(wanted.image)
            structure = "" if started else self._in_force.structure
            self._in_force = replace(self._in_force, image=wanted.image, structure=structure)
        if now.fingerprint == wanted.fingerprint and self._in_force.structure == wanted.structure:
            # What all nodes have alike is one object for all: a set for each would be nodes times pods.
            routed = wanted.routed if now.routed == wanted.routed else now.routed
            return replace(now, running=False, routed=routed, error="", kept=self._follow_ups.unwritten is None)
        taken = {} if self._in_force.structure == wanted.structure else self._taken(wanted)
        if self._in_force.structure != lacking(wanted.structure, taken) or self._update(wanted.sections):
            if trouble := self._replace(wanted, taken):
                self._refusals.put(self._in_force.unserved)
                fingerprint = now.fingerprint if self._in_force.structure else ""
                return self._state(fingerprint, trouble, now.routed)
        elif self._follow_ups.unwritten is not wanted:
            self._follow_ups = self._follow_ups.with_file(wanted, time.monotonic())
        self._refusals.put(self._in_force.unserved)
        if taken:
            return self._state("", not_heard(taken), now.routed)
        state = self._state(wanted.fingerprint)
        return replace(state, routed=wanted.routed) if state.routed == wanted.routed else state

    @property
    def due(self) -> float:
        """When `follow_up` should be called, in monotonic seconds."""
        return self._follow_ups.due

    def follow_up(self, now: ProxyState) -> ProxyState:
        """What is left to do of earlier changes, and the state after it. Raises NodeError."""
        if time.monotonic() >= self._follow_ups.write_at:
            self._write_file()
            now = replace(now, kept=True)
        if time.monotonic() < self._follow_ups.delete_at:
            return now
        # Also where this fails, the next try is later.
        self._follow_ups = self._follow_ups.with_later_deletions(time.monotonic())
        if commands := self._in_force.servers.deletions:
            sections = sorted({command.split(" ")[2].partition("/")[0] for command in commands})
            shown = [f"show servers state {section}" for section in sections]
            replies = self._process.ask(*command_lines([*commands, *shown]))
            if count_of_states(replies) == len(shown):
                found = read_servers_state(replies)
                self._have_live({section: found.get(section, {}) for section in sections})
        connected = self._in_force.servers.connected
        if not connected:
            self._follow_ups = self._follow_ups.without_deletions()
        return replace(now, connected=connected)

    def _state(self, fingerprint: str, error: str = "", before: frozenset[str] = frozenset()) -> ProxyState:
        return proxy_state(self._in_force, fingerprint, self._follow_ups.unwritten is None, error, before)

    def _write_file(self) -> None:
        """Servers and networks as they are by now; the check is not repeated, for only their lines are new."""
        wanted, self._follow_ups = self._follow_ups.unwritten, self._follow_ups.without_file()
        if wanted is not None:
            self._folder.put_sources(wanted.sources)
            self._folder.keep_only(SOURCES, wanted.sources)
            taken = left_out_of(self._in_force.structure)
            self._folder.put(LIVE, without_binds(config_text(wanted), taken) if taken else config_text(wanted))

    def _refuse(self, listens: Mapping[str, frozenset[SocketAddress]], sections: Iterable[ProxySection]) -> None:
        """Refuse connections where these sections listen that are to have no server, before they have none."""
        silent = (section.name for section in sections if section.server_options and not section.servers)
        self._refusals.put(self._refusals.known | silent_binds(listens, silent))

    def _taken(self, wanted: NodeProxy) -> Mapping[SocketAddress, str]:
        """Where the wanted configuration listens and somebody else does, with the program's name."""
        binds = read_binds(config_text(wanted))
        return held_by_others(binds, self._in_force.bound, self._host.check(["ss", "-Hltnp"]))

    # --- by the runtime API ---------------------------------------------------------------------------------

    def _update(self, sections: Iterable[ProxySection]) -> str:
        """Why servers and networks are not the wanted ones; empty: they are."""
        known = self._in_force
        new = [section for section in sections if not known.is_applied(section)]
        commands = {one.name: changes(one, known.servers.of(one.name), known.sources) for one in new}
        touched = [section for section in new if commands[section.name] or other_sources(section, known.sources)]
        if touched:
            lists = [name for section in touched for name in other_sources(section, known.sources)]
            sent = [command for section in touched for command in commands[section.name]]
            shown = [f"show servers state {section.name}" for section in touched]
            self._refuse(known.listens, touched)
            replies = self._process.ask(*command_lines([*sent, *shown, *shown_sources(lists)]))
            found = read_servers_state(replies)
            live = {section.name: found.get(section.name, {}) for section in touched}
            self._in_force = known.with_live(live, lists, read_sources(replies, lists))
            if not self._in_force.has(touched):
                return refusals(replies) or "HAProxy does not answer on its socket"
            if self._in_force.servers.connected:
                self._follow_ups = self._follow_ups.with_deletions(time.monotonic())
            else:
                self._follow_ups = self._follow_ups.without_deletions()
        self._in_force = self._in_force.with_applied(new)
        return ""

    def _have_live(self, servers: Mapping[str, Mapping[str, LiveServer]]) -> None:
        self._in_force = replace(self._in_force, servers=self._in_force.servers.updated(servers))

    # --- by a reload ----------------------------------------------------------------------------------------

    def _replace(self, wanted: NodeProxy, taken: Mapping[SocketAddress, str]) -> str:
        """Why the wanted configuration is not in force; empty: it is, but for what others hold."""
        config = without_binds(config_text(wanted), taken) if taken else config_text(wanted)
        self._folder.put_files(wanted.files)
        self._folder.put_sources(wanted.sources)
        self._folder.put(NEXT, config)
        if trouble := self._process.complaint():
            # What is in force stays, and is kept up to date as far as it goes.
            served = self._in_force.servers.sections
            self._update(section for section in wanted.sections if section.name in served)
            return trouble
        self._in_force = replace(self._in_force, structure="")
        self._follow_ups = self._follow_ups.without_file()
        self._keep_state(wanted)
        listens, binds = read_listens(config), read_binds(config)
        self._refuse(listens, wanted.sections)
        self._folder.swap_in()
        self._in_force = replace(self._in_force, bound=self._in_force.bound | binds)
        if trouble := self._reload(wanted):
            if self._folder.swap_back():
                self._reload(None)
            return trouble
        self._in_force = replace(
            self._in_force,
            structure=lacking(wanted.structure, taken),
            bound=binds,
            listens=listens,
            applied={section.name: section for section in wanted.sections},
        )
        self._folder.put(MARKER, self._in_force.structure)
        self._folder.keep_only(FILES, wanted.files)
        self._folder.keep_only(SOURCES, wanted.sources)
        return ""

    def _keep_state(self, wanted: NodeProxy) -> None:
        """A pod that HAProxy knows to be dead stays so in the new process."""
        self._folder.put(STATE, kept_state(self._process.servers_state(), wanted.sections))

    def _serves(self) -> bool:
        """A worker is there. After a power cut only the files are; HAProxy cannot bind, and keeps starting."""
        return self._container.runs() and bool(current_workers(self._process.ask_master("show proc")))

    def _reload(self, wanted: NodeProxy | None) -> str:
        """Why there is no new worker with these servers; empty: there is one."""
        deadline = time.monotonic() + _RELOAD_SECONDS
        # A master that is only starting may have read the file before: it is reloaded too, once it answers.
        while not (before := self._process.ask_master("show proc")) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        hangs = not self._process.ask("show info")
        if wanted is not None and not before and hangs:
            self._container.make_anew(wanted.image)
            deadline = time.monotonic() + _RELOAD_SECONDS
        said = self._process.ask_master("reload")
        workers = current_workers(before)
        if hangs and before:  # HAProxy waits for the listening sockets of the worker before, without an end.
            self._process.kill(workers)
        while "Success=0" not in said and time.monotonic() < deadline:
            if current_workers(self._process.ask_master("show proc")) - workers and self._has(wanted):
                return ""
            time.sleep(_POLL_SECONDS)
        return (
            f"HAProxy did not take over the new configuration: "
            f"{haproxy_complaint(said) or self._container.last_words()}"
        )

    def _has(self, wanted: NodeProxy | None) -> bool:
        """The worker answers, and has the wanted servers; None: whatever it has."""
        servers = self._process.servers()
        if servers is None:
            return False
        sections = wanted.sections if wanted is not None else ()
        names = (
            [section.name for section in sections] if wanted is not None else [*self._in_force.listens, *servers]
        )
        live = LiveServers().updated({name: servers.get(name, {}) for name in names})
        sources = self._process.sources(tuple(wanted.sources)) if wanted is not None else {}
        self._in_force = replace(self._in_force, servers=live, sources=sources)
        return self._in_force.has(sections)
