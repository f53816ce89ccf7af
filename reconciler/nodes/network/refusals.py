"""Where a service has no pod to connect to: the host refuses connections there, as kube-proxy does.

HAProxy itself would take the connection and close it without a byte, and who only tries whether a service is there
would think that it is. The rules outlast HAProxy: while it takes over a new configuration, too, nobody is let in.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from reconciler.model.addresses import SocketAddress
from reconciler.nodes.network.iptables import IPTABLES_SECONDS, REFUSED_CHAIN
from reconciler.nodes.ssh.shell import Shell

_EVERY_ADDRESS: Final = "0.0.0.0"
_REFUSE: Final = "-j REJECT --reject-with tcp-reset"
_NOT_THE_FIRST: Final = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN"
"""A packet of a connection that there is, or was: the rest is not looked at."""
_RULE: Final = re.compile(rf"-A {REFUSED_CHAIN} (?:-d (\S+)/32 )?-p tcp -m tcp --dport (\d+) {_REFUSE}")


class Refusals:
    """The addresses where a host refuses connections. Used by the setup thread alone."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.known: frozenset[SocketAddress] = frozenset()
        """Where connections are refused, as last read or written."""
        self._in_force: tuple[str, ...] | None = None

    def read(self) -> None:
        """Raises NodeError."""
        shown = self._shell.run(["iptables", "-w", "5", "-S", REFUSED_CHAIN], timeout=IPTABLES_SECONDS).out
        rules = tuple(line for line in shown.splitlines() if line.startswith("-A "))
        self.known, self._in_force = read_refusals(rules), rules

    def put(self, binds: Collection[SocketAddress]) -> None:
        """Refuse connections at just these addresses. Raises NodeError."""
        rules = refusal_rules(binds)
        if rules != self._in_force:
            self._in_force = None
            text = "\n".join(["*filter", f":{REFUSED_CHAIN} - [0:0]", *rules, "COMMIT"]) + "\n"
            self._shell.check(["iptables-restore", "-w", "5", "--noflush"], stdin=text, timeout=IPTABLES_SECONDS)
            self.known, self._in_force = frozenset(binds), rules


def refusal_rules(binds: Collection[SocketAddress]) -> tuple[str, ...]:
    """The rules that refuse connections, as `iptables -S` shows them. A port of every address is not one of an
    address with a listener of its own."""
    if not binds:
        return ()
    exact = sorted((bind for bind in binds if bind.ip != _EVERY_ADDRESS), key=str)
    every = sorted(set(binds) - set(exact), key=str)
    return (
        f"-A {REFUSED_CHAIN} {_NOT_THE_FIRST} -j RETURN",
        *(_rule(f"-d {bind.ip}/32 ", bind) for bind in exact),
        *([f"-A {REFUSED_CHAIN} -p tcp -m socket -j RETURN"] if every else []),
        *(_rule("", bind) for bind in every),
    )


def read_refusals(rules: Iterable[str]) -> frozenset[SocketAddress]:
    found = filter(None, map(_RULE.fullmatch, rules))
    return frozenset(SocketAddress(rule[1] or _EVERY_ADDRESS, int(rule[2])) for rule in found)


def silent_binds(
    listens: Mapping[str, frozenset[SocketAddress]], silent: Iterable[str]
) -> frozenset[SocketAddress]:
    """Find where those sections listen that have no server."""
    return frozenset(bind for section in silent for bind in listens.get(section, ()))


def _rule(where: str, bind: SocketAddress) -> str:
    return f"-A {REFUSED_CHAIN} {where}-p tcp -m tcp --dport {bind.port} {_REFUSE}"
