"""The scheduler does what the plain one does in every world: the same nodes, words, names and addresses."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.core.container import Container, ContainerPort, ResourceRequirements
from reconciler.model.api.core.node import NodeSpec, Taint
from reconciler.model.api.core.pod import PodSpec, Toleration
from reconciler.model.api.core.volume import PersistentVolumeClaimVolumeSource, Volume
from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, Memory, NodeRecord, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Facts, NetworkState, ObservedContainer, Reachable, Unreachable
from reconciler.model.plan import Action
from reconciler.model.quantities import Quantity
from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.cycle import Placement, place
from reconciler.planning.scheduling.node_info import NO_NODES, Snapshot, snapshot_of
from reconciler.planning.scheduling.preemption import DryRun
from reconciler.planning.state.nodes import NodeView
from tests import plain_scheduler
from tests.simulated import GIB, desired, node, template_hash

TAINTS = (
    Taint("gpu", "NoSchedule", "yes"),
    Taint("old", "PreferNoSchedule"),
    Taint("slow", "PreferNoSchedule"),
    Taint("broken", "NoExecute"),
)
TOLERATIONS = (Toleration("gpu", value="yes"), Toleration("old", "Exists"), Toleration(operator="Exists"))
CLAIMS = tuple(Ref("PersistentVolumeClaim", "default", name) for name in ("data", "logs", "more"))
OWNERS = (
    *(Ref("Deployment", "default", name) for name in ("api", "db", "web")),
    Ref("Pod", "default", "job"),
    Ref("Pod", "default", "task"),
    Ref("StatefulSet", "default", "zoo"),
)


class Scene(Struct, frozen=True):
    """All that a scheduling cycle is given."""

    revision: Desired
    wanted: tuple[PodToCreate, ...]
    nodes: dict[str, NodeView]
    pods: dict[Uid, PodIntent]
    memory: Memory
    claims: dict[Ref, ClaimRecord]


class Chance:
    """Draws a world. Some are roomy and some are tight, some have nodes of one size and some do not."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._names = [f"node-{number:02}" for number in range(self._random.choice([1, 2, 3, 5, 8, 20]))]
        self._alike = self.maybe(0.5)
        self._tight = self.maybe(0.5)
        self._small_networks = self.maybe(0.3)
        self._claims = self.maybe(0.3)
        self._ports = self.maybe(0.4)
        self._specs = [self._spec() for _ in range(self._random.randint(1, 8))]

    def maybe(self, chance: float) -> bool:
        return self._random.random() < chance

    def scene(self) -> Scene:
        nodes = {name: self._node(number, name) for number, name in enumerate(self._names)}
        pods = {f"u-{number}": self._pod(f"u-{number}") for number in range(self._random.choice([0, 3, 10, 40]))}
        wanted = self._wanted()
        numbers = {owner: self._random.randint(0, 30) for owner in OWNERS if self.maybe(0.5)}
        claims = {
            ref: ClaimRecord(self._random.choice([*self._names, "gone"]), "") for ref in CLAIMS if self.maybe(0.3)
        }
        revision = desired(nodes=[view.manifest for view in nodes.values()])
        gone = {uid: self._pod(uid) for uid in ("u-gone", "u-lost") if self.maybe(0.5)}
        memory = Memory(pods={**gone, **pods}, incarnations=numbers)
        return Scene(revision, tuple(wanted), nodes, pods, memory, claims)

    def happen(self, scene: Scene, placement: Placement) -> Scene:
        """Draw the next moment: what was placed is there, some pods leave or are gone, a node has changed."""
        pods = scene.pods | {one.intent.uid: one.intent for one in placement.placed if self.maybe(0.8)}
        for uid in [uid for uid in pods if self.maybe(0.1)]:
            pods[uid] = replace(pods[uid], wanted="leave")
        for uid in [uid for uid in pods if self.maybe(0.1)]:
            del pods[uid]
        nodes = {name: replace(view) for name, view in scene.nodes.items()}
        number = self._random.randrange(len(self._names))
        nodes[self._names[number]] = self._node(number, self._names[number])
        return replace(scene, pods=pods, nodes=nodes, wanted=tuple(self._wanted()))

    def _some(self, options: Sequence[Taint] | Sequence[Toleration], chance: float) -> tuple[object, ...]:
        return tuple(one for one in options if self.maybe(chance))

    def _quantity(self, *options: str) -> Quantity:
        return Quantity.parse(self._random.choice(options))

    def _spec(self) -> PodSpec:
        requests = {}
        if self.maybe(0.8):
            requests["cpu"] = self._quantity("10m", "250m", "500m", "1", "1500m", "3", "3")
        if self.maybe(0.6):
            requests["memory"] = self._quantity("64Mi", "100Mi", "1Gi", "3Gi")
        ports = []
        if self._ports and self.maybe(0.5):
            ports.append(ContainerPort(8080, host_port=self._random.choice([80, 81])))
        containers = (
            Container("app", "lab/web:1", ports=tuple(ports), resources=ResourceRequirements(requests=requests)),
        )
        more: dict[str, object] = {}
        if self.maybe(0.15):
            more["host_network"] = True
        if self.maybe(0.3):
            more["tolerations"] = self._some(TOLERATIONS, 0.5)
        if self.maybe(0.2):
            more["node_selector"] = {"disk": self._random.choice(["ssd", "hdd"])}
        if self.maybe(0.1):
            more["node_name"] = self._random.choice([*self._names, "gone"])
        if self._claims and self.maybe(0.5):
            used = [ref for ref in CLAIMS if self.maybe(0.5)]
            more["volumes"] = tuple(
                Volume(ref.name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(ref.name))
                for ref in used
            )
        return PodSpec(containers, **more)  # type: ignore[arg-type]

    def _node(self, number: int, name: str) -> NodeView:
        spec = NodeSpec(self._some(TAINTS, 0.12), unschedulable=self.maybe(0.05))  # type: ignore[arg-type]
        labels = {"disk": self._random.choice(["ssd", "hdd"])} if self.maybe(0.5) else {}
        manifest = node(name, spec, labels)
        prefix = 29 if self._small_networks else 24
        record = NodeRecord(
            name,
            engine_id="" if self.maybe(0.1) else f"engine-{name}",
            pod_cidr="" if self.maybe(0.03) else f"10.244.{number}.0/{prefix}",
            last_ip=self._random.choice([0, 0, 2, 5, 6]),
            hidden=self.maybe(0.01),
        )
        last = None if self.maybe(0.05) else self._host(name)
        if last is not None and self.maybe(0.9):
            return NodeView(name, manifest, record, last, last, None, False)
        silent = Unreachable(0.0, "timed out", last, refused=self.maybe(0.3))
        return NodeView(name, manifest, record, None, last, silent, self.maybe(0.5))

    def _host(self, name: str) -> Reachable:
        cpus = 4 if self._alike else self._random.choice([1, 2, 4, 8])
        memory = 8 * GIB if self._alike else self._random.choice([2, 4, 8]) * GIB + self._random.randint(0, 9)
        error = "no route" if self.maybe(0.04) else ""
        listed = (
            None
            if self.maybe(0.02)
            else frozenset(f"lab_default_{ref.name}" for ref in CLAIMS if self.maybe(0.03))
        )
        return Reachable(
            Facts(f"engine-{name}", "27.0", "Debian", "6.1", "x86_64", cpus, memory),
            (
                ObservedContainer("c", "c", "x", "running", "lab", uid=self._uid(), ip="10.244.0.3"),
                ObservedContainer("d", "d", "x", "running", "lab", uid=self._uid(), ip="10.244.1.4"),
            ),
            used_ports={port: self._random.choice(["nginx", "c", "d"]) for port in (80, 81) if self.maybe(0.1)},
            network=NetworkState("set up", error=error),
            volumes=listed,
        )

    def _uid(self) -> Uid:
        return self._random.choice(["u-0", "u-1", "u-gone", "u-other"])

    def _pod(self, uid: Uid) -> PodIntent:
        owner, spec = self._random.choice(OWNERS), self._random.choice(self._specs)
        name = self._random.choice(self._names)
        return PodIntent(
            uid,
            "default",
            owner.name if owner.kind == "Pod" else f"{owner.name}-{uid}",
            self._random.choice([name, name, self._names[0]]),
            template_hash(spec),
            "r0",
            f"10.244.{self._names.index(name)}.{self._random.randint(2, 8)}",
            None if owner.kind == "Pod" else owner,
            spec=None if self.maybe(0.05) else spec,
            wanted="leave" if self.maybe(0.15) else "run",
        )

    def _wanted(self) -> list[PodToCreate]:
        """As the controllers ask: owner by owner, first what moves, which may be of several templates."""
        wanted = []
        for owner in OWNERS:
            if owner.kind == "Pod":
                if self.maybe(0.5):
                    wanted.append(self._one(owner, self._random.choice(self._specs), Action.CREATE, owner.name))
                continue
            if owner.kind == "StatefulSet":
                names = [f"{owner.name}-{number}" for number in range(5) if self.maybe(0.3)]
                wanted += [
                    self._one(owner, self._random.choice(self._specs), Action.CREATE, name) for name in names
                ]
                continue
            moved = [self._random.choice(self._specs) for _ in range(self._random.choice([0, 0, 1, 4]))]
            wanted += [self._one(owner, spec, Action.MOVE) for spec in moved]
            most = 40 if self._tight else 8
            spec = self._random.choice(self._specs)
            wanted += [self._one(owner, spec, Action.CREATE)] * self._random.randint(0, most)
        return wanted

    def _one(self, owner: Ref, spec: PodSpec, action: Action, name: str = "") -> PodToCreate:
        labels = {"app": owner.name}
        return PodToCreate(owner, template_hash(spec), spec, labels, action, "for the test", name=name)


