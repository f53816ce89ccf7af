"""A cluster in memory to which everything happens: seeded, so that a story can be told again.

`Simulation` is a `World` whose turns are the control loop's own: planning, the service layer, the events. `FAULTS`
are what may happen to it; `tests/properties/test_simulation.py` has what must hold at every step, and counts which
faults happened and which guards they met.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from reconciler.control.cycle import Turn, turn
from reconciler.model.api.apps import (
    DeploymentStrategy,
    RollingUpdateDeployment,
    RollingUpdateStatefulSetStrategy,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetUpdateStrategy,
)
from reconciler.model.api.cluster import Cluster, ClusterSpec
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.container import ContainerPort, Probe, TCPSocketAction
from reconciler.model.api.core.env import EnvVar, EnvVarSource, KeySelector
from reconciler.model.api.core.node import NodeSpec, Taint
from reconciler.model.api.meta import Object, ObjectMeta, ref_of
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import SANDBOX, Ref
from reconciler.model.observed import Observed, ObservedContainer, Probed, Reachable, Unreachable
from reconciler.model.operations import (
    CreateContainer,
    Operation,
    Outcome,
    PodWork,
    PullImage,
    SetRestartPolicy,
    StartContainer,
    StopContainers,
    UnpauseContainer,
)
from reconciler.model.secrets import SecretText
from reconciler.planning import after_failure, after_success
from reconciler.planning.guard import held
from reconciler.services import ServiceLayer
from tests.planner import RULES
from tests.simulated import (
    World,
    container,
    deployment,
    desired,
    host,
    node,
    pod,
    service,
    with_kinds,
)
from tests.stateful_sets import stateful_set

CANARY = "canary-51c4-secret"
HOSTILE = "no such luck\x1b[2J\r\nfake: line\u202e \x9b31m"
"""What a host's error says at its worst."""
NAMES = tuple(f"node-{number:03}" for number in range(4))
WEB, API, JOB = (
    Ref("Deployment", "default", "web"),
    Ref("Deployment", "default", "api"),
    Ref("Pod", "default", "job"),
)
PROBE = Probe(tcp_socket=TCPSocketAction("http"))
LOST_AFTER = 10.0

HTTP = (ContainerPort(8080, "http"),)
FOREIGN = ObservedContainer("f", "someone-elses", "postgres", "running", cluster="other", uid="x")
LOOK_ALIKE = ObservedContainer(
    "l", "my-debug-copy", "lab/web:1.0", "running", "lab", "default", "web-1", "u-1", "app", "Deployment/web", "h"
)


class Choice(dict[str, int]):
    """What a revision is made of."""


def any_choice(random: Random) -> Choice:
    return Choice(
        replicas=random.choice([2, 3, 3, 4, 5, 9]),
        web=random.choice([1, 2, 3]),
        api=random.choice([1, 2]),
        job=random.choice([1, 1, 2]),
        surge=random.choice([0, 1, 1, 2]),
        unavailable=random.choice([0, 1]),
        drained=random.choice([-1, -1, -1, 0, 2]),
        few=0,
        db=0,
    )


