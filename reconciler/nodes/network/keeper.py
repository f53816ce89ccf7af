"""Keeps a host's network as wanted, and tells what somebody had changed. For node_setup.py, on its thread."""

import time
from collections.abc import Callable

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.addresses import mac_of
from reconciler.model.setups import NodeNetwork
from reconciler.nodes.boot.network import network_script
from reconciler.nodes.docker.engine import Engine
from reconciler.nodes.errors import ConnectionLost, NodeError, OutcomeUnknown
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.network.glance import Glance, glance
from reconciler.nodes.network.interfaces import NetworkResult, apply_network, apply_policy, network_fingerprint
from reconciler.nodes.network.overlay import OverlayResult
from reconciler.nodes.ssh.shell import Shell

_TOLD = 12
_FULL_SECONDS = 300.0


class NetworkKeeper:
    def __init__(
        self,
        cluster: str,
        cache: HostCache,
        engine: Engine,
        shell: Shell,
        keep_script: Callable[[str], None],
        log: BoundLogger,
    ) -> None:
        """`keep_script` is given what makes the same network on a host that has booted alone."""
        self._cluster = cluster
        self._cache = cache
        self._engine = engine
        self._shell = shell
        self._log = log
        self._keep_script = keep_script
        self._laid: OverlayResult | None = None
        self._glance = Glance()
        self._in_force: NodeNetwork | None = None
        """All of it, as far as this connection knows."""
        self._full_at = 0.0

    def keep(self, wanted: NodeNetwork) -> bool:
        """`apply` in full where a glance shows another network than the last one, or after some minutes: the names
        of peers may lead elsewhere by then."""
        known = self._in_force == wanted and time.monotonic() < self._full_at
        return (known and not self.has_drifted()) or self.apply(wanted, full=True)

    def apply(self, wanted: NodeNetwork, full: bool) -> bool:
        """False: not known to be in force, or not all of it. `full`: what else is there may have changed, too."""
        fingerprint = network_fingerprint(wanted)
        was_in_force = self._cache.network_in_force() == fingerprint
        try:
            applied = self._apply(wanted, full)
            if full:
                self._full_at = time.monotonic() + _FULL_SECONDS
            self._laid = applied.laid or self._laid
            if self._laid is not None and self._laid.whole:
                self._keep_script(network_script(wanted, self._laid, applied.peers))
            self._glance = glance(self._shell, self._cluster)
        except (OutcomeUnknown, ConnectionLost) as error:
            self._log.warning("network not known to be applied", reason=str(error))
            self._in_force = None
            return False
        except NodeError as error:
            self._cache.record_network("", str(error))
            self._in_force = None
            return False
        changes = shortened(applied.changes)
        if changes and was_in_force:
            self._log.warning("network repaired", changes=changes)
            self._cache.record_network_repair(changes)
        elif changes:
            self._log.info("network applied", fingerprint=fingerprint, changes=changes)
        policies = frozenset(wanted.policy.pods)
        self._cache.record_network(fingerprint, applied.complaint, policies, applied.unresolved)
        whole = not (applied.complaint or applied.unresolved)
        self._in_force = wanted if whole else None
        return whole

    def _apply(self, wanted: NodeNetwork, full: bool) -> NetworkResult:
        before = self._in_force
        other_policy = before is not None and replace(before, policy=wanted.policy) == wanted
        wanted = self._as_made(wanted)
        if other_policy and not full and not self.has_drifted():
            return apply_policy(wanted, self._shell)
        pods = self._cache.processes_of_pods()
        return apply_network(wanted, self._cluster, self._engine, self._shell, pods=pods)

    def _as_made(self, wanted: NodeNetwork) -> NodeNetwork:
        """Without the addresses of pods that an engine of version 28 or later once gave another MAC address than
        theirs: until they are replaced, they are not cut off."""
        others = {one.ip for one in self._cache.containers() if one.mac and one.ip and one.mac != mac_of(one.ip)}
        kept = tuple(ip for ip in wanted.policy.addresses if ip not in others)
        return replace(wanted, policy=replace(wanted.policy, addresses=kept)) if others else wanted

    def has_drifted(self) -> bool:
        """Since the last `apply`, for all that a glance tells; one that fails says nothing."""
        try:
            now = glance(self._shell, self._cluster)
        except NodeError as error:
            self._log.warning("cannot look at the host", reason=str(error))
            return False
        if now.differs(self._glance):
            return True
        self._glance = now
        return False


def shortened(changes: tuple[str, ...]) -> str:
    more = len(changes) - _TOLD
    return ", ".join(changes[:_TOLD]) + (f" and {more} more" if more > 0 else "")
