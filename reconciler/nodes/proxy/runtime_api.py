"""HAProxy's runtime API, for 2.6 and later: how servers, and networks that clients may come from, come and go in a
running process, as lines and replies.

A server leaves in two steps. In maintenance it gets nothing new, and that is what counts; it is deleted once
nobody is connected to it any more, perhaps hours later. One that comes back before is made ready again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.proxy import ProxySection, ProxyServer
from reconciler.nodes.proxy.container import INSIDE, SOURCES

_LONGEST_LINE = 12_000
"""Of the 16 kB that HAProxy's buffer has for a line of commands."""
_COLUMNS = 19
_EXPECTED = re.compile(r"#|\d|New server registered|Server deleted|no need to change|.*(still has|still attached)")
_LISTED = re.compile(r"0x[0-9a-f]+ \S+$")
"""By `show acl`: where it is in HAProxy's memory, and what it is."""
_MAINTENANCE = 0b111
"""Of srv_admin_state: by the runtime API, by a tracked server, by the file."""


class LiveServer(Struct, frozen=True):
    """A server as HAProxy has it."""

    address: SocketAddress
    takes: bool = True
    """False: in maintenance, it gets no new connection."""
    up: bool = True
    """Whether HAProxy's own checks say that it is up."""


SourceLists = Mapping[str, frozenset[str]]
"""Networks by list, of those lists that HAProxy has."""


def as_wanted(section: ProxySection, live: Mapping[str, LiveServer], sources: SourceLists) -> bool:
    """New connections go to just the wanted servers, and come from just the wanted networks."""
    wanted = {server.name: server.address for server in section.servers}
    return taking(live) == wanted and not other_sources(section, sources)


def other_sources(section: ProxySection, sources: SourceLists) -> list[str]:
    """The lists that are not as wanted."""
    return [name for name, listed in section.sources.items() if sources.get(name) != frozenset(listed)]


def taking(live: Mapping[str, LiveServer]) -> dict[str, SocketAddress]:
    """The addresses of those that get new connections, by name."""
    return {name: server.address for name, server in live.items() if server.takes}


def changes(section: ProxySection, live: Mapping[str, LiveServer], sources: SourceLists) -> list[str]:
    """The commands that bring a section to its wanted servers and networks.

    New servers come before others go: it never has none in between. The networks are right before a new server is
    there; where servers only go, they are as before until then: what may follow is wider."""
    wanted = {server.name for server in section.servers}
    come = [said for server in section.servers for said in _put(section, server, live.get(server.name))]
    go = [
        said
        for name, gone in live.items()
        if name not in wanted
        for said in _take_out(f"{section.name}/{name}", gone)
    ]
    lists = [
        said
        for name in other_sources(section, sources)
        for said in _relist(name, frozenset(section.sources[name]), sources.get(name, frozenset()))
    ]
    return [*lists, *come, *go] if come else [*go, *lists]


def _relist(name: str, wanted: frozenset[str], live: frozenset[str]) -> Iterator[str]:
    """An address may stay as part of another network: no moment is without both."""
    yield from (f"add acl {_path(name)} {network}" for network in sorted(wanted - live))
    yield from (f"del acl {_path(name)} {network}" for network in sorted(live - wanted))


def _path(name: str) -> str:
    return f"{INSIDE}/{SOURCES}/{name}"


def shown_sources(names: Iterable[str]) -> Sequence[str]:
    """The commands that ask for lists; `read_sources` understands the replies."""
    return [f"show acl {_path(name)}" for name in names]


def _put(section: ProxySection, server: ProxyServer, live: LiveServer | None) -> Iterator[str]:
    where = f"{section.name}/{server.name}"
    if live is None:
        yield f"add server {where} {server.address} {section.server_options}".rstrip()
        if "check" in section.server_options.split():
            yield f"enable health {where}"
        if section.cookies:
            yield f"enable dynamic-cookie backend {section.name}"
    elif live.address != server.address:
        yield f"set server {where} addr {server.address.ip} port {server.address.port}"
    if live is None or not live.takes:
        yield f"set server {where} state ready"


def _take_out(where: str, live: LiveServer) -> Iterator[str]:
    if live.takes:
        yield f"set server {where} state maint"
    if not live.up:  # It is gone for us, and dead for HAProxy: whoever still waits for an answer waits in vain.
        yield f"shutdown sessions server {where}"
    yield f"del server {where}"


def command_lines(commands: Iterable[str]) -> Sequence[str]:
    """Join commands to as few lines as HAProxy takes; each is one connection to its socket."""
    lines: list[str] = []
    for command in commands:
        if lines and len(lines[-1]) + len(command) < _LONGEST_LINE:
            lines[-1] += f"; {command}"
        else:
            lines.append(command)
    return lines


def read_servers_state(text: str) -> dict[str, dict[str, LiveServer]]:
    """What `show servers state` lists, also between the replies to other commands."""
    found: dict[str, dict[str, LiveServer]] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) < _COLUMNS or not words[0].isdigit():
            continue
        section, name, ip, operates, admin, port = (words[at] for at in (1, 3, 4, 5, 6, 18))
        takes = not int(admin) & _MAINTENANCE
        found.setdefault(section, {})[name] = LiveServer(
            SocketAddress(ip, int(port)), takes, up=operates != "0" or not takes
        )
    return found


def count_of_states(text: str) -> int:
    """How many times `show servers state` has answered: a section without servers has a heading, too."""
    return text.count("\n# be_id ")


def read_sources(text: str, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """What `show acl` lists of each, in the last replies of the text; a list that HAProxy lacks is left out.

    An empty line ends each reply, and none has one (management guide, 9.3)."""
    replies: list[list[str]] = [[]]
    for line in text.splitlines():
        if line:
            replies[-1].append(line)
        else:
            replies.append([])
    shown = replies[-1 - len(names) : -1]
    if len(shown) < len(names):
        return {}
    return {
        name: frozenset(line.partition(" ")[2] for line in reply)
        for name, reply in zip(names, shown, strict=True)
        if all(_LISTED.match(line) for line in reply)
    }


def kept_state(text: str, wanted: Iterable[ProxySection]) -> str:
    """Keep from `show servers state` what a new process should begin with: which wanted servers are down.

    One in maintenance is on its way out; of another address, it is another server."""
    addresses = {
        (section.name, server.name): str(server.address) for section in wanted for server in section.servers
    }
    head, lines = text.splitlines(keepends=True)[:2] or ["1\n"], []
    for line in text.splitlines(keepends=True)[2:]:
        words = line.split(" ")
        known = len(words) >= _COLUMNS and words[6] == "0"
        if known and addresses.get((words[1], words[3])) == f"{words[4]}:{words[18]}":
            lines.append(line)
    return "".join([*head, *lines])


def refusals(replies: str) -> str:
    """What HAProxy says against commands, among its other replies; empty: nothing."""
    lines = dict.fromkeys(line.strip() for line in replies.splitlines() if line.strip())
    return "; ".join(line for line in lines if not _EXPECTED.match(line))