def revision(choice: Choice, number: int, cluster: str = "lab") -> Desired:
    """`few`: most of the objects are not in it. `db`: the version of a StatefulSet's template; 0: none."""
    surge = choice["surge"] or 1 - choice["unavailable"]
    web = container(image=f"lab/web:{choice['web']}.0", cpu="1500m", ports=HTTP, readiness_probe=PROBE)
    token = EnvVar("TOKEN", value_from=EnvVarSource(secret_key_ref=KeySelector("passwords", "token")))
    api = (container("app", f"lab/web:{choice['api']}.0", env=(token,), ports=HTTP), container("beside"))
    objects: list[Object] = [Secret(ObjectMeta("passwords", "default"), {"token": SecretText(CANARY)})]
    if not choice["few"]:
        objects += [ConfigMap(ObjectMeta(f"config-{index}", "default"), {"key": "value"}) for index in range(12)]
        objects += [
            deployment("web", choice["replicas"], containers=(web,), strategy=_rolling(surge, choice)),
            deployment("api", 2, containers=api, termination_grace_period_seconds=20),
            pod("job", (container(image=f"lab/web:{choice['job']}.0"),)),
            service("web"),
            service("api"),
            *([_database(choice), service("db", cluster_ip="None")] if choice["db"] else ()),
        ]
    drained = NodeSpec(taints=(Taint("maintenance", effect="NoExecute"),))
    nodes = [node(name, drained if index == choice["drained"] else NodeSpec()) for index, name in enumerate(NAMES)]
    made = desired(*objects, revision=f"r{number}", nodes=nodes, cluster=ClusterSpec())
    if cluster != "lab":
        manifests = {ref: each for ref, each in made.manifests.items() if ref.kind != "Cluster"}
        named = replace(made.cluster, metadata=ObjectMeta(cluster))
        made = replace(
            with_kinds(made, {Cluster: {ref_of(named): named}}),
            manifests={**manifests, Ref("Cluster", "", cluster): {}},
        )
    return made


def _rolling(surge: int, choice: Choice) -> DeploymentStrategy:
    return DeploymentStrategy("RollingUpdate", RollingUpdateDeployment(surge, choice["unavailable"]))


def _database(choice: Choice) -> Object:
    """A StatefulSet. Where its pods have claims, these alone keep a second one of a name from coming elsewhere."""
    rolling = RollingUpdateStatefulSetStrategy(choice["partition"], choice["unavailable"] + 1)
    return stateful_set(
        "db",
        choice["members"],
        f"{choice['db']}.0",
        claims=("data",) if choice["claims"] else (),
        pod_management_policy="Parallel" if choice["parallel"] else "OrderedReady",
        update_strategy=StatefulSetUpdateStrategy("RollingUpdate", rolling),
        persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicy(
            when_scaled="Delete" if choice["deleted"] else "Retain"
        ),
    )


def held_off_by(failed: Operation | None, work: PodWork) -> str:
    """The container, or the image, that alone waits when this of a work has failed; empty: the whole pod does."""
    stops = [each for each in work.operations if isinstance(each, StopContainers)]
    match failed:
        case UnpauseContainer(name) if any(name == one.container for each in stops for one in each.containers):
            return ""
        case PullImage(image):
            return f"image {image}"
        case CreateContainer(config):
            part = config.name.split("_")[3]
        case StartContainer(name) | SetRestartPolicy(name) | UnpauseContainer(name):
            part = name.split("_")[3]
        case _:
            return ""
    return part if part != SANDBOX else ""


