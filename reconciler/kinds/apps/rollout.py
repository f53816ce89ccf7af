"""Deployments: how many pods of which template, and in what order old ones give way to new ones.

Promise: available >= replicas - maxUnavailable and total <= replicas + maxSurge after every step chosen here; a
breach that something else caused is never made worse. As upstream, a pod that leaves no longer counts.
Rules: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from reconciler.kinds.apps.amounts import share
from reconciler.kinds.apps.proportions import growth
from reconciler.model.api.apps import Deployment, RollingUpdateDeployment
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.names import Uid
from reconciler.model.plan import Action
from reconciler.planning.decisions import UNCHANGED, Decision, PodToCreate, PodToDelete
from reconciler.planning.state.pods import PodView, eviction
from reconciler.planning.workload import Owned, availability_of


class Fenceposts(Struct, frozen=True):
    """How far a rollout may go above and below the wanted replicas."""

    surge: int
    unavailable: int


def fenceposts_of(deployment: Deployment) -> Fenceposts:
    """A surge is rounded up, unavailability down; where both are zero, one pod may be missing, as upstream."""
    spec = deployment.spec
    if spec.strategy.type == "Recreate":
        return Fenceposts(0, spec.replicas)
    rules = spec.strategy.rolling_update or RollingUpdateDeployment()
    surge = share(rules.max_surge, spec.replicas, up=True)
    unavailable = share(rules.max_unavailable, spec.replicas, up=False)
    return Fenceposts(surge, unavailable or (0 if surge else 1))


def reconcile(owned: Owned[Deployment]) -> Decision:
    """Take one step of a Deployment.

    A pod that its node evicts gives way like one of an old template: a drain is a rollout of the node's pods.
    """
    deployment, staying = owned.object, owned.staying
    new = [pod for pod in staying if _is_current(pod, owned)]
    if len(owned.pods) == len(new) == deployment.spec.replicas and not any(pod.node.lost for pod in new):
        return UNCHANGED
    rollout = _Rollout(owned, staying, new)
    if deployment.spec.strategy.type == "Recreate":
        gone = all(pod.node.lost or _is_current(pod, owned) for pod in owned.pods)
        wanted, leaving = rollout.recreate(old_gone=gone)
    else:
        limits = fenceposts_of(deployment)
        grown = rollout.grow(limits)
        wanted, leaving = (grown, []) if grown else rollout.roll(limits)
    moved = rollout.move({leaver.uid for leaver in leaving})
    return Decision((*moved, *wanted), tuple(leaving))


def _is_current(pod: PodView, owned: Owned[Deployment]) -> bool:
    """It may stay. While the Deployment is paused, each pod keeps the template it has."""
    return (owned.object.spec.paused or pod.intent.hash == owned.template.hash) and not eviction(pod)


def least_available(deployment: Deployment) -> int:
    """Return how many pods a rollout keeps available, at the least."""
    return max(0, deployment.spec.replicas - fenceposts_of(deployment).unavailable)


class _Rollout:
    """One Deployment at one moment: the arithmetic of its next step."""

    def __init__(self, owned: Owned[Deployment], staying: Sequence[PodView], new: Sequence[PodView]) -> None:
        self._owned = owned
        self._deployment = owned.object
        self._hash = owned.template.hash
        self._replicas = owned.object.spec.replicas
        self._staying = staying
        self._new = new
        stay = {pod.uid for pod in new}
        self._old = [pod for pod in staying if pod.uid not in stay]
        is_available = availability_of(owned, owned.object.spec.min_ready_seconds).of
        self._available = {pod.uid for pod in staying if is_available(pod)}

    def grow(self, limits: Fenceposts) -> list[PodToCreate]:
        """More pods of the templates of a rollout that is under way; old ones only of a template that serves.

        A rollout never goes below its floor by itself: where there is room and fewer than that are available, more
        pods are asked for than before. Nothing where it only begins: the missing pods are all new ones then.
        """
        floor, ceiling = self._replicas - limits.unavailable, self._replicas + limits.surge
        full = len(self._staying) >= ceiling or len(self._new) >= self._replicas
        if not self._old or full or len(self._available) >= floor:
            return []
        outdated: dict[str, list[PodView]] = {}
        for pod in sorted(self._old, key=_name):
            if pod.intent.hash != self._hash and pod.intent.spec is not None and not eviction(pod):
                outdated.setdefault(pod.intent.hash, []).append(pod)
        serving = {pod_hash: pods for pod_hash, pods in outdated.items() if self._count(pods)}
        if not serving or (not self._new and len(outdated) == 1):
            return []
        sizes = {pod_hash: len(pods) for pod_hash, pods in serving.items()} | {self._hash: len(self._new)}
        others = len(self._staying) - sum(sizes.values())
        added = growth(sizes, ceiling - others)
        wanted = self._create(min(added.get(self._hash, 0), self._replicas - len(self._new)))
        reason = f"scaled up to {self._replicas} during a rollout: each template in proportion"
        for pod_hash, pods in serving.items():
            spec, labels = pods[0].intent.spec, dict(pods[0].intent.labels)
            assert spec is not None
            one = PodToCreate(self._owned.ref, pod_hash, spec, labels, Action.CREATE, reason)
            wanted += [one] * added.get(pod_hash, 0)
        return wanted

    def roll(self, limits: Fenceposts) -> tuple[list[PodToCreate], list[PodToDelete]]:
        """Old pods down to the floor, those that serve nobody first; in the same step, new ones up to the ceiling.

        What is above the ceiling after that, as when fewer are wanted while a rollout is stuck, goes too: it is
        of the pods that serve nobody, the old ones first.

        Waiting for another look before what takes a leaver's place is created would cost each pod of a rollout
        one reload of the proxies.
        """
        total, replicas = len(self._staying), self._replicas
        surplus = self._first_to_go(self._new, len(self._new) - replicas)
        floor = replicas - limits.unavailable
        going = {pod.uid for pod in surplus}
        staying_new = [pod for pod in self._new if pod.uid not in going]
        new_available = self._count(staying_new)
        old_available = self._count(self._old)
        may_go = total - len(surplus) - floor - (len(staying_new) - new_available)
        unhealthy = [pod for pod in self._old if pod.uid not in self._available]
        cleaned = self._first_to_go(unhealthy, min(len(unhealthy), may_go))
        spare = min(old_available, new_available + old_available - floor)
        retired = self._first_to_go([pod for pod in self._old if pod.uid in self._available], spare)
        ceiling = replicas + limits.surge
        going |= {pod.uid for pod in (*cleaned, *retired)}
        above = self._above(ceiling, [pod for pod in self._staying if pod.uid not in going])
        leaving = [*self._scaled_down([*surplus, *above]), *self._replaced([*cleaned, *retired])]
        gone = {pod.uid for pod in above}
        stay = sum(pod.uid not in gone for pod in staying_new)
        return self._create(min(replicas - stay, ceiling - (total - len(leaving)))), leaving

    def _above(self, ceiling: int, pods: Sequence[PodView]) -> list[PodView]:
        """What is to go of these so that no more than `ceiling` stay; never one that is available."""
        unavailable = [pod for pod in pods if pod.uid not in self._available]
        stay = {pod.uid for pod in self._new}
        old = [pod for pod in unavailable if pod.uid not in stay]
        new = [pod for pod in unavailable if pod.uid in stay]
        order = [*self._first_to_go(old, len(old)), *self._first_to_go(new, len(new))]
        return order[: max(0, len(pods) - ceiling)]

    def recreate(self, *, old_gone: bool) -> tuple[list[PodToCreate], list[PodToDelete]]:
        """No new pod before the last old one is gone."""
        surplus = self._first_to_go(self._new, len(self._new) - self._replicas)
        leaving = [*self._scaled_down(surplus), *self._replaced(self._old)]
        missing = self._replicas - len(self._new) if old_gone else 0
        return self._create(missing), leaving

    def move(self, leaving: set[Uid]) -> list[PodToCreate]:
        """A replacement elsewhere, of the same template, for each pod on a lost node that is still needed."""
        moved = []
        for pod in sorted(self._staying, key=_name):
            if not pod.node.lost or pod.uid in leaving:
                continue
            why = f": {pod.node.silent.why}" if pod.node.silent else ""
            known = pod.intent.spec is not None
            template = self._owned.template
            moved.append(
                PodToCreate(
                    owner=pod.owner,
                    hash=pod.intent.hash if known else self._hash,
                    spec=pod.intent.spec or template.spec,
                    labels=dict(pod.intent.labels if known else template.labels),
                    action=Action.MOVE,
                    reason=f"node {pod.node.name} is lost{why}",
                    moved=pod.uid,
                    from_node=pod.node.name,
                )
            )
        return moved

    def _count(self, pods: Sequence[PodView]) -> int:
        return sum(pod.uid in self._available for pod in pods)

    def _create(self, count: int) -> list[PodToCreate]:
        if count <= 0:
            return []
        template = self._prevailing() if self._deployment.spec.paused else None
        pod_hash, spec, labels = template or self._own_template()
        return [PodToCreate(self._owned.ref, pod_hash, spec, labels, Action.CREATE, self._why_another())] * count

    def _why_another(self) -> str:
        if any(pod.intent.hash != self._hash for pod in self._old):
            return "rolling update"
        drained = sorted({pod.node.name for pod in self._old})
        if drained:
            return f"in place of a pod on {', '.join(drained)}, which evicts it"
        paused = ", scaled up while paused" if self._deployment.spec.paused else ""
        return f"{len(self._staying)} of {self._replicas} replicas exist{paused}"

    def _own_template(self) -> tuple[str, PodSpec, dict[str, str]]:
        template = self._owned.template
        return self._hash, template.spec, dict(template.labels)

    def _scaled_down(self, pods: Sequence[PodView]) -> list[PodToDelete]:
        reason = f"scaled down from {len(self._staying)} to {self._replicas}"
        return [PodToDelete(pod.uid, Action.DELETE, reason) for pod in pods]

    def _replaced(self, pods: Sequence[PodView]) -> list[PodToDelete]:
        return [PodToDelete(pod.uid, Action.DELETE, eviction(pod) or self._outdated(pod)) for pod in pods]

    def _outdated(self, pod: PodView) -> str:
        return f"its template {pod.intent.hash} gives way to {self._hash}"

    def _prevailing(self) -> tuple[str, PodSpec, dict[str, str]] | None:
        """The template of most of the pods that stay, where it is still known."""
        counts = Counter(pod.intent.hash for pod in self._staying if pod.intent.spec is not None)
        if not counts:
            return None
        pod_hash = min(counts, key=lambda candidate: (-counts[candidate], candidate))
        intent = next(pod.intent for pod in self._staying if pod.intent.hash == pod_hash and pod.intent.spec)
        assert intent.spec is not None
        return pod_hash, intent.spec, dict(intent.labels)

    def _first_to_go(self, pods: Sequence[PodView], count: int) -> list[PodView]:
        """Those worth least; then those on the node with the most; then the newest; the name breaks ties."""
        if count <= 0:
            return []
        rank: dict[Uid, int] = {}
        on_node: Counter[str] = Counter()
        for pod in sorted(pods, key=lambda pod: (_negated(self._worth(pod)), pod.began, pod.intent.name)):
            rank[pod.uid] = on_node[pod.node.name]
            on_node[pod.node.name] += 1
        newest_first = sorted(sorted(pods, key=_name), key=lambda pod: pod.began, reverse=True)
        order = sorted(newest_first, key=lambda pod: (self._worth(pod), -rank[pod.uid]))
        return order[:count]

    def _worth(self, pod: PodView) -> tuple[bool, bool, bool]:
        return pod.uid in self._available, pod.ready, pod.running and pod.node.answers is not None


def _negated(worth: tuple[bool, ...]) -> tuple[bool, ...]:
    return tuple(not one for one in worth)


def _name(pod: PodView) -> str:
    return pod.intent.name
