"""What follows from desired, observed and memory: what changes and why, what to do now, how everything stands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias, get_args

from msgspec import Struct

from reconciler.model.api.apps import ReplicaSet, Replicated
from reconciler.model.api.certificates import Certificate
from reconciler.model.api.core.endpoints import Endpoints
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import ManifestMetadata
from reconciler.model.api.networking import Ingress
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Ref, Uid
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
    """The node that a pod moves from."""
    place: Place | None = None
    """Where the manifest stands that it follows from; None if there is none any more."""
    chosen: str = ""
    """Why the pod is placed on this node, in words."""


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


class Unschedulable(Struct, frozen=True):
    """Pods of one owner and template that fit nowhere now, with the reason of each node."""

    owner: Ref
    count: int
    reasons: Mapping[str, str]
    """node -> why not."""
    pods: tuple[PendingPod, ...] = ()
    turned_away: Mapping[str, int] = {}
    """How many nodes each plugin of the scheduler turned away."""


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
    """Whether it is in rotation: connections may be sent to it. False while it starts, and once it leaves."""
    hostname: str = ""
    """Its own name below the service's, where its pod has a hostname and the service's name as subdomain."""


Status: TypeAlias = (
    Pod
    | Replicated
    | ReplicaSet
    | Node
    | Service
    | Endpoints
    | Ingress
    | Certificate
    | PersistentVolumeClaim
    | ManifestMetadata
)
"""An object that the reconciler keeps a status of, or makes itself; of any other its metadata."""
PUBLISHED: Final = frozenset[type[Any]](get_args(Status))
"""The types of such objects."""


class Hold(Struct, frozen=True):
    """A guard that stopped a revision: it waits for a person, and the last state stays in force."""

    reason: str
    fix: str


class PlanDelta(Struct, frozen=True):
    """Where a plan differs from the one before it."""

    statuses: frozenset[Ref]
    pods: frozenset[Uid]
    """The pods of which something else is remembered."""


class Plan(Struct, frozen=True):
    """One step towards the desired state. The same inputs give the same plan, names included."""

    changes: tuple[PodChange, ...]
    objects: tuple[ObjectChange, ...]
    work: tuple[PodWork, ...]
    """What to do now; at most one piece of work for each pod."""
    memory: Memory
    """What is to be stored before any of `work` begins; the same object as given if nothing changed."""
    statuses: Mapping[Ref, Status]
    """The objects with their statuses, as they stand after this step. What only a clock or the store can give
    (times, generations, uids of what is in manifests) is added where they are published."""
    endpoints: Mapping[Ref, tuple[Endpoint, ...]] = {}
    """The running pods that each Service selects, by name; a leaving one stays, not ready, to its end. For a
    Service without a selector, the endpoints of its EndpointSlices."""
    probed: Mapping[str, tuple[ProbedContainer, ...]] = {}
    """What each node's prober is to do; only nodes that have any of it."""
    booting: Mapping[str, tuple[BootPod, ...]] = {}
    """What each node brings up when it boots alone; only nodes that have any of it."""
    unplaced: tuple[Unschedulable, ...] = ()
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
    def changed_statuses(self) -> Mapping[Ref, Status]:
        """Every status that may differ from the plan before it."""
        if self.delta is None:
            return self.statuses
        return {ref: self.statuses[ref] for ref in sorted(self.delta.statuses) if ref in self.statuses}

    @property
    def changed_pods(self) -> Mapping[Uid, PodIntent]:
        """Every pod of which something else may be remembered than by the plan before it."""
        pods = self.memory.pods
        return pods if self.delta is None else {uid: pods[uid] for uid in sorted(self.delta.pods) if uid in pods}

    @property
    def wake_at(self) -> float | None:
        """Monotonic seconds: when to plan again if nothing is heard before; None: nothing is waited for."""
        return min(self.due.values(), default=None)

    @property
    def converged(self) -> bool:
        """Everything wanted runs, and nothing is left to do or to wait for."""
        return self.hold is None and not self.unsettled