class Simulation(World):
    """`observed`, `decide` and `do` are the three parts of a turn; what is looked at lies between them."""

    complaint = HOSTILE

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.choice = self.any_choice()
        self.number = 0
        super().__init__(revision(self.choice, 0))
        for name in NAMES:
            self.set_host(name, facts=host(name, cpus=6).facts)
        self.set_host(NAMES[0], containers=(FOREIGN, LOOK_ALIKE))
        self.layer = ServiceLayer()
        self.wall = 1_700_000_000.0
        self.lost_replies: set[str] = set()
        """Nodes whose next work is done, and its reply lost."""
        self.backups: list[Memory] = []
        self.fired: Counter[str] = Counter()
        self.guards: Counter[str] = Counter()
        self.failures: dict[tuple[str, str, str], tuple[float, int]] = {}
        """uid, whether it is to run or to leave, and what `held_off_by` says -> when its work last failed at that,
        and how often in a row. A master that begins anew has forgotten it."""
        self.outcomes: list[Outcome] = []
        """Of the last turn."""
        self.moves: list[float] = []

    def any_choice(self) -> Choice:
        """What the next revision is made of."""
        return any_choice(self.random)

    def set_host(self, name: str, **fields: object) -> None:
        before = self.real.nodes[name]
        assert isinstance(before, Reachable)
        self.real = Observed({**self.real.nodes, name: replace(before, **fields)})

    def at(self, name: str) -> Reachable:
        """A host as it is, whether it answers or not."""
        found = self.real.nodes[name]
        assert isinstance(found, Reachable)
        return found

    def decide(self) -> Turn:
        return turn(self.wanted, self.observed(), self.memory, Clock(self.now, self.wall), RULES, self.layer)

    def propose(self, wanted: Desired) -> bool:
        """As the loop does: what a guard holds is not taken."""
        if held(wanted, self.memory, RULES.options) is not None:
            return False
        self.wanted = wanted
        return True

    def outcome_of(self, work: PodWork) -> Outcome:
        outcome = super().outcome_of(work)
        if outcome.failed is None and work.node in self.lost_replies:
            self.lost_replies.remove(work.node)
            return Outcome(work, message=HOSTILE, unknown=True)
        return outcome

    def do(self, taken: Turn) -> None:
        self.memory, self.outcomes = taken.plan.memory, []
        for work in taken.work:
            intent = self.memory.pods.get(work.uid)
            wanted = intent.wanted if intent else ""
            outcome = self.outcome_of(work)
            self.outcomes.append(outcome)
            if outcome.failed is not None or outcome.unknown:
                self.memory = after_failure(self.memory, outcome, self.now)
                about = work.uid, wanted, held_off_by(outcome.failed, work)
                self.failures[about] = self.now, self.failures.get(about, (0.0, 0))[1] + 1
            else:
                self.memory = after_success(self.memory, outcome)
                for at_fault in {"", *(held_off_by(each, work) for each in work.operations)}:
                    self.failures.pop((work.uid, wanted, at_fault), None)
        self.cluster.follow(taken.plan, silent=self.cut)

    def ours(self) -> list[tuple[str, ObservedContainer]]:
        return sorted(
            (
                (name, each)
                for name in NAMES
                for each in self.at(name).containers
                if each.cluster == "lab" and each.name.startswith("lab_")
            ),
            key=lambda found: found[1].name,
        )


# --- what may happen ------------------------------------------------------------------------------------------


def _revise(world: Simulation) -> bool:
    world.number += 1
    world.choice = world.any_choice()
    return world.propose(revision(world.choice, world.number))


def _new_version(world: Simulation) -> bool:
    world.number += 1
    world.choice = Choice({**world.choice, "web": world.random.choice([1, 2, 3])})
    return world.propose(revision(world.choice, world.number))


def _drop_most(world: Simulation) -> bool:
    world.number += 1
    taken = world.propose(revision(Choice({**world.choice, "few": 1}), world.number))
    world.guards["a revision that drops most objects is held"] += not taken
    assert not taken or not world.memory.applied, "nothing but a first revision may drop most objects"
    if taken:  # With an empty store there is nothing that it could drop.
        world.wanted = revision(world.choice, world.number)
    return not taken


def _other_cluster(world: Simulation) -> bool:
    world.number += 1
    if not world.memory.applied:
        return False
    taken = world.propose(revision(world.choice, world.number, cluster="other"))
    world.guards["another cluster's manifests are held"] += not taken
    assert not taken
    return True


def _cut(world: Simulation) -> bool:
    return _cut_off(world, world.random.choice(NAMES))


def _cut_off(
    world: Simulation, name: str, why: str = "connection timed out " + HOSTILE, refused: bool = False
) -> bool:
    if name in world.cut:
        return False
    world.cut[name] = Unreachable(world.now, why, world.at(name), refused)
    return True


def _cut_most(world: Simulation) -> bool:
    return sum(_cut_off(world, name) for name in world.random.sample(NAMES, world.random.choice([3, 4]))) > 0


def _other_host_key(world: Simulation) -> bool:
    return _cut_off(world, world.random.choice(NAMES), "the host key is another one", refused=True)


