"""What the proxy's files say, and HAProxy's master process; and what of the host keeps HAProxy from listening."""

import contextlib
import hashlib
import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Final

from msgspec import Struct

from reconciler.model.addresses import SocketAddress, socket_address
from reconciler.model.allocations import HostAllocations, read_given

PUT: Final = 'umask 077 && cat >"$1.tmp" && [ "$(wc -c <"$1.tmp")" -eq "$2" ] && mv -f "$1.tmp" "$1"'
"""A file, and its length in bytes: what is cut short on its way to the host changes nothing."""
WRITE_SOURCES: Final = """\
set -e
umask 077
rm -rf "$1.next"
mkdir -p "$1" "$1.next"
cd "$1.next"
tar -x -m
mv -f -- * "$1"
"""
"""A tar of lists into a directory. A file is the old or the new one at any moment."""


class Header(Struct, frozen=True):
    fingerprint: str = ""
    structure: str = ""
    """The structure, with what was left out of it."""
    routed: frozenset[str] = frozenset()
    given: HostAllocations = HostAllocations()


class LiveFile(Struct, frozen=True):
    """The contents of a haproxy.cfg, as far as we read them."""

    digest: str = ""
    """The digest as `sha256sum` has it; empty: there is no file."""
    header: Header = Header()
    servers: Mapping[str, Mapping[str, SocketAddress]] = {}
    """Their addresses, by section and name."""
    binds: frozenset[SocketAddress] = frozenset()
    listens: Mapping[str, frozenset[SocketAddress]] = {}
    """Where each Service's section listens."""


def read_file(digest: str, text: str) -> LiveFile:
    return LiveFile(digest, read_header(text), read_servers(text), read_binds(text), read_listens(text))


def read_header(text: str) -> Header:
    """The first lines of a haproxy.cfg that we wrote; model.proxy has them."""
    lines = "\n".join(takewhile(lambda line: line.startswith("# "), text.splitlines()[:4]))
    found = dict(re.findall(r"^# (fingerprint|structure|routed|given):[ ]*(.*)$", lines, re.MULTILINE))
    return Header(
        found.get("fingerprint", "").strip(),
        found.get("structure", "").strip(),
        frozenset(found.get("routed", "").split()),
        read_given(found.get("given", "")),
    )


def read_servers(config: str) -> dict[str, dict[str, SocketAddress]]:
    """The addresses of every server line, by section and name."""
    found: dict[str, dict[str, SocketAddress]] = {}
    section = ""
    for line in config.splitlines():
        match line.split():
            case ["listen" | "backend" | "frontend", name, *_]:
                section = name
                found[section] = {}
            case ["server", name, address, *_]:
                found[section].update((name, one) for one in _addresses(address))
    return found


def read_listens(config: str) -> dict[str, frozenset[SocketAddress]]:
    """Find where each section with servers of its own listens, as the sections of services do."""
    found: dict[str, set[SocketAddress]] = {}
    section = ""
    for line in config.splitlines():
        match line.split():
            case ["listen" | "backend" | "frontend" as kind, name, *_]:
                section = name if kind == "listen" else ""
            case ["bind", address, *_] if section:
                found.setdefault(section, set()).update(_addresses(address))
    return {name: frozenset(binds) for name, binds in found.items()}


def source_digest(text: str) -> str:
    """Digest a text as `sha256sum` does."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_digests(sha256sum: str) -> dict[str, str]:
    """Read the digest of each file from the output of `sha256sum`."""
    return {name: digest for digest, _, name in (line.partition("  ") for line in sha256sum.splitlines())}


def read_binds(config: str) -> frozenset[SocketAddress]:
    """Where every bind line listens."""
    return frozenset(map(socket_address, re.findall(r"^\s+bind ([\d.]+:\d+)(?= |$)", config, re.MULTILINE)))


def lacking(structure: str, taken: Iterable[SocketAddress]) -> str:
    """Name a structure that does without these binds."""
    left_out = ",".join(sorted(map(str, taken)))
    return f"{structure} without {left_out}" if left_out else structure


def left_out_of(structure: str) -> frozenset[SocketAddress]:
    """The binds that a structure does without, by what `lacking` has called it."""
    texts = structure.partition(" without ")[2].split(",")
    return frozenset(one for text in texts for one in _addresses(text))


def without_binds(config: str, taken: Collection[SocketAddress]) -> str:
    """The file without these bind lines; neither is it what was asked for, nor does its header say so."""
    header = read_header(config)
    texts = set(map(str, taken))
    kept = [
        line
        for line in config.splitlines(keepends=True)[2:]
        if not (line.split()[:1] == ["bind"] and line.split()[1] in texts)
    ]
    left_out = [bind for bind in read_binds(config) if bind in taken]
    return "".join(["# fingerprint:\n", f"# structure: {lacking(header.structure, left_out)}\n", *kept])


def held_by_others(
    wanted: Iterable[SocketAddress], ours: Container[SocketAddress], listening: str
) -> dict[SocketAddress, str]:
    """Find the addresses to bind that another program listens on, with its name, from `ss -Hltnp`.

    An address is ours where HAProxy listens on just that one, and the file in force says so.
    """
    holders: dict[int, dict[str, str]] = {}
    for line in listening.splitlines():
        local = line.split()[3]
        name = found[1] if (found := re.search(r'users:\(\("([^"]*)"', line)) else "another program"
        ip, _, port = local.rpartition(":")
        if not (name == "haproxy" and SocketAddress(ip, int(port)) in ours):
            holders.setdefault(int(port), {})[ip.partition("%")[0]] = name
    taken = {}
    for bind in sorted(wanted, key=str):
        held = holders.get(bind.port, {})
        # `*` is every address of both families, which `[::]` is not.
        colliding = [
            held[at]
            for at in sorted(held)
            if at in (bind.ip, "0.0.0.0", "*") or (bind.ip == "0.0.0.0" and "[" not in at)
        ]
        if colliding:
            taken[bind] = colliding[0]
    return taken


def not_heard(taken: Mapping[SocketAddress, str]) -> str:
    """Describe the problem that others hold these addresses."""
    held = ", ".join(f"{bind} (held by {name})" for bind, name in sorted(taken.items(), key=_as_text))
    return f"HAProxy cannot listen on {held}; all the rest is served. Stop what is there, or choose another port"


def _addresses(text: str) -> Iterator[SocketAddress]:
    """The one that the text is; none where somebody has written something else into the file."""
    with contextlib.suppress(ValueError):
        yield socket_address(text)


def _as_text(taken: tuple[SocketAddress, str]) -> str:
    return str(taken[0])


def current_workers(show_proc: str) -> frozenset[int]:
    """The pids under `# workers` in the master's `show proc`; those of `# old workers` are on their way out."""
    section, pids = "", set()
    for line in show_proc.splitlines():
        if line.startswith("# "):
            section = line[2:].strip()
        elif section == "workers" and line.split()[:1] and line.split()[0].isdigit():
            pids.add(int(line.split()[0]))
    return frozenset(pids)


def haproxy_complaint(output: str) -> str:
    """The lines that say what is wrong, without the clock and process in front of them."""
    lines = [line for line in output.splitlines() if "[ALERT]" in line] or output.strip().splitlines()[-5:]
    return "; ".join(re.sub(r"^.*\[ALERT\]\s*(\([^)]*\))?\s*:?\s*", "", line).strip() for line in lines)
