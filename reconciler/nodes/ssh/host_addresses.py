"""Addresses of hosts whose Nodes have a name in the place of one, for all sessions of the process. Called by
network/interfaces.py.

A resolver that fails, or hangs, says nothing of the hosts: what was last known of a name stays known.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address

from msgspec import Struct

from reconciler.model.addresses import is_ipv4

_SECONDS = 2.0
"""How long lookups are waited for: all together, for they run beside each other. One that hangs is waited for
once, and goes on in the background."""
_FRESH_SECONDS = 10.0
"""How long an answer, or a failure, is taken for granted."""


class Answer(Struct, frozen=True):
    address: str = ""
    """The one known last; empty: none is known."""
    complaint: str = ""
    """Why it may not be right, or is not known. Empty: nothing says that it is wrong."""


class Resolver:
    """Shared between threads. `look_up`: what is usable of a name's IPv4 addresses, or why nothing is."""

    def __init__(
        self,
        look_up: Callable[[str], tuple[list[str], str]] | None = None,
        seconds: float = _SECONDS,
        fresh_seconds: float = _FRESH_SECONDS,
    ) -> None:
        self._look_up = look_up or look_up_ipv4
        self._seconds = seconds
        self._fresh = fresh_seconds
        self._cond = threading.Condition()
        self._names: dict[str, _Name] = {}

    def resolve(self, hosts: Iterable[str]) -> Mapping[str, Answer]:
        """Resolve names and addresses within `seconds`."""
        wanted = set(hosts)
        numbers = {host: _answer(*usable(host, [host])) for host in wanted if is_ipv4(host)}
        with self._cond:
            names = [self._asked(name) for name in sorted(wanted - numbers.keys())]
            for name in names:
                self._wait_for(name)
            return numbers | {name.name: name.answer(self._seconds) for name in names}

    def _asked(self, name: str) -> "_Name":
        known = self._names.setdefault(name, _Name(name))
        if not known.under_way and time.monotonic() >= known.due:
            known.under_way, known.begun = True, time.monotonic()
            threading.Thread(target=self._ask, args=(known,), name=f"resolve {name}", daemon=True).start()
        return known

    def _wait_for(self, name: "_Name") -> None:
        self._cond.wait_for(lambda: not name.under_way, name.begun + self._seconds - time.monotonic())

    def _ask(self, name: "_Name") -> None:
        found, why = self._look_up(name.name)
        with self._cond:
            name.under_way, name.due, name.why = False, time.monotonic() + self._fresh, why
            if found and name.address not in found:
                name.address = found[0]
            self._cond.notify_all()


class _Name:
    """What is known of one, and of the lookup under way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = ""
        self.why = ""
        self.under_way = False
        self.begun = self.due = 0.0

    def answer(self, seconds: float) -> Answer:
        """A slow lookup is no reason to doubt what is known."""
        late = "" if self.address else f"cannot resolve {self.name}: no answer within {seconds:g} s"
        return Answer(self.address, late if self.under_way else self.why)


def look_up_ipv4(name: str) -> tuple[list[str], str]:
    """The usable addresses of a name, or why there is none. Takes as long as the system's resolver does."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return [], f"cannot resolve {name} ({getattr(error, 'strerror', None) or error})"
    return usable(name, [str(entry[4][0]) for entry in found])


def usable(host: str, addresses: Iterable[str]) -> tuple[list[str], str]:
    """Keep the addresses that lead other hosts to it, or say why none does. A Debian's own name is 127.0.1.1
    in its /etc/hosts."""
    found = list(addresses)
    others = [address for address in found if not IPv4Address(address).is_loopback]
    if others:
        return others, ""
    means = "" if host in found else f", which the master resolves to {', '.join(found)},"
    return [], f"{host}{means} leads no other host there: write the host's address into reconciler.dev/ssh"


def _answer(addresses: list[str], why: str) -> Answer:
    return Answer(addresses[0] if addresses else "", why)


HOSTS = Resolver()
