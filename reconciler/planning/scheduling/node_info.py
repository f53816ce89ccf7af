"""What is left on a node, as this plan gives pods to it: the scheduler's ledger of one node."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Reachable
from reconciler.planning.allocation.pod_ips import PodAddresses
from reconciler.planning.controllers.pod import host_ports
from reconciler.planning.resource_requests import Demand, Demands
from reconciler.planning.state.nodes import NodeView


class Room:
    """Lives for one plan; `take` is its only change."""

    def __init__(self, node: NodeView, pods: Iterable[PodIntent], demands: Demands, known: Container[Uid]) -> None:
        """`known`: every pod that is remembered. What one of those holds is counted with it, if it is here."""
        self.node = node
        facts = node.last.facts if node.last else None
        self.cpu_milli = facts.cpus * 1000 if facts else 0
        self.memory_bytes = facts.memory_bytes if facts else 0
        self.cpu_requested = 0
        self.memory_requested = 0
        self.ports = _ports_of_others(node.last, known) if node.last else {}
        self.of_template: Counter[tuple[Ref, str]] = Counter()
        self._share = 0
        self._share_of_owner: Counter[Ref] = Counter()
        self._share_of_template: Counter[tuple[Ref, str]] = Counter()
        taken = {container.ip for container in node.last.containers} if node.last else set()
        for intent in pods:
            taken.add(intent.ip)
            self._count(intent, demands.of(intent))
        self._taken = taken
        self.addresses = PodAddresses(node.record.pod_cidr, node.record.last_ip, taken)

    @property
    def cpu_free(self) -> int:
        return self.cpu_milli - self.cpu_requested

    @property
    def memory_free(self) -> int:
        return self.memory_bytes - self.memory_requested

    def share_with(self, owner: Ref, template_hash: str, demand: Demand) -> int:
        """What would be requested of the node with one more pod, in millionths; without those that leave, and
        those of the owner's other templates."""
        others = self._share - self._share_of_owner[owner]
        return others + self._share_of_template[owner, template_hash] + self._share_of(demand)

    def take(self, intent: PodIntent, demand: Demand, offset: int) -> None:
        self._taken.add(intent.ip)
        self.addresses.last = offset
        self._count(intent, demand)

    def _count(self, intent: PodIntent, demand: Demand) -> None:
        self.cpu_requested += demand.cpu_milli
        self.memory_requested += demand.memory_bytes
        for port in host_ports(intent.spec):
            self.ports.setdefault(port, f"pod {intent.namespace}/{intent.name}")
        if intent.wanted == "run":
            owner, share = intent.owner or intent.ref, self._share_of(demand)
            self.of_template[owner, intent.hash] += 1
            self._share += share
            self._share_of_owner[owner] += share
            self._share_of_template[owner, intent.hash] += share

    def _share_of(self, demand: Demand) -> int:
        cpu = demand.cpu_milli * 1_000_000 // max(1, self.cpu_milli)
        return cpu + demand.memory_bytes * 1_000_000 // max(1, self.memory_bytes)


def _ports_of_others(node: Reachable, known: Container[Uid]) -> dict[int, str]:
    """Return the host ports that are held by containers of no pod that is remembered, each with its holder."""
    ours = {one.name for one in node.containers if one.uid in known} if node.used_ports else ()
    return {port: holder for port, holder in node.used_ports.items() if holder not in ours}


def rooms_of(
    nodes: Mapping[str, NodeView], pods: Iterable[PodIntent], demands: Demands, known: Container[Uid]
) -> dict[str, Room]:
    assigned: dict[str, list[PodIntent]] = {name: [] for name in nodes}
    for intent in pods:
        if intent.node in assigned:
            assigned[intent.node].append(intent)
    return {name: Room(node, assigned[name], demands, known) for name, node in nodes.items()}