def _heal(world: Simulation) -> bool:
    healed = [name for name in NAMES if name in world.cut and world.random.random() < 0.7]
    for name in healed:
        world.plug_in(name)
    return bool(healed)


def _flap(world: Simulation) -> bool:
    """Away and back within a moment, and its connection is another one."""
    name = world.random.choice(NAMES)
    if name in world.cut:
        return False
    world.unplug(name)
    world.plug_in(name)
    return True


def _is_known(world: Simulation, name: str) -> bool:
    """Its own engine answers, and is remembered."""
    record = world.memory.nodes.get(name)
    return record is not None and record.engine_id == world.at(name).facts.engine_id == f"engine-{name}"


def _reimage(world: Simulation) -> bool:
    """Another engine answers, and has nothing of what was there; it is put back at once where no pod was."""
    name = world.random.choice(NAMES)
    if name in world.cut or not _is_known(world, name):
        return False
    world.set_host(name, facts=replace(world.at(name).facts, engine_id=f"other-{name}"))
    return True


def _same_host_twice(world: Simulation) -> bool:
    first, second = world.random.sample(NAMES, 2)
    if {first, second} & set(world.cut) or not (_is_known(world, first) and _is_known(world, second)):
        return False
    world.set_host(second, facts=replace(world.at(second).facts, engine_id=f"engine-{first}"))
    return True


def _right_engines(world: Simulation) -> bool:
    wrong = [name for name in NAMES if world.at(name).facts.engine_id != f"engine-{name}"]
    for name in wrong:
        world.set_host(name, facts=replace(world.at(name).facts, engine_id=f"engine-{name}"))
    return bool(wrong)


def _to_a_container(
    change: Callable[[ObservedContainer], ObservedContainer | None],
) -> Callable[[Simulation], bool]:
    def happen(world: Simulation) -> bool:
        ours = world.ours()
        if not ours:
            return False
        _, one = world.random.choice(ours)
        world.change(change, container=one.name)
        return True

    return happen


def _unready(world: Simulation) -> bool:
    probed = [one.name for _, one in world.ours() if one.probed is not None and one.probed.ready]
    if not probed:
        return False
    world.change(lambda each: replace(each, probed=Probed(started=True)), container=world.random.choice(probed))
    return True


def _ready_again(world: Simulation) -> bool:
    unready = [one.name for _, one in world.ours() if one.probed is not None and not one.probed.ready]
    for name in unready:
        world.change(lambda each: replace(each, probed=Probed(True, True)), container=name)
    return bool(unready)


def _runs_well_again(world: Simulation) -> bool:
    """A container that Docker was about to start again has been."""
    crashed = [one.name for _, one in world.ours() if one.state == "restarting"]
    for name in crashed:
        world.change(lambda each: replace(each, state="running", exit_code=0), container=name)
    return bool(crashed)


def _work_fails(world: Simulation) -> bool:
    for name in NAMES:
        world.failing[name] = world.random.choice([0, 0, 1, 2])
    return True


def _replies_are_lost(world: Simulation) -> bool:
    world.lost_replies |= set(world.random.sample(NAMES, 2))
    return True


def _image_is_gone(world: Simulation) -> bool:
    """By hand; its next pull fails."""
    name = world.random.choice(NAMES)
    world.set_host(name, images=frozenset({"registry.k8s.io/pause:3.10"}))
    world.failing[name] = 0
    return True


def _restart(world: Simulation) -> bool:
    world.forget_volatile()
    world.failures.clear()
    return True


def _lose_store(world: Simulation) -> bool:
    """While every host answers: what is on a silent one, nobody could know."""
    if world.cut or any(world.at(name).facts.engine_id != f"engine-{name}" for name in NAMES):
        return False
    world.memory = Memory()
    world.failures.clear()
    return True


def _back_up(world: Simulation) -> bool:
    world.backups.append(world.memory)
    return True


