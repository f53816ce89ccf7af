"""HAProxy's runtime API, for 2.6 and later: how servers come and go in a running process, as lines and replies.

A server leaves in two steps. In maintenance it gets nothing new, and that is what counts; it is deleted once
nobody is connected to it any more, perhaps hours later. One that comes back before is made ready again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from reconciler.model.proxy import ProxySection, ProxyServer

_LONGEST_LINE = 12_000
"""Of the 16 kB that HAProxy's buffer has for a line of commands."""
_COLUMNS = 19
_EXPECTED = re.compile(r"#|\d|New server registered|Server deleted|no need to change|.*(still has|still attached)")
_MAINTENANCE = 0b111
"""Of srv_admin_state: by the runtime API, by a tracked server, by the file."""


class Live(Struct, frozen=True):
    """A server as HAProxy has it."""

    address: str
    takes: bool = True
    """False: in maintenance, it gets no new connection."""
    up: bool = True
    """By HAProxy's own checks."""


Servers = Mapping[str, Mapping[str, Live]]
"""By section and name."""


def as_wanted(section: ProxySection, live: Mapping[str, Live]) -> bool:
    """New connections go to just the wanted servers."""
    return taking(live) == {server.name: server.address for server in section.servers}


def taking(live: Mapping[str, Live]) -> dict[str, str]:
    """The addresses of those that get new connections, by name."""
    return {name: server.address for name, server in live.items() if server.takes}


def changes(section: ProxySection, live: Mapping[str, Live]) -> list[str]:
    """The commands that bring a section to its wanted servers; new ones first: it never has none in between."""
    commands: list[str] = []
    for server in section.servers:
        commands += _put(section, server, live.get(server.name))
    wanted = {server.name for server in section.servers}
    for name, gone in live.items():
        if name not in wanted:
            commands += _take_out(f"{section.name}/{name}", gone)
    return commands


def _put(section: ProxySection, server: ProxyServer, live: Live | None) -> Iterator[str]:
    where = f"{section.name}/{server.name}"
    if live is None:
        yield f"add server {where} {server.address} {section.server_options}".rstrip()
        if "check" in section.server_options.split():
            yield f"enable health {where}"
        if section.cookies:
            yield f"enable dynamic-cookie backend {section.name}"
    elif live.address != server.address:
        ip, _, port = server.address.rpartition(":")
        yield f"set server {where} addr {ip} port {port}"
    if live is None or not live.takes:
        yield f"set server {where} state ready"


def _take_out(where: str, live: Live) -> Iterator[str]:
    if live.takes:
        yield f"set server {where} state maint"
    if not live.up:  # It is gone for us, and dead for HAProxy: whoever still waits for an answer waits in vain.
        yield f"shutdown sessions server {where}"
    yield f"del server {where}"


def command_lines(commands: Iterable[str]) -> Sequence[str]:
    """As few lines as HAProxy takes; each is one connection to its socket."""
    lines: list[str] = []
    for command in commands:
        if lines and len(lines[-1]) + len(command) < _LONGEST_LINE:
            lines[-1] += f"; {command}"
        else:
            lines.append(command)
    return lines


def read_servers_state(text: str) -> dict[str, dict[str, Live]]:
    """What `show servers state` lists, also between the replies to other commands."""
    found: dict[str, dict[str, Live]] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) < _COLUMNS or not words[0].isdigit():
            continue
        section, name, ip, operates, admin, port = (words[at] for at in (1, 3, 4, 5, 6, 18))
        takes = not int(admin) & _MAINTENANCE
        found.setdefault(section, {})[name] = Live(f"{ip}:{port}", takes, up=operates != "0" or not takes)
    return found


def kept_state(text: str, wanted: Iterable[ProxySection]) -> str:
    """Of `show servers state`, what a new process should begin with: which of the wanted servers are down.

    One in maintenance is on its way out; of another address, it is another server."""
    addresses = {(section.name, server.name): server.address for section in wanted for server in section.servers}
    head, lines = text.splitlines(keepends=True)[:2] or ["1\n"], []
    for line in text.splitlines(keepends=True)[2:]:
        words = line.split(" ")
        known = len(words) >= _COLUMNS and words[6] == "0"
        if known and addresses.get((words[1], words[3])) == f"{words[4]}:{words[18]}":
            lines.append(line)
    return "".join([*head, *lines])


def routed_ips(servers: Servers) -> frozenset[str]:
    return frozenset(
        live.address.rpartition(":")[0] for found in servers.values() for live in found.values() if live.takes
    )


def connected_ips(servers: Servers) -> frozenset[str]:
    """Of the pods that are on their way out: a server in maintenance is there until nobody is connected to it."""
    leaving = {
        live.address.rpartition(":")[0] for found in servers.values() for live in found.values() if not live.takes
    }
    return frozenset(leaving - routed_ips(servers))


def deletions(servers: Servers) -> Sequence[str]:
    """The commands that delete those of them that nobody is connected to by now."""
    return [
        f"del server {section}/{name}"
        for section, found in servers.items()
        for name, live in found.items()
        if not live.takes
    ]


def refusals(replies: str) -> str:
    """What HAProxy says against commands, among its other replies; empty: nothing."""
    lines = dict.fromkeys(line.strip() for line in replies.splitlines() if line.strip())
    return "; ".join(line for line in lines if not _EXPECTED.match(line))
