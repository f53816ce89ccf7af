"""The node's name servers: two dnsmasq in one system container on the host's network. Called by node_setup.py.

Names that change with every pod are in files of a directory that dnsmasq watches: a file is written beside, and
renamed into it; nothing is signalled, nothing restarted, and what was learned from others is not forgotten. So are
the ports of headless services, in files of the program that dnsmasq asks about them. All else is in the
configuration, which dnsmasq reads only when it starts: the servers are restarted one after the other, so that one
always answers.

Files alone prove nothing. Each server is asked, at its own address, for names that only these very files hold.
"""

import time
from collections.abc import Mapping

from reconciler.model.names import disk_directory
from reconciler.model.observed import DnsState
from reconciler.model.setups import NodeDns
from reconciler.nodes.dns.container import (
    ANSWERS,
    CONFIG,
    HOSTS,
    RESOLV,
    RESTART,
    RESTART_AUTHORITY,
    container_request,
    files_of,
)
from reconciler.nodes.dns.query import OpenStream, ServerAnswers, in_force
from reconciler.nodes.docker.system_container import SystemContainer
from reconciler.nodes.docker.text_tar import packed, unpacked
from reconciler.nodes.errors import NodeError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.ssh.shell import Shell

_SECONDS, _AGAIN_SECONDS, _POLL_SECONDS = 3.0, 1.0, 0.002
_WRITE = f"""\
set -e
umask 022
for folder in {HOSTS} {ANSWERS}; do
    [ -d "$1/new/$folder" ] && [ -d "$1/$folder" ] || mkdir -p "$1/new/$folder" "$1/$folder"
done
cd "$1"
shift
for left in new/{HOSTS}/* new/{ANSWERS}/* new/{CONFIG} new/{RESOLV}; do
    [ ! -e "$left" ] || rm -f "$left"
done
tar -x -m -C new
[ $# = 0 ] || rm -f -- "$@"
set -- new/{CONFIG} new/{RESOLV}
for file; do
    [ ! -e "$file" ] || mv -f "$file" .
done
for folder in {HOSTS} {ANSWERS}; do
    set -- "new/$folder"/*
    [ ! -e "$1" ] || mv -f "$@" "$folder"
done
"""
"""By as few programs as can be: each takes milliseconds. In the order of their names, so the version is last:
dnsmasq hears of renames in order, and who knows the version knows the rest."""
_MUTE = "ports of headless services and names outside are not answered, all other names are"
_WATCHED = (f"{HOSTS}/", f"{ANSWERS}/")
_READ = 'cd "$1" 2>/dev/null || exit 0; tar -c --exclude=./new .'


class Dns:
    """The two name servers of one host. Used by the setup thread alone."""

    def __init__(
        self, cluster: str, container: SystemContainer, host: Shell, connect: OpenStream, cache: HostCache
    ) -> None:
        self._cluster = cluster
        self._directory = f"{disk_directory(cluster)}/dns"
        self._host = host
        self._connect = connect
        self._cache = cache
        self._container = container
        self._files: dict[str, str] | None = None
        """Those on the host; None: not known."""
        self._host_resolv = ""
        self._done: NodeDns | None = None
        """What both servers have last answered for."""
        self._run = ""
        """The run of the container that did."""
        self._broken = self._mute = False
        """A server, or the authority alone, did not answer."""

    def ensure(self, wanted: NodeDns, full: bool) -> DnsState:
        """`full`: look at the host too, not only at what has changed. Raises NodeError."""
        if not full and wanted is self._done and self._run == self._present_run():
            return DnsState(wanted.fingerprint)
        last, self._done = self._done, None
        before = self._write(wanted, full)
        known = last if not full and self._run == self._present_run() else None
        if known is None:
            request = container_request(self._cluster, wanted.image, wanted.addresses)
            self._container.ensure(request, anew=full and self._broken)
            self._run = self._present_run()
        # The proxy waits for its turn meanwhile: a server that does not answer is not waited for over and over.
        seconds = _SECONDS if full or not (self._broken or self._mute) else 0.0
        authority_answers = True
        for address, signal in zip(wanted.addresses, RESTART, strict=True):
            restart = known is not None and known.config != wanted.config
            if restart:
                self._container.signal(signal)
            found = self._takes_up(wanted, address, signal, seconds, restart)
            if not (found.config and found.hosts):
                self._broken = True
                raise NodeError(self._complaint(wanted, address, signal, before))
            authority_answers &= found.authority
        self._broken, self._mute = False, not authority_answers
        if self._mute:
            if seconds:
                self._container.signal(RESTART_AUTHORITY)
            raise NodeError(f"{_MUTE}: {self._last_words()}")
        self._done = wanted
        return DnsState(wanted.fingerprint)

    def _present_run(self) -> str:
        found = self._cache.container(self._container.name)
        return found.run if found is not None and found.state == "running" else ""

    # --- the files ------------------------------------------------------------------------------------------

    def _write(self, wanted: NodeDns, full: bool) -> Mapping[str, str]:
        """What was there before."""
        if full or self._files is None:
            self._host_resolv = self._host.run(["cat", "/etc/resolv.conf"]).out
            self._files = unpacked(self._host.read(["sh", "-c", _READ, "sh", self._directory]).encode())
        before, after = self._files, files_of(wanted, self._host_resolv)
        changed = {path: text for path, text in after.items() if before.get(path) != text}
        gone = sorted(path for path in before.keys() - after.keys() if path.startswith(_WATCHED))
        if changed or gone:
            self._put(changed, gone)
            self._files = after
        return before

    def _put(self, changed: Mapping[str, str], gone: list[str]) -> None:
        self._files = None
        words = (self._directory, *gone)
        self._host.script("writing the name servers' files", _WRITE, words, packed(changed))

    # --- the servers ----------------------------------------------------------------------------------------

    def _takes_up(
        self, wanted: NodeDns, address: str, signal: str, seconds: float, restarted: bool
    ) -> ServerAnswers:
        """Wait until the server has read everything, or the deadline. One that does not read the hosts by itself
        is restarted."""
        now = time.monotonic()
        deadline, reading_ends = now + seconds, now + _AGAIN_SECONDS
        restart_at = reading_ends if restarted else now
        while True:
            found = in_force(self._connect, address, wanted)
            now = time.monotonic()
            if (found.config and found.hosts and found.authority) or now >= deadline:
                return found
            unread = found.answers and not (found.config and found.hosts)
            if unread and now >= (max(restart_at, reading_ends) if found.config else restart_at):
                self._container.signal(signal)
                restart_at = now + _AGAIN_SECONDS
            time.sleep(_POLL_SECONDS)

    def _complaint(self, wanted: NodeDns, address: str, signal: str, before: Mapping[str, str]) -> str:
        """With the configuration put back that this server, and the other one, started with."""
        said = self._last_words()
        last = before.get(CONFIG)
        if last is not None and last != wanted.config:
            self._put({CONFIG: last}, [])
            self._container.signal(signal)
        return f"the name server at {address} does not answer for what it was given: {said}"

    def _last_words(self) -> str:
        return self._container.last_words(5).replace("\n", "; ") or "its log does not say why"
