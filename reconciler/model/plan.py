"""What follows from desired, observed and memory: what changes and why, what to do now, how everything stands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Ended
from reconciler.model.operations import PodWork
from reconciler.model.probes import ProbedContainer
from reconciler.model.problems import Place
from reconciler.model.setups import BootPod


class Action(StrEnum):
    """What happens to a pod. One that another takes the place of is deleted, and the other created."""

    CREATE = "create"
    DELETE = "delete"
    RESTART = "restart"
    MOVE = "move"
    """Replaced elsewhere because of its node."""
    FORGET = "forget"
    """Left as it is on a node that the revision does not have."""


class PodChange(Struct, frozen=True):
    """One pod that comes, goes or is repaired; the unit of the report."""

    action: Action
    pod: Ref
    uid: Uid
    node: str
    reason: str
    owner: Ref | None = None
    from_node: str = ""
    """Of a MOVE: where it was."""
    place: Place | None = None
    """Of the manifest it follows from; None where there is none any more."""
    chosen: str = ""
    """Of one that is placed: why on this node, in words."""


class FieldChange(Struct, frozen=True):
    """`path` is dotted with list indexes, like `spec.template.spec.containers[0].image`.

    A Secret's values come as None on both sides with `secret` set."""

    path: str
    before: Any
    after: Any
    secret: bool = False


class ObjectChange(Struct, frozen=True):
    """The difference of one object between the revision last planned and this one."""

    sign: Literal["+", "~", "-", "-/+"]
    """Created, changed in place, deleted, replaced (its pods are made anew)."""
    ref: Ref
    fields: tuple[FieldChange, ...] = ()
    place: Place | None = None


class PendingPod(Struct, frozen=True):
    """The identity that a pod without a node has now, and keeps when it is given one."""

    ref: Ref
    uid: Uid
    hash: str
    images: Mapping[str, str]
    """Container -> image, of those that are to stay; nothing of them is anywhere yet."""


class Unplaced(Struct, frozen=True):
    """Pods of one owner and template that fit nowhere now, with the reason of each node."""

    owner: Ref
    count: int
    reasons: Mapping[str, str]
    """node -> why not."""
    pods: tuple[PendingPod, ...] = ()
    turned_away: Mapping[str, int] = {}
    """How many nodes each plugin of the scheduler turned away."""


class ContainerStatus(Struct, frozen=True):
    name: str
    image: str
    state: Literal["waiting", "running", "terminated"]
    reason: str = ""
    """Kubernetes' own words: CrashLoopBackOff, ImagePullBackOff, ContainerCreating, Error, OOMKilled…"""
    message: str = ""
    restarts: int = 0
    exit_code: int | None = None
    kind: Literal["init", "sidecar", "container"] = "container"
    ready: bool = False
    started: bool = False
    """It runs, and its startup probe, if any, has succeeded."""
    started_at: str = ""
    finished_at: str = ""
    """Both RFC 3339, from the host's clock."""
    last_end: Ended | None = None
    """Of the run before."""


class Condition(Struct, frozen=True):
    """As upstream: PodScheduled, Initialized, ContainersReady, Ready, and each readiness gate."""

    type: str
    status: bool
    reason: str = ""
    message: str = ""
    since: float = 0.0
    """Unix seconds of its last change of status. 0 in a Plan, which knows no clock: written when published."""


Phase: TypeAlias = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown", "Terminating"]


class PodStatus(Struct, frozen=True):
    ref: Ref
    uid: Uid
    node: str
    ip: str
    phase: Phase
    ready: bool
    """Every container is ready, each port that a service sends connections to has answered, every gate is open."""
    hash: str = ""
    owner: Ref | None = None
    reason: str = ""
    message: str = ""
    containers: tuple[ContainerStatus, ...] = ()
    """Init containers and sidecars first, then the others, in the manifest's order; `kind` tells them apart."""
    conditions: tuple[Condition, ...] = ()
    qos: Literal["Guaranteed", "Burstable", "BestEffort"] = "BestEffort"
    created: float = 0.0
    """Unix seconds of when it was first published; 0 in a Plan, as with conditions."""
    made: float = 0.0
    """Unix seconds, by the host's clock: when its first container was made, whoever remembers it; 0: not yet."""


class ClaimStatus(Struct, frozen=True):
    ref: Ref
    phase: Literal["Pending", "Bound", "Lost"]
    node: str = ""
    volume: str = ""
    """The Docker volume's name."""
    message: str = ""


class DeploymentStatus(Struct, frozen=True):
    ref: Ref
    replicas: int
    """Wanted."""
    total: int
    updated: int
    ready: int
    available: int
    message: str = ""

    @property
    def complete(self) -> bool:
        return self.updated == self.available == self.total == self.replicas