def _restore(world: Simulation) -> bool:
    if not world.backups or world.cut or _right_engines(world):
        return False
    world.memory = world.random.choice(world.backups)
    world.failures.clear()
    return True


def _second_copy(world: Simulation) -> bool:
    """As after a move that was undone: the same pod on another host too."""
    running = [
        (name, one) for name, one in world.ours() if one.state == "running" and one.owner == "Deployment/web"
    ]
    if not running:
        return False
    name, one = world.random.choice(running)
    other = world.random.choice([each for each in NAMES if each != name])
    if one.name in {each.name for each in world.at(other).containers}:
        return False
    copy = replace(
        one, id=f"{one.id}-copy", ip=f"10.99.{world.random.randrange(256)}.{world.random.randrange(256)}"
    )
    world.set_host(other, containers=(*world.at(other).containers, copy))
    return True


def _orphan(world: Simulation) -> bool:
    """Ours by its labels, and nothing explains it."""
    name = world.random.choice(NAMES)
    uid = f"{world.random.randrange(1 << 32):08x}-orphan"
    one = ObservedContainer(
        uid,
        f"lab_default_gone_app_{uid[:8]}",
        "lab/web:1.0",
        "running",
        "lab",
        "default",
        "gone",
        uid,
        "app",
        "",
        "h",
    )
    world.set_host(name, containers=(*world.at(name).containers, one))
    return True


def _clock_jumps(world: Simulation) -> bool:
    world.wall += world.random.choice([-86_400, 86_400, 400 * 86_400])
    return True


def _time_passes(world: Simulation) -> bool:
    world.now += world.random.choice([3.0, 11.0, 11.0, 70.0])
    return True


FAULTS: dict[str, tuple[int, Callable[[Simulation], bool]]] = {
    "a revision": (3, _revise),
    "a new version": (4, _new_version),
    "a revision that drops most objects": (2, _drop_most),
    "a revision of another cluster": (1, _other_cluster),
    "a node falls silent": (4, _cut),
    "most nodes fall silent": (2, _cut_most),
    "a host key changes": (1, _other_host_key),
    "nodes come back": (6, _heal),
    "a node flaps": (2, _flap),
    "a host is installed anew": (1, _reimage),
    "a host is listed twice": (1, _same_host_twice),
    "the right engines are back": (4, _right_engines),
    "a container crashes": (
        4,
        _to_a_container(
            lambda each: replace(each, state="restarting", restart_count=each.restart_count + 1, exit_code=1)
        ),
    ),
    "a container is removed": (2, _to_a_container(lambda each: None)),
    "a container is paused": (1, _to_a_container(lambda each: replace(each, state="paused"))),
    "a container is killed": (2, _to_a_container(lambda each: replace(each, state="exited", exit_code=137))),
    "a container is stuck in its removal": (1, _to_a_container(lambda each: replace(each, state="removing"))),
    "a container is renamed": (1, _to_a_container(lambda each: replace(each, name=f"{each.name}_other"))),
    "a pod is not ready": (3, _unready),
    "pods are ready again": (3, _ready_again),
    "crashed containers run again": (3, _runs_well_again),
    "work fails": (5, _work_fails),
    "replies are lost": (2, _replies_are_lost),
    "an image is gone and cannot be pulled": (1, _image_is_gone),
    "the master restarts": (2, _restart),
    "the store is lost": (1, _lose_store),
    "the store is backed up": (1, _back_up),
    "an old backup is put in place": (1, _restore),
    "a second copy of a pod": (1, _second_copy),
    "an orphan": (1, _orphan),
    "the wall clock jumps": (1, _clock_jumps),
    "time passes": (5, _time_passes),
}
"""Name -> how often beside the others, and what happens; False: it could not happen just now."""


def something_happens(world: Simulation) -> str:
    names = list(FAULTS)
    (name,) = world.random.choices(names, [FAULTS[each][0] for each in names])
    if FAULTS[name][1](world):
        world.fired[name] += 1
    return name
