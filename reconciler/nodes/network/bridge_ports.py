"""Binds each pod's MAC address to its port of the pod network's bridge: nobody else's frames come from there.

Its address is bound to the MAC address by rules of the host (network/policy_rules.py). Docker makes the port when
it starts the container, so this follows each start: until then, for some tens of milliseconds, who may write raw
frames may write any. A kernel before 5.18 knows no locked ports: there the bridge still sends no packets astray.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.observed import ObservedContainer
from reconciler.nodes.errors import NodeError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.network.overlay import BRIDGE
from reconciler.nodes.ssh.shell import Shell

_SECONDS: Final = 15.0
_AGAIN_SECONDS: Final = 5.0
"""After one that failed: nobody else's change is to be waited for, and the shell is not to be kept busy."""
_AT_ONCE: Final = 20
"""The shell is others', too."""
_BIND: Final = f"""\
mkdir -p /run/netns
while read -r namespace mac; do
    peer=$(ip -n "../docker/netns/$namespace" -o link show type veth 2>/dev/null) || continue
    peer=${{peer#*@if}}
    peer=${{peer%%:*}}
    port=$(ip -o link show master {BRIDGE} | grep "^$peer: ") || continue
    port=${{port#*: }}
    port=${{port%%[@:]*}}
    bridge fdb replace "$mac" dev "$port" master static
    bridge link set dev "$port" learning off locked on 2>/dev/null || bridge link set dev "$port" learning off
done
"""


class Port(NamedTuple):
    run: str
    """The run of its container: each start makes another port."""
    namespace: str
    """Docker's name for its network namespace."""
    mac: str


class Ports:
    """Binds pods to the ports of the bridge; `changed` is called whenever the cache may tell of another start."""

    def __init__(self, cache: HostCache, shell: Shell, log: BoundLogger, may_act: Callable[[], bool]) -> None:
        self._cache = cache
        self._shell = shell
        self._log = log
        self._may_act = may_act
        self._cond = threading.Condition()
        self._due = True
        self._stopped = False

    def changed(self) -> None:
        with self._cond:
            self._due = True
            self._cond.notify()

    def stop(self) -> None:
        with self._cond:
            self._stopped = True
            self._cond.notify()

    def work(self) -> None:
        """Until `stop`; to be run in a thread of its own."""
        bound: frozenset[Port] = frozenset()
        failed = False
        while self._next(failed):
            there = ports_of(self._cache.containers())
            failed = False
            if self._may_act() and (new := sorted(there - bound)):
                done = self._bind(new[:_AT_ONCE])
                failed = not done
                if done and len(new) > _AT_ONCE:
                    self.changed()
                bound = (there & bound) | done

    def _next(self, failed: bool) -> bool:
        with self._cond:
            if failed:
                self._cond.wait_for(lambda: self._stopped, _AGAIN_SECONDS)
            else:
                self._cond.wait_for(lambda: self._stopped or self._due)
            self._due = False
            return not self._stopped

    def _bind(self, new: list[Port]) -> frozenset[Port]:
        """Those that are bound; none where it failed."""
        lines = "".join(f"{port.namespace} {port.mac}\n" for port in new)
        try:
            self._shell.script("binding the ports of pods", _BIND, (), lines.encode(), _SECONDS)
        except NodeError as error:
            self._log.warning("ports of pods are not bound", reason=str(error))
            return frozenset()
        return frozenset(new)


def ports_of(containers: Iterable[ObservedContainer]) -> frozenset[Port]:
    """Find the bridge port of each pod that runs."""
    return frozenset(
        Port(one.run, one.namespace_key, one.mac)
        for one in containers
        if one.state == "running" and one.namespace_key and one.mac
    )
