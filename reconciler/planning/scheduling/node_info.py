"""NodeInfo: what the scheduler knows of one node and of the pods on it; a Snapshot has that of every node.

Both are values. A caller may keep a Snapshot and hand it in again with the next one: of a node whose pods and
capacity are as they were, nothing is counted anew.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.resource_requests import NO_REQUESTS, Requests
from reconciler.planning.allocation.pod_ips import PodAddresses
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pod_info import pod_info_of

_MILLION: Final = 1_000_000
_NO_PORTS: Final[Mapping[int, str]] = {}
_NONE: Final = (0, 0)


class Siblings(Struct, frozen=True, gc=False):
    """What a node has of one owner's pods, from the point of view of one of the owner's templates."""

    of_template: int = 0
    """How many pods of that template it has."""
    other_load: int = 0
    """The load of the pods of the owner's other templates, which will give way to that template."""


NO_SIBLINGS: Final = Siblings()


class NodeInfo(Struct, frozen=True, gc=False):
    """One node as the scheduler sees it. Pods that leave still hold what they have, and count for no score."""

    node: NodeView
    pods: tuple[PodIntent, ...] = ()
    allocatable: Requests = NO_REQUESTS
    """The node's capacity; zero while it is unknown."""
    cpu_free: int = 0
    """The CPU that is left, in milli-CPU; negative if more is requested than there is."""
    memory_free: int = 0
    """The memory that is left, in bytes; negative if more is requested than there is."""
    load: int = 0
    """The share of the node that the pods that stay ask for: CPU and memory added up, in millionths."""
    ports: Mapping[int, str] = {}
    """The host ports that are taken, each with who has it."""
    foreign_ports: Mapping[int, str] = {}
    """The ports among them that are held by containers of no pod that is remembered."""
    owned: Mapping[Ref, Mapping[str, tuple[int, int]]] = {}
    """How many pods that stay each owner has of each template (by its hash), and their load."""

    @property
    def name(self) -> str:
        return self.node.name

    def is_open(self, largest: Requests) -> bool:
        """Tell whether the node has room for a pod of this size, whatever host ports it asks for."""
        return self.cpu_free >= largest.cpu_milli and self.memory_free >= largest.memory_bytes and not self.ports

    def share_of(self, requests: Requests) -> int:
        """Return how much load these requests would add to the node."""
        cpu, memory = self.allocatable
        return requests[0] * _MILLION // (cpu or 1) + requests[1] * _MILLION // (memory or 1)

    def siblings(self, owner: Ref, template_hash: str) -> Siblings:
        """Tell what the node has of this owner's pods, seen from a pod of this template."""
        templates = self.owned.get(owner)
        if templates is None:
            return NO_SIBLINGS
        count, load = templates.get(template_hash, _NONE)
        if len(templates) == 1:
            return Siblings(count, next(iter(templates.values()))[1] - load)
        return Siblings(count, sum([one for _, one in templates.values()]) - load)

    def with_pods(self, added: Sequence[PodIntent]) -> "NodeInfo":
        """Return the node with these pods on it too."""
        cpu, memory, load, ports, owned = self.cpu_free, self.memory_free, self.load, self.ports, {**self.owned}
        for intent in added:
            info = pod_info_of(intent.spec)
            requests = info.requests
            cpu -= requests[0]
            memory -= requests[1]
            if info.host_ports:
                name = f"pod {intent.namespace}/{intent.name}"
                ports = {**dict.fromkeys(info.host_ports, name), **ports}
            if intent.wanted == "run":
                owner, share = intent.owner or intent.ref, self.share_of(requests)
                load += share
                templates = owned.get(owner)
                if templates is None:
                    owned[owner] = {intent.hash: (1, share)}
                else:
                    count, before = templates.get(intent.hash, _NONE)
                    owned[owner] = {**templates, intent.hash: (count + 1, before + share)}
        pods = (*self.pods, *added)
        return NodeInfo(self.node, pods, self.allocatable, cpu, memory, load, ports, self.foreign_ports, owned)

    def without(self, uids: Collection[Uid]) -> "NodeInfo":
        """Return the node as it would be if these pods were gone."""
        stay = [intent for intent in self.pods if intent.uid not in uids]
        return node_info(self.node, stay, self.foreign_ports)


class Snapshot(Struct, frozen=True):
    """Every node as the scheduler sees it at one moment."""

    nodes: Mapping[str, NodeInfo]
    """The nodes by name, in order."""
    pods: Mapping[Uid, PodIntent]
    """Every pod that holds something on a node, also those that leave. No new pod gets the uid of one of them."""


NO_NODES: Final = Snapshot({}, {})


def snapshot_of(
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodIntent],
    remembered: Container[Uid] = frozenset(),
    before: Snapshot = NO_NODES,
) -> Snapshot:
    """Look at every node and the pods on it. What `before` has counted is counted again only where it changed.

    `remembered` are pods that may be on no node any more: the host ports of their containers are nobody's."""
    assigned: dict[str, list[PodIntent]] = {name: [] for name in sorted(nodes)}
    for intent in pods.values():
        if intent.node in assigned:
            assigned[intent.node].append(intent)
    infos = {
        name: info_of(nodes[name], there, pods, remembered, before.nodes.get(name))
        for name, there in assigned.items()
    }
    return Snapshot(infos, pods)


def info_of(
    node: NodeView,
    there: Sequence[PodIntent],
    pods: Container[Uid],
    remembered: Container[Uid],
    before: NodeInfo | None = None,
) -> NodeInfo:
    """Look at a node with the pods that are there, out of all `pods`; `before` is what was last counted of it."""
    foreign = _foreign_ports(node, pods, remembered)
    if before is None or not _still_holds(before, node, there, foreign):
        return node_info(node, there, foreign)
    return before if before.node is node else replace(before, node=node)


def node_info(node: NodeView, pods: Sequence[PodIntent], foreign_ports: Mapping[int, str]) -> NodeInfo:
    """Count what these pods hold on the node."""
    allocatable = _allocatable(node)
    empty = NodeInfo(node, (), allocatable, *allocatable, ports=foreign_ports, foreign_ports=foreign_ports)
    return empty.with_pods(pods) if pods else empty


def addresses_of(node: NodeInfo) -> PodAddresses:
    """Return the addresses of the node's pod CIDR, with those that its pods and containers have."""
    last, record = node.node.last, node.node.record
    taken = {container.ip for container in last.containers} if last else set()
    taken.update([intent.ip for intent in node.pods])
    return PodAddresses(record.pod_cidr, record.last_ip, taken)


def _still_holds(
    known: NodeInfo, node: NodeView, pods: Sequence[PodIntent], foreign_ports: Mapping[int, str]
) -> bool:
    """Tell whether what was counted of a node is right for its pods, capacity and ports as they are now."""
    return (
        known.pods == tuple(pods)
        and known.allocatable == _allocatable(node)
        and known.foreign_ports == foreign_ports
    )


def _allocatable(node: NodeView) -> Requests:
    facts = node.last.facts if node.last else None
    return Requests(facts.cpus * 1000, facts.memory_bytes) if facts else NO_REQUESTS


def _foreign_ports(node: NodeView, pods: Container[Uid], remembered: Container[Uid]) -> Mapping[int, str]:
    """Return the host ports that are held by containers of no pod that is remembered, each with its holder."""
    if node.last is None or not node.last.used_ports:
        return _NO_PORTS
    ours = {one.name for one in node.last.containers if one.uid in pods or one.uid in remembered}
    return {port: holder for port, holder in node.last.used_ports.items() if holder not in ours}