def _check(scene: Scene, before: Snapshot) -> tuple[Placement, Snapshot]:
    """Compare the two schedulers in one scene. `before` is a snapshot of the moment before, to begin with."""
    snapshot = snapshot_of(scene.nodes, scene.pods, scene.memory.pods, before)
    assert snapshot == snapshot_of(scene.nodes, scene.pods, scene.memory.pods)
    found = place(scene.revision, scene.wanted, snapshot, scene.memory, scene.claims)
    plain = plain_scheduler.place(
        scene.revision, scene.wanted, scene.nodes, scene.pods, scene.memory, scene.claims
    )
    assert found.placed == plain.placed
    for one, expected in zip(found.unplaced, plain.unplaced, strict=True):
        assert replace(one, turned_away={}) == expected
        assert sum(one.turned_away.values()) == len(one.reasons) == len(scene.nodes)
    assert found.records == plain.records
    assert found.incarnations == plain.incarnations
    _check_preemption(scene, snapshot)
    assert snapshot == snapshot_of(scene.nodes, scene.pods, scene.memory.pods), "a snapshot is a value"
    return found, snapshot


def _check_preemption(scene: Scene, snapshot: Snapshot) -> None:
    """Whether a pod would fit if others were gone is what the plain scheduler finds when they are."""
    remembered = replace(scene.memory, pods={**scene.memory.pods, **scene.pods})
    snapshot = snapshot_of(scene.nodes, scene.pods, remembered.pods, snapshot)
    wanted = {(one.owner, one.hash): one for one in scene.wanted}.values()
    dry_runs = [DryRun(scene.revision, pod, snapshot, scene.claims) for pod in wanted]
    for gone in ([], [*scene.pods][:1], [*scene.pods][1::3], [*scene.pods]):
        left = {uid: intent for uid, intent in scene.pods.items() if uid not in gone}
        plain = plain_scheduler.PlainScheduler(scene.revision, scene.nodes, left, remembered, scene.claims)
        for pod, dry_run in zip(wanted, dry_runs, strict=True):
            assert dry_run.fits_without(frozenset(gone)) == plain.fits(pod)


@pytest.mark.parametrize("part", range(10))
def test_each_pod_gets_the_node_that_the_plain_scheduler_gives_it(part: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(part * 100, part * 100 + 100):
        chance = Chance(seed)
        scene, snapshot = chance.scene(), NO_NODES
        for _ in range(2):
            try:
                found, snapshot = _check(scene, snapshot)
            except AssertionError as failed:
                raise AssertionError(f"seed {seed}") from failed
            seen.update(one.chosen.rpartition(", ")[2] for one in found.placed)
            seen.update(name for one in found.unplaced for name in one.turned_away)
            scene = chance.happen(scene, found)
    assert len(seen) >= 15, f"too few rules had a say: {sorted(seen)}"