class NodeStatus(Struct, frozen=True):
    ref: Ref
    ready: bool
    message: str
    pods: int
    cpu_milli: int = 0
    memory_bytes: int = 0
    """Capacity; 0 while unknown."""
    cpu_milli_requested: int = 0
    memory_bytes_requested: int = 0
    unschedulable: bool = False
    pod_cidr: str = ""
    engine_version: str = ""
    leader: str = ""
    """Who has the lease on the host, in words; empty in a Plan, and where nobody has."""
    lease_epoch: int = 0


class ServiceStatus(Struct, frozen=True):
    ref: Ref
    type: str
    cluster_ip: str
    ports: tuple[str, ...]
    """As kubectl writes them: `80:30080/TCP`."""
    endpoints: tuple[str, ...]
    """`10.244.1.7:8080`, in rotation; of a service without ports the addresses alone."""
    external: tuple[str, ...] = ()
    """Where it is reached from outside: its edges and external addresses. What an ExternalName stands for."""
    message: str = ""
    """What it asks for and has not got."""
    created: float = 0.0
    """Unix seconds of when it was first published; 0 in a Plan, as with pods."""


class CertificateStatus(Struct, frozen=True):
    not_after: float = 0.0
    """Unix seconds of when it ends; 0: there is none that can be used."""
    message: str = ""
    """Why there is none."""


class IngressStatus(Struct, frozen=True):
    ref: Ref
    class_name: str
    """Empty: it names none."""
    hosts: tuple[str, ...]
    """Empty: every host."""
    addresses: tuple[str, ...]
    """Where it is heard."""
    ports: tuple[int, ...]
    message: str = ""
    created: float = 0.0
    """Unix seconds of when it was first published; 0 in a Plan, as with pods."""
    certificates: Mapping[str, CertificateStatus] = {}
    """By the name of the Secret."""


class Endpoint(Struct, frozen=True, gc=False):
    """Who answers for a service: a pod that it selects, or an endpoint of its EndpointSlices."""

    uid: Uid
    """Empty: it is no pod, but of an EndpointSlice."""
    pod: str
    """The pod's name; of an EndpointSlice, a name that no other endpoint of the service has."""
    node: str
    """Empty: on none that is known."""
    ip: str
    ports: tuple[int, ...]
    """Its port for each port of the service, in order; 0 where it has none of that name."""
    ready: bool
    """In rotation: connections may be sent to it. False while it starts, and once it leaves."""
    hostname: str = ""
    """Its own name below the service's, where its pod has a hostname and the service's name as subdomain."""


Status: TypeAlias = PodStatus | DeploymentStatus | NodeStatus | ServiceStatus | IngressStatus | ClaimStatus


class Hold(Struct, frozen=True):
    """A guard that stopped a revision: it waits for a person, and the last state stays in force."""

    reason: str
    fix: str


class PlanDelta(Struct, frozen=True):
    """Where a plan differs from the one before it."""

    statuses: frozenset[Ref]
    pods: frozenset[Uid]
    """Of which something else is remembered."""


class Plan(Struct, frozen=True):
    """One step towards the desired state. The same inputs give the same plan, names included."""

    changes: tuple[PodChange, ...]
    objects: tuple[ObjectChange, ...]
    work: tuple[PodWork, ...]
    """To do now; at most one per pod."""
    memory: Memory
    """To be stored before any of `work` begins; the same object as given where nothing changed."""
    statuses: Mapping[Ref, Status]
    endpoints: Mapping[Ref, tuple[Endpoint, ...]] = {}
    """For each Service, the running pods it selects, by name; a leaving one stays, not ready, to its end. Of one
    without a selector, the endpoints of its EndpointSlices."""
    probed: Mapping[str, tuple[ProbedContainer, ...]] = {}
    """What each node's prober is to do; only nodes that have any of it."""
    booting: Mapping[str, tuple[BootPod, ...]] = {}
    """What each node brings up when it boots alone; only nodes that have any of it."""
    unplaced: tuple[Unplaced, ...] = ()
    orphans: tuple[str, ...] = ()
    """Containers with our label that no intent and no manifest explains; listed, never touched."""
    hold: Hold | None = None
    due: Mapping[Ref, float] = {}
    """Monotonic seconds: when to plan again for these (the owners of pods, mostly) if nothing is heard before."""
    unsettled: frozenset[Ref] = frozenset()
    """The owners of pods for which something is left to do or to wait for."""
    delta: PlanDelta | None = None
    """What differs from the plan that the same planner made before; None: anything may."""

    @property
    def wake_at(self) -> float | None:
        """Monotonic seconds: when to plan again if nothing is heard before; None: nothing is waited for."""
        return min(self.due.values(), default=None)

    @property
    def converged(self) -> bool:
        """Everything wanted runs, and nothing is left to do or to wait for."""
        return self.hold is None and not self.unsettled
