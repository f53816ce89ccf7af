"""A glance at all that others could have changed on a host, in some 10 ms. Called by network/keeper.py.

Another one than before says only that a closer look is worth it.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.names import disk_directory, memory_directory
from reconciler.nodes.network.iptables import IPTABLES_SECONDS, REFUSED_CHAIN
from reconciler.nodes.network.links import SERVICES
from reconciler.nodes.network.overlay import BRIDGE, PROTOCOL, VXLAN
from reconciler.nodes.ssh.shell import Shell

IP_FORWARD: Final = "/proc/sys/net/ipv4/ip_forward"
_ON_DISK: Final = ("", "/proxy", "/dns", "/prober", "/boot", "/pods")
_IN_MEMORY: Final = ("", "/pods", "/pins")
# Links by what they are: whether they are up, their MTU, the address that peers send to, and the ends of pods'
# links that are not in a bridge, or have been set down.
_SCRIPT: Final = f"""\
{{
    iptables -w 5 -S | grep -e RECONCILER -e DOCKER-USER | grep -v -e "^-A {REFUSED_CHAIN} "
    iptables -w 5 -t nat -S | grep RECONCILER
    ip -o -4 addr show dev {BRIDGE}; ip -o -4 addr show dev {SERVICES}
    ip -d link show dev {BRIDGE} | grep -o "nf_call_iptables [01]"
    ip route show proto {PROTOCOL}; ip neigh show dev {VXLAN} nud permanent; bridge fdb show dev {VXLAN}
    ip -o link show | sed -n '
        s/^[0-9]*: \\({VXLAN}\\): <[^>]*,UP[,>].* mtu \\([0-9]*\\) .*link\\/ether \\([^ ]*\\) .*/\\1 \\2 \\3/p; t
        s/^[0-9]*: \\({BRIDGE}\\|{SERVICES}\\): <[^>]*,UP[,>].* mtu \\([0-9]*\\) .*/\\1 \\2/p; t
        /^[0-9]*: veth/!d
        / master /{{ /<[^>]*,UP[,>]/d; }}
        s/^[0-9]*: \\([^:@]*\\).*/\\1/p
    '
    cd /proc/sys/net/ipv4
    cat ip_forward conf/all/rp_filter conf/{VXLAN}/rp_filter
}} 2>&1 | sha256sum
stat -c '%d:%i %n' -- "$@" 2>/dev/null
:
"""


class Glance(Struct, frozen=True):
    network: str = ""
    """A digest; empty: not known."""
    directories: Mapping[str, str] = {}
    """Which of our directories are there, and which they are."""

    def differs(self, before: "Glance") -> bool:
        """Something that was there before is another one, or gone; a directory that is only new is one that we
        have made."""
        if not before.network:
            return False
        gone = any(self.directories.get(path) != one for path, one in before.directories.items())
        return gone or self.network != before.network


def glance(shell: Shell, cluster: str) -> Glance:
    """Raises NodeError."""
    said = shell.script("looking at the host", _SCRIPT, directories_of(cluster), timeout=IPTABLES_SECONDS)
    digest, *lines = said.splitlines()
    found = (line.partition(" ") for line in lines)
    return Glance(digest, {path: inode for inode, _, path in found})


def directories_of(cluster: str) -> tuple[str, ...]:
    disk, memory = disk_directory(cluster), memory_directory(cluster)
    return (*_below(disk, _ON_DISK), *_below(memory, _IN_MEMORY))


def _below(directory: str, parts: Iterable[str]) -> Iterable[str]:
    return (f"{directory}{part}" for part in parts)
