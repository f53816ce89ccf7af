"""How each host stands to what it is to have beside its pods: judged anew only where something is otherwise."""

from collections.abc import Mapping

from msgspec import Struct

from reconciler.model.api.core.node import Node
from reconciler.model.api.meta import condition_of
from reconciler.model.desired import Desired
from reconciler.model.edges import edges
from reconciler.model.names import Ref
from reconciler.model.observed import Observation, Observed, Reachable
from reconciler.model.plan import Status
from reconciler.model.setups import NodeSetup


class Standings(Struct, frozen=True):
    """How all hosts stand at one moment."""

    refused: Mapping[str, str] = {}
    """Nodes that answer and are not the ones we know, with the reason: nothing is sent to them."""
    setups: Mapping[str, NodeSetup] = {}
    """What each host that answers and is not refused is to have."""
    unserved: frozenset[str] = frozenset()
    """The hosts among them that do not serve all of it yet."""
    unkept: frozenset[str] = frozenset()
    """The hosts among them that would not come up like this without a master."""
    edges_serve: bool = False
    """Some edge answers, and every edge that answers serves."""


class _Standing(Struct, frozen=True):
    """How one host stands, and what that follows from."""

    ref: Ref
    node: Observation
    status: Status | None
    setup: NodeSetup | None
    reachable: bool
    refused: str
    serves: bool
    boots: bool


class Hosts:
    """Follows the hosts of one loop from turn to turn. Not shared between threads."""

    def __init__(self) -> None:
        self._known: dict[str, _Standing] = {}
        self._inputs: tuple[object, ...] = (None,) * 4
        self._edges: tuple[Mapping[str, Node], frozenset[str]] = ({}, frozenset())
        self._made = Standings()

    def standings(
        self,
        desired: Desired,
        observed: Observed,
        statuses: Mapping[Ref, Status],
        setups: Mapping[str, NodeSetup],
    ) -> Standings:
        """Judge all hosts. `statuses` are those of all objects, as they are planned."""
        inputs = (desired.nodes, observed, statuses, setups)
        if any(one is not other for one, other in zip(inputs, self._inputs, strict=True)):
            self._made = self._judged(desired, observed, statuses, setups)
            self._inputs = inputs
        return self._made

    def _judged(
        self,
        desired: Desired,
        observed: Observed,
        statuses: Mapping[Ref, Status],
        setups: Mapping[str, NodeSetup],
    ) -> Standings:
        before, known = self._known, {}
        for name, node in observed.nodes.items():
            one, setup = before.get(name), setups.get(name)
            ref = one.ref if one is not None else Ref("Node", "", name)
            status = statuses.get(ref)
            if one is None or one.node is not node or one.setup is not setup or one.status is not status:
                one = _judge(ref, node, status, setup)
            known[name] = one
        self._known = known
        wanted = {name: one for name, one in known.items() if one.reachable and one.setup is not None}
        unserved = frozenset([name for name, one in wanted.items() if not one.serves])
        answering = {name for name in self._at_edge(desired) if (one := known.get(name)) and one.reachable}
        return Standings(
            {name: one.refused for name, one in known.items() if one.refused},
            {name: setup for name, setup in setups.items() if name in wanted},
            unserved,
            frozenset([name for name, one in wanted.items() if not one.boots]),
            bool(answering) and all(known[name].serves for name in answering),
        )

    def _at_edge(self, desired: Desired) -> frozenset[str]:
        """Remembered for the very nodes that it was asked for last."""
        if self._edges[0] is not desired.nodes:
            self._edges = (desired.nodes, frozenset(edges(desired.nodes)))
        return self._edges[1]


def _judge(ref: Ref, node: Observation, status: Status | None, setup: NodeSetup | None) -> _Standing:
    if not isinstance(node, Reachable):
        return _Standing(ref, node, status, setup, False, "", False, False)
    ready = condition_of(status.status.conditions, "Ready") if isinstance(status, Node) else None
    if ready is not None and ready.status != "True":
        return _Standing(ref, node, status, setup, False, ready.message, False, False)
    serves = setup is not None and _serves(node, setup)
    return _Standing(ref, node, status, setup, True, "", serves, setup is not None and _boots(node, setup))


def _serves(node: Reachable, setup: NodeSetup) -> bool:
    """The file alone proves little: a host that has just booted still has it, and neither network nor HAProxy."""
    networked = bool(node.network.fingerprint) and node.network.policies.issuperset(setup.network.policy.pods)
    proxied = node.proxy.running and node.proxy.fingerprint == setup.proxy.fingerprint
    named = setup.dns is None or node.dns.fingerprint == setup.dns.fingerprint
    return networked and proxied and named


def _boots(node: Reachable, setup: NodeSetup) -> bool:
    kept = setup.boot is None or node.boot.kept is setup.boot or node.boot.kept == setup.boot
    return kept and node.proxy.kept
