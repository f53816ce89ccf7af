"""A workload: a kind of objects that pods exist for. Planning defines this facet, and the kinds' rooms fill it.

All else that planning does with pods is the same for every workload: what is common is in `Template` and the pods
themselves; what differs is in the functions of a `Workload`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from reconciler.model.api.meta import OwnerReference
from reconciler.model.desired import Desired, Template
from reconciler.model.memory import TemplateRevision
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Status, Unschedulable
from reconciler.planning.controllers.availability import Availability
from reconciler.planning.decisions import Decision
from reconciler.planning.state.pod_templates import PodIdentity, PodTemplates
from reconciler.planning.state.pods import PodView, eviction

T = TypeVar("T")


class Owned(Struct, Generic[T], frozen=True):
    """One object with the pods that exist for it, at one moment: all that a decision about them depends on."""

    ref: Ref
    object: T
    template: Template
    pods: Sequence[PodView]
    """Its pods, also those that leave already; without those that something else has just decided to end."""
    ready_since: Mapping[Uid, float]
    """How long each pod has been ready without a break, as monotonic seconds of its beginning."""
    now: float
    """The moment, in monotonic seconds."""
    ousted: bool = False
    """Whether one of its pods has just been decided to end, for a reason that is not the object's."""
    done: bool = False
    """Whether a pod of it ran to its end on a node that the revision does not have any more."""
    revisions: Sequence[TemplateRevision] = ()
    """The templates that it has had, as they are remembered, where its kind keeps a history."""

    @property
    def staying(self) -> list[PodView]:
        """Its pods that have not been told to leave."""
        return [pod for pod in self.pods if pod.intent.wanted == "run"]


class Standing(Struct, Generic[T], frozen=True):
    """What the status of one object with pods follows from, after a step was decided."""

    owned: Owned[T]
    availability: Availability
    """Judges its pods; when a judgement will change is noted there."""
    unplaced: Sequence[Unschedulable]
    """Its pods that fit nowhere now."""
    pods: Mapping[Ref, Status]
    """Every pod of the cluster, with its status."""
    revisions: Sequence[TemplateRevision]
    """The templates that it has had, the present one last; empty for a kind without a history."""


class WorkloadStatus(Struct, frozen=True):
    """How one object with pods stands."""

    object: Status | None
    """The object with its status; None for one whose status is that of its pod."""
    complete: bool
    """Whether its pods are as the object asks."""
    dependents: Sequence[Status] = ()
    """Objects that it has made, and that its pods belong to."""


def _nobody(_: Ref, __: str) -> None:
    return None


class RevisionHistory(Struct, Generic[T], frozen=True):
    """How the templates that an object has had are remembered."""

    limit: Callable[[T], int]
    """How many templates without pods are kept beside the present one."""
    takes_up: Callable[[T], bool] = lambda _: True
    """Whether the object follows its present template now; if not, that counts as none yet."""
    is_settled: Callable[[T, Template, Sequence[PodView]], bool] | None = None
    """Whether the rollout of this template has come to its end, with these pods: until then the object needs what
    it has had before, also without a pod of it. None: it never does."""


class Workload(Struct, Generic[T], frozen=True):
    """How planning treats the objects of one kind that pods exist for."""

    type: type[T]
    reconcile: Callable[[Owned[T]], Decision]
    """Decides which pods are to come and which are to go, in one step."""
    least_available: Callable[[T], int]
    """How many pods of an object its rollouts keep available, at the least."""
    status: Callable[[Standing[T]], WorkloadStatus]
    """Tells how an object stands."""
    pod_owner: Callable[[Ref, str], OwnerReference | None] = _nobody
    """Names what the pods belong to that an object has of a template, from the object and the template's hash: the
    object, or one that it has made. None: they stand for themselves."""
    min_ready_seconds: Callable[[T], int] = lambda _: 0
    """How long a pod must have been ready before it counts as available."""
    identity: PodIdentity[T] | None = None
    """How its pods differ, where each is one of a kind; None for pods that are all alike."""
    history: RevisionHistory[T] | None = None
    """How its templates are remembered; None: an object has one at a time."""


Workloads: TypeAlias = Mapping[str, Workload[Any]]
"""The workload of each kind that has one, by the kind's name."""


def pod_templates(desired: Desired, workloads: Workloads) -> PodTemplates:
    """Return the templates of all pods of a revision."""
    identities = {kind: (one.type, one.identity) for kind, one in workloads.items() if one.identity is not None}
    return PodTemplates(desired, identities)


def owners(desired: Desired) -> Iterator[Ref]:
    """Yield every object of a revision that pods exist for, in the order of kinds, namespaces and names."""
    yield from sorted(desired.templates)


def pod_owners(revisions: Mapping[Ref, Sequence[TemplateRevision]], workloads: Workloads) -> frozenset[Ref]:
    """Return all that pods of these templates belong to: their objects, or what those have made."""
    found = {
        (owner.namespace, workloads[owner.kind].pod_owner(owner, one.hash))
        for owner, own in revisions.items()
        for one in own
        if owner.kind in workloads
    }
    return frozenset(Ref(each.kind, namespace, each.name) for namespace, each in found if each is not None)


def availability_of(owned: Owned[T], min_ready_seconds: int) -> Availability:
    """Return the judge of an object's pods: which of them count as available now."""
    rolling = any(pod.intent.hash != owned.template.hash or eviction(pod) for pod in owned.staying)
    return Availability(min_ready_seconds, rolling, owned.ready_since, owned.now)
