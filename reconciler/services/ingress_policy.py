"""Which pods behind the Ingresses no policy opens to what serves them: nothing is sent there. Pure; for the layer.

The rules of each isolated pod name the addresses of what serves the Ingresses, as they name those of pods
(policy.py); but the pod's host lets every host of the cluster in, and so the edges' proxies have to keep them.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import TypeAlias

from reconciler.model.api.networking import Ingress
from reconciler.model.desired import Desired
from reconciler.model.ingress import backend_services, is_served_here
from reconciler.model.memory import NodeRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.policies import INGRESS_NAMESPACE
from reconciler.services.policy import NOBODY, Isolation, ingress_addresses

Closed: TypeAlias = Mapping[Ref, frozenset[tuple[str, int]]]
"""The addresses and ports that are closed, by Service."""


class ClosedServices:
    """Keeps, for a loop, which Services are closed: one costs a look when its endpoints change, all of them when a
    policy does.

    Not shared between threads.
    """

    def __init__(self) -> None:
        self._ground: tuple[Isolation, tuple[str, ...]] = NOBODY, ()
        self._policies: Mapping[str, str] = {}
        """The RuleSet of each pod that is isolated from what comes in, by address."""
        self._looked: dict[Ref, tuple[Sequence[Endpoint], frozenset[tuple[str, int]]]] = {}
        self._open: dict[tuple[str, int], bool] = {}
        """What each RuleSet says at each port."""
        self.problems: tuple[str, ...] = ()

    def closed(
        self,
        desired: Desired,
        records: Mapping[str, NodeRecord],
        isolation: Isolation,
        endpoints: Mapping[Ref, Sequence[Endpoint]],
    ) -> Closed:
        self.problems = ()
        edges = ingress_addresses(desired, records)
        if not edges or not isolation.pods:
            return {}
        if self._ground != (isolation, edges):
            self._ground, self._looked, self._open = (isolation, edges), {}, {}
            self._policies = {pod.ip: pod.ingress for of in isolation.pods.values() for pod in of if pod.ingress}
        found: dict[Ref, frozenset[tuple[str, int]]] = {}
        behind = _behind(desired)
        for service in sorted(behind):
            if shut := self._of(service, endpoints.get(service, ())):
                found[service] = shut
        self.problems = tuple(
            f"{ingress} sends nothing to pods behind {service}: they are isolated, and no NetworkPolicy opens "
            f"them to the namespace {INGRESS_NAMESPACE}; docs/how-to/ingress.md has one that does"
            for service in found
            for ingress in sorted(behind[service])
        )
        return found

    def _of(self, service: Ref, behind: Sequence[Endpoint]) -> frozenset[tuple[str, int]]:
        known = self._looked.get(service)
        if known is None or known[0] is not behind:
            targets = ((each.ip, port) for each in behind for port in each.ports if port)
            known = self._looked[service] = behind, frozenset(filter(self._is_closed, targets))
        return known[1]

    def _is_closed(self, target: tuple[str, int]) -> bool:
        isolation, edges = self._ground
        ip, port = target
        if (name := self._policies.get(ip)) is None:
            return False
        if (name, port) not in self._open:
            self._open[name, port] = isolation.sets[name].lets_in([IPv4Address(edge) for edge in edges], port)
        return not self._open[name, port]


def _behind(desired: Desired) -> Mapping[Ref, Iterable[Ref]]:
    """The Services that Ingresses lead to, each with these."""
    found: dict[Ref, set[Ref]] = {}
    for ref, ingress in desired.of(Ingress).items():
        if is_served_here(ingress):
            for name in backend_services(ingress.spec):
                found.setdefault(Ref("Service", ref.namespace, name), set()).add(ref)
    return found
