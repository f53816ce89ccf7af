"""Pods that no manifest asks for any more, and what comes in their place: prune last.

A Deployment that gets another name is one that goes and one that comes. Where a Service selects the pods of both,
those that go stay until the Service can do without them: until as many pods behind it are available as rollouts of
those that come allow at the least. Where nothing comes, they go at once. Where those that come can have no place
because of them, they make room, one by one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.service import Service
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Action
from reconciler.planning.controllers.availability import Availability
from reconciler.planning.decisions import PodToDelete
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.volume_binding import claims_of
from reconciler.planning.world import World

_SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})


class Succession(Struct, frozen=True):
    leaving: tuple[PodToDelete, ...] = ()
    staying: Mapping[Uid, tuple[Ref, ...]] = {}
    """The pods that stay for now, with what comes in their place."""
    wake_at: float | None = None


NOBODY_GOES = Succession()


def succession(world: World) -> Succession:
    """Decide about the pods whose Deployment, or whose own manifest, this revision does not have."""
    desired, pods = world.desired, world.pods
    gone = [pod for pod in pods.values() if pod.intent.wanted == "run" and not has_owner(pod.intent, desired)]
    if not gone:
        return NOBODY_GOES
    come = _come(desired, world.memory)
    behind = [
        _Behind(service, world, workloads)
        for service in desired.of(Service).values()
        if (workloads := _workloads(service, desired)) and any(_selects(service, pod.intent) for pod in gone)
    ]
    successors = {
        pod.uid: tuple(
            sorted(
                ref
                for ref in {ref for one in behind if one.has(pod.intent) for ref in one.workloads}
                if ref in come or ref in pod.intent.succeeded_by
                if not _share_a_claim(pod.intent, ref, desired)
            )
        )
        for pod in gone
    }
    return _SuccessionStep(world, gone, behind, successors).taken()


def makes_room(
    world: World,
    staying: Mapping[Uid, tuple[Ref, ...]],
    stuck: Ref,
    fits_without: Callable[[frozenset[Uid]], bool],
) -> PodToDelete | None:
    """One of those that stay, where `stuck` comes in its place and can have none because of it.

    `fits_without`: could a pod of it be placed if these were gone?"""
    pods = world.pods
    others = [uid for uid, refs in staying.items() if stuck in refs]
    if not others or not fits_without(frozenset(others)):
        return None
    order = sorted(others, key=lambda uid: (pods[uid].ready, pods[uid].intent.name))
    uid = next((uid for uid in order if fits_without(frozenset((uid,)))), order[0])
    reason = f"{_not_there(pods[uid], world.desired)}, and {stuck} has no room beside it"
    return PodToDelete(uid, Action.DELETE, reason)


def stays_until(succeeded_by: Iterable[Ref]) -> str:
    return f"stays until {' and '.join(map(str, succeeded_by))} can do without it"


class _Behind:
    """A Service that selects pods that go, and the workloads of the revision behind it."""

    def __init__(self, service: Service, world: World, workloads: frozenset[Ref]) -> None:
        self._service = service
        self._world = world
        self.workloads = workloads

    def has(self, intent: PodIntent) -> bool:
        return _selects(self._service, intent)

    def floor(self, coming: Iterable[Ref]) -> int:
        """How many pods of these are available at the least, in a rollout."""
        return sum(self._least(ref) for ref in coming if ref in self.workloads)

    def _least(self, ref: Ref) -> int:
        thing = self._world.desired.get(ref)
        return self._world.rules.workloads[ref.kind].least_available(thing) if thing is not None else 1


class _SuccessionStep:
    """Those that go, at one moment."""

    def __init__(
        self,
        world: World,
        gone: Sequence[PodView],
        behind: Sequence[_Behind],
        successors: Mapping[Uid, tuple[Ref, ...]],
    ) -> None:
        self._world = world
        self._desired = world.desired
        self._pods = world.pods
        self._gone = gone
        self._behind = behind
        self._successors = successors
        self._coming = frozenset(ref for refs in successors.values() for ref in refs)
        self._wake_at: list[float] = []
        self._available = self._count()

    def taken(self) -> Succession:
        leaving: list[PodToDelete] = []
        staying: dict[Uid, tuple[Ref, ...]] = {}
        for pod in sorted(self._gone, key=lambda pod: (pod.uid in self._available, pod.intent.name)):
            refs = self._successors[pod.uid]
            if not refs:
                leaving.append(PodToDelete(pod.uid, Action.DELETE, _not_there(pod, self._desired)))
                self._available.discard(pod.uid)
            elif self._can_go(pod):
                reason = f"{_not_there(pod, self._desired)}, and {' and '.join(map(str, refs))} is in its place"
                leaving.append(PodToDelete(pod.uid, Action.DELETE, reason))
                self._available.discard(pod.uid)
            else:
                staying[pod.uid] = refs
        return Succession(tuple(leaving), staying, min(self._wake_at, default=None) if staying else None)

    def _can_go(self, pod: PodView) -> bool:
        return all(
            self._left_without(pod, one) >= one.floor(self._successors[pod.uid])
            for one in self._behind
            if one.has(pod.intent)
        )

    def _left_without(self, pod: PodView, behind: _Behind) -> int:
        """Of those that go, and of those that come in their place."""
        goes = {one.uid for one in self._gone}
        counted = (
            self._pods[uid]
            for uid in self._available
            if uid != pod.uid and (uid in goes or self._pods[uid].owner in self._coming)
        )
        return sum(behind.has(one.intent) for one in counted)

    def _count(self) -> set[Uid]:
        goes = {pod.uid for pod in self._gone}
        judges: dict[Ref, Availability] = {}
        found = set()
        for uid, pod in self._pods.items():
            if pod.intent.wanted != "run" or not pod.ready:
                continue
            if uid in goes:
                found.add(uid)
            elif pod.owner in self._coming:
                if pod.owner not in judges:
                    judges[pod.owner] = self._judge(pod.owner)
                if judges[pod.owner].of(pod):
                    found.add(uid)
        self._wake_at = [judge.wake_at for judge in judges.values() if judge.wake_at is not None]
        return found

    def _judge(self, ref: Ref) -> Availability:
        thing = self._desired.get(ref)
        workload = self._world.rules.workloads[ref.kind]
        seconds = workload.min_ready_seconds(thing) if thing is not None else 0
        return Availability(seconds, True, self._world.ready_since, self._world.now)


def has_owner(intent: PodIntent, desired: Desired) -> bool:
    """Whether the revision has the object that the pod exists for."""
    return intent.workload in desired.templates


def _not_there(pod: PodView, desired: Desired) -> str:
    return f"{pod.owner} is not in revision {desired.revision}"


def _come(desired: Desired, memory: Memory) -> frozenset[Ref]:
    """The workloads that the revision planned last did not have; none while the same one is planned again."""
    if memory.revision == desired.revision.id:
        return frozenset()
    return frozenset(ref for ref in desired.templates if ref not in memory.applied)


def _workloads(service: Service, desired: Desired) -> frozenset[Ref]:
    namespace, selector = service.metadata.namespace, service.spec.selector
    if not selector:
        return frozenset()
    return frozenset(
        ref
        for ref, template in desired.templates.items()
        if ref.namespace == namespace and selector.items() <= template.labels.items()
    )


def _selects(service: Service, intent: PodIntent) -> bool:
    selector = service.spec.selector
    return (
        bool(selector)
        and intent.namespace == service.metadata.namespace
        and selector.items() <= intent.labels.items()
    )


def _share_a_claim(intent: PodIntent, ref: Ref, desired: Desired) -> bool:
    """Two that write to the same data, and know nothing of each other, do not run beside each other."""
    template = desired.templates.get(ref)
    if intent.spec is None or template is None:
        return False
    shared = {*claims_of(intent.namespace, intent.spec)} & {*claims_of(ref.namespace, template.spec)}
    return any(claim not in desired.of(PersistentVolumeClaim) or _is_for_one(claim, desired) for claim in shared)


def _is_for_one(claim: Ref, desired: Desired) -> bool:
    return _SHARED.isdisjoint(desired.of(PersistentVolumeClaim)[claim].spec.access_modes)
