"""A cluster's hosts in memory, as a plan's work changes them: for the dry run, and for tests."""

from collections.abc import Container, Mapping

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.container import is_sidecar
from reconciler.model.memory import PodIntent
from reconciler.model.names import Uid
from reconciler.model.observed import Observed, ObservedContainer, Reachable
from reconciler.model.operations import Outcome, PodWork
from reconciler.model.plan import Plan
from reconciler.planning.simulated_host import SimulatedHost


class SimulatedCluster:
    """The hosts of a cluster, which do at once what they are asked; one that is unreachable stays so."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self._hosts: dict[str, SimulatedHost] = {}
        self.become(observed)

    def become(self, observed: Observed) -> None:
        """Let the hosts be as they are observed: something has happened to them."""
        reachable = {name: node for name, node in observed.nodes.items() if isinstance(node, Reachable)}
        self._hosts = {name: self._host(name, node) for name, node in reachable.items()}
        self._observed = observed

    def _host(self, name: str, seen: Reachable) -> SimulatedHost:
        host = self._hosts.get(name)
        if host is None:
            return SimulatedHost(seen)
        host.seen = seen
        return host

    def observed(self) -> Observed:
        """Return the next look at all hosts: the same object as the last one where nothing has changed."""
        before = self._observed.nodes
        if any(before[name] is not host.seen for name, host in self._hosts.items()):
            self._observed = Observed({**before, **{name: host.seen for name, host in self._hosts.items()}})
        return self._observed

    def carry_out(self, work: PodWork, pods: Mapping[Uid, PodIntent], most: int | None = None) -> Outcome:
        """Do a pod's work, at most the first `most` operations. Init containers do theirs at once, and well."""

        def ends(container: ObservedContainer) -> bool:
            return _is_init(container, pods.get(container.uid))

        return self._hosts[work.node].carry_out(work, ends, most)

    def follow(self, plan: Plan, silent: Container[str] = ()) -> None:
        """Let the proxies, the probes and the ports of all hosts but the silent ones be as a plan wants them."""
        behind = [one for endpoints in plan.endpoints.values() for one in endpoints]
        routed = frozenset(one.ip for one in behind if one.ready)
        probed = {one.container for containers in plan.probed.values() for one in containers}
        asked: dict[str, list[SocketAddress]] = {}
        for one in behind:
            if one.uid:
                asked.setdefault(one.node, []).extend(SocketAddress(one.ip, port) for port in one.ports if port)
        for name, host in self._hosts.items():
            if name not in silent:
                host.route(routed)
                host.answer(asked.get(name, ()))
                host.probe(probed)


def _is_init(container: ObservedContainer, intent: PodIntent | None) -> bool:
    spec = intent.spec if intent else None
    return spec is not None and any(
        one.name == container.container and not is_sidecar(one) for one in spec.init_containers
    )
