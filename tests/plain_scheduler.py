"""The scheduler as plainly as it can be written: each pod asks every rule of every node, and sorts what is left.

It is what `reconciler.planning.scheduling` is compared with, and shares with it no rule, no ledger and no order.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Network

from msgspec.structs import replace

from reconciler.model.api.core.node import node_labels
from reconciler.model.api.core.pod import PodSpec, Toleration
from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, Memory, NodeRecord, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Action, PendingPod, Unschedulable
from reconciler.model.resource_requests import NO_REQUESTS, Requests, requests_of
from reconciler.planning.allocation.identity import pod_name, pod_uid
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.host_ports import host_ports
from reconciler.planning.scheduling.cycle import Placed, Placement
from reconciler.planning.scheduling.node_info import NO_NODES
from reconciler.planning.state.nodes import NodeView

MIB = 1024 * 1024


def place(
    desired: Desired,
    wanted: Iterable[PodToCreate],
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodIntent],
    memory: Memory,
    claims: Mapping[Ref, ClaimRecord],
) -> Placement:
    scheduler = PlainScheduler(desired, nodes, pods, memory, claims)
    placed: list[Placed] = []
    short: dict[tuple[Ref, str, str], list[PodToCreate]] = {}
    for pod in wanted:
        key = (pod.owner, pod.hash, pod.name)
        found = None if key in short else scheduler.place(pod)
        if found is not None:
            placed.append(found)
        else:
            short.setdefault(key, []).append(pod)
    unplaced = [
        Unschedulable(owner, len(pods_short), scheduler.reasons(pods_short[0]), scheduler.pending(pods_short))
        for (owner, _, _), pods_short in short.items()
    ]
    return Placement(tuple(placed), tuple(unplaced), scheduler.moved_cursors(), scheduler.incarnations, NO_NODES)


class Room:
    """What is left on one node."""

    def __init__(self, node: NodeView, known: Collection[Uid]) -> None:
        self.node = node
        facts = node.last.facts if node.last else None
        self.capacity = Requests(facts.cpus * 1000, facts.memory_bytes) if facts else NO_REQUESTS
        self.requested = NO_REQUESTS
        ours = {one.name for one in node.last.containers if one.uid in known} if node.last else set()
        used = node.last.used_ports if node.last else {}
        self.ports = {port: holder for port, holder in used.items() if holder not in ours}
        self.taken = {container.ip for container in node.last.containers} if node.last else set()
        self.last_ip = node.record.last_ip
        self.pods: list[tuple[PodIntent, Requests]] = []

    def take(self, intent: PodIntent) -> None:
        requests = requests_of(intent.spec) if intent.spec else NO_REQUESTS
        self.pods.append((intent, requests))
        self.taken.add(intent.ip)
        self.requested = Requests(*map(sum, zip(self.requested, requests, strict=True)))
        for port in host_ports(intent.spec):
            self.ports.setdefault(port, f"pod {intent.namespace}/{intent.name}")

    def next_address(self) -> tuple[str, int] | None:
        if not self.node.record.pod_cidr:
            return None
        network = IPv4Network(self.node.record.pod_cidr)
        usable = [*range(2, network.num_addresses - 1)]
        for offset in [*(one for one in usable if one > self.last_ip), *usable]:
            if str(network[offset]) not in self.taken:
                return str(network[offset]), offset
        return None

    def load_for(self, owner: Ref, template_hash: str) -> int:
        """Of the pods that stay, without those that will give way to this template."""
        return sum(
            self.share(requests)
            for intent, requests in self.pods
            if intent.wanted == "run" and (owner_of(intent) != owner or intent.hash == template_hash)
        )

    def share(self, requests: Requests) -> int:
        cpu = requests.cpu_milli * 1_000_000 // max(1, self.capacity.cpu_milli)
        return cpu + requests.memory_bytes * 1_000_000 // max(1, self.capacity.memory_bytes)


class PlainScheduler:
    def __init__(
        self,
        desired: Desired,
        nodes: Mapping[str, NodeView],
        pods: Mapping[Uid, PodIntent],
        memory: Memory,
        claims: Mapping[Ref, ClaimRecord],
    ) -> None:
        self._desired = desired
        self._cluster = desired.cluster.metadata.name
        self._nodes = nodes
        self._claims = dict(claims)
        known = {*memory.pods, *pods}
        self._rooms = {name: Room(node, known) for name, node in nodes.items()}
        for intent in pods.values():
            if intent.node in self._rooms:
                self._rooms[intent.node].take(intent)
        self._taken = set(pods)
        self._memory = memory
        self.incarnations: dict[Ref, int] = {}

    def fits(self, pod: PodToCreate) -> bool:
        """Whether there is a node for the pod; none is given to it."""
        return any(
            self._address(pod, room) is not None
            for room in self._rooms.values()
            if not self._turned_away(pod, room)
        )

    def place(self, pod: PodToCreate) -> Placed | None:
        rooms = [room for room in self._rooms.values() if not self._turned_away(pod, room)]
        rooms.sort(key=lambda room: preference(pod, room))
        count = len(rooms)
        for at, room in enumerate(rooms):
            address = self._address(pod, room)
            if address is None:
                continue
            chosen = self._chosen(pod, room, rooms[at + 1 :], count)
            intent = self._intent(pod, room.node.name, address[0])
            room.take(intent)
            room.last_ip = address[1]
            for ref in claims_of(pod):
                self._claims.setdefault(ref, ClaimRecord(room.node.name, ""))
            return Placed(pod, intent, chosen)
        return None

    def _address(self, pod: PodToCreate, room: Room) -> tuple[str, int] | None:
        return (room.node.manifest.ssh.host, room.last_ip) if pod.spec.host_network else room.next_address()

    def reasons(self, pod: PodToCreate) -> dict[str, str]:
        return {
            name: self._turned_away(pod, room)
            or (
                f"no address left in its pod CIDR {room.node.record.pod_cidr}"
                if room.node.record.pod_cidr
                else "no pod CIDR is left for it in the cluster's"
            )
            for name, room in self._rooms.items()
        }

    def pending(self, short: Sequence[PodToCreate]) -> tuple[PendingPod, ...]:
        number = self._next_number(short[0].owner)
        pods = []
        for pod in short:
            name, uid, number = self._identity(pod, number)
            images = {one.name: one.image for one in pod.spec.containers}
            pods.append(PendingPod(Ref("Pod", pod.owner.namespace, name), uid, pod.hash, images))
        return tuple(pods)

    def moved_cursors(self) -> dict[str, NodeRecord]:
        return {
            name: replace(room.node.record, last_ip=room.last_ip)
            for name, room in self._rooms.items()
            if room.last_ip != room.node.record.last_ip
        }

    def _turned_away(self, pod: PodToCreate, room: Room) -> str:
        return (
            self._undecided(pod)
            or self._away_from_data(pod, room.node)
            or refusal(pod.spec, room.node)
            or shortage(pod.spec, room)
        )

    def _undecided(self, pod: PodToCreate) -> str:
        for node in self._nodes.values() if pod.action is Action.CREATE else ():
            if node.record.hidden and (pod.name or not node.lost):
                return (
                    f"it may run on {node.name}, which has not been seen since the state was lost; "
                    "make the host answer, or remove its Node"
                )
        for ref in claims_of(pod):
            if ref not in self._claims and (why := self._unknown_home(ref)):
                return why
        return ""

    def _unknown_home(self, ref: Ref) -> str:
        volume = f"{self._cluster}_{ref.namespace}_{ref.name}"
        homes = [node.name for node in self._nodes.values() if node.last and volume in (node.last.volumes or ())]
        if len(homes) > 1:
            where = " and on ".join(homes)
            return f"its claim {ref.name} has data on {where}: remove the Docker volume that is not wanted"
        for node in self._nodes.values():
            if node.last is None and not node.record.engine_id:
                return f"its claim {ref.name} may have data on {node.name}, which has not been seen yet"
            if node.last is not None and node.last.volumes is None:
                return f"its claim {ref.name} may have data on {node.name}, whose Docker does not list its volumes"
        return ""

    def _away_from_data(self, pod: PodToCreate, node: NodeView) -> str:
        for ref in claims_of(pod):
            if ref in self._claims and (home := self._claims[ref].node) != node.name:
                where = f"its claim {ref.name} has its data on {home}"
                if home not in self._nodes:
                    return f"{where}, which is not in this revision"
                return f"{where}, which is unreachable" if self._nodes[home].silent else where
        return ""

    def _chosen(self, pod: PodToCreate, room: Room, others: Sequence[Room], fitting: int) -> str:
        every = len(self._rooms)
        if every == 1:
            return ""
        if pod.spec.node_name:
            return "the pod names it"
        for ref in claims_of(pod):
            if ref in self._claims:
                return f"its claim {ref.name} has its data there"
        if not others:
            return (
                f"the only one of {every} nodes that fits" if fitting == 1 else "the only one with an address left"
            )
        words = (
            "the others have a taint that it would rather avoid",
            "it has the fewest pods of this template",
            "it has the most room",
            "the first by name of equals",
        )
        pairs = zip(preference(pod, room), preference(pod, others[0]), words, strict=True)
        return f"{fitting} of {every} nodes fit, {next(words for mine, other, words in pairs if mine != other)}"

    def _intent(self, pod: PodToCreate, node: str, ip: str) -> PodIntent:
        owner = pod.owner
        name, uid, self.incarnations[owner] = self._identity(pod, self._next_number(owner))
        return PodIntent(
            uid,
            owner.namespace,
            name,
            node,
            pod.hash,
            self._desired.revision.id,
            ip,
            None if owner.kind == "Pod" else owner,
            pod.labels,
            pod.spec,
        )

    def _next_number(self, owner: Ref) -> int:
        return self.incarnations.get(owner, self._memory.incarnations.get(owner, 0))

    def _identity(self, pod: PodToCreate, number: int) -> tuple[str, Uid, int]:
        while True:
            name = pod.name or pod_name(pod.owner, pod.hash, number)
            uid = pod_uid(self._cluster, pod.owner.namespace, name, number)
            number += 1
            if uid not in self._taken:
                self._taken.add(uid)
                return name, uid, number


def preference(pod: PodToCreate, room: Room) -> tuple[int, int, int, str]:
    mild = [taint for taint in room.node.manifest.spec.taints if taint.effect == "PreferNoSchedule"]
    alike = [
        intent
        for intent, _ in room.pods
        if intent.wanted == "run" and (owner_of(intent), intent.hash) == (pod.owner, pod.hash)
    ]
    return (
        sum(
            not any(tolerates(one, taint.key, taint.value, taint.effect) for one in pod.spec.tolerations)
            for taint in mild
        ),
        len(alike),
        room.load_for(pod.owner, pod.hash) + room.share(requests_of(pod.spec)),
        room.node.name,
    )


def refusal(spec: PodSpec, node: NodeView) -> str:
    if spec.node_name not in ("", node.name):
        return f"the pod names node {spec.node_name}"
    if node.silent is not None:
        return f"{'refused' if node.silent.refused else 'unreachable'}: {node.silent.why}"
    if node.answers and node.answers.network.error:
        return f"its pod network is not set up: {node.answers.network.error}"
    if node.manifest.spec.unschedulable:
        return "cordoned (spec.unschedulable)"
    for taint in node.manifest.spec.taints:
        tolerated = any(tolerates(one, taint.key, taint.value, taint.effect) for one in spec.tolerations)
        if taint.effect != "PreferNoSchedule" and not tolerated:
            written = f"{taint.key}={taint.value}" if taint.value else taint.key
            return f"taint {written}:{taint.effect} is not tolerated"
    labels = node_labels(node.manifest)
    for key, value in spec.node_selector.items():
        if labels.get(key) != value:
            return f"nodeSelector {key}={value} does not match" + (f" ({labels[key]})" if key in labels else "")
    return ""


def shortage(spec: PodSpec, room: Room) -> str:
    cpu, memory = requests_of(spec)
    cpu_free = room.capacity.cpu_milli - room.requested.cpu_milli
    memory_free = room.capacity.memory_bytes - room.requested.memory_bytes
    if cpu > cpu_free:
        return f"needs {cpu}m CPU, {max(0, cpu_free)}m free of {room.capacity.cpu_milli}m"
    if memory > memory_free:
        free, whole = max(0, memory_free) // MIB, room.capacity.memory_bytes // MIB
        return f"needs {-(-memory // MIB)}Mi memory, {free}Mi free of {whole}Mi"
    for port in host_ports(spec):
        if port in room.ports:
            return f"host port {port} is taken by {room.ports[port]}"
    return ""


def tolerates(toleration: Toleration, key: str, value: str, effect: str) -> bool:
    if toleration.effect not in ("", effect):
        return False
    if toleration.operator == "Exists":
        return toleration.key in ("", key)
    return (toleration.key, toleration.value) == (key, value)


def claims_of(pod: PodToCreate) -> list[Ref]:
    sources = [volume.persistent_volume_claim for volume in pod.spec.volumes]
    return [
        Ref("PersistentVolumeClaim", pod.owner.namespace, one.claim_name) for one in sources if one is not None
    ]


def owner_of(intent: PodIntent) -> Ref:
    return intent.owner or intent.ref
