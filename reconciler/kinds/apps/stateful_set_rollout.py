"""StatefulSets: which pod comes, and which goes, and in what order.

Promise: there are never two pods of one name, wherever one may still run. As upstream: pods come in ascending
order and go in descending order, and with OrderedReady each step waits until the pods before are available; a
rollout begins with the highest ordinal, keeps to maxUnavailable, and stands still while a pod that it has made is
not available. Unlike upstream, such a rollout goes on by a commit alone: a pod of a template that is not wanted
any more gives way though it never became available.
Rules: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees
"""

from collections.abc import Sequence

from reconciler.kinds.apps.amounts import share
from reconciler.kinds.apps.stateful_set_pods import ordinal_of, ordinals, pod_name, template_of_pod
from reconciler.model.api.apps import RollingUpdateStatefulSetStrategy, StatefulSet
from reconciler.model.desired import Template
from reconciler.model.memory import TemplateRevision
from reconciler.model.names import Uid
from reconciler.model.plan import Action
from reconciler.planning.decisions import UNCHANGED, Decision, PodToCreate, PodToDelete
from reconciler.planning.state.pods import PodView, eviction
from reconciler.planning.workload import Owned, availability_of


def reconcile(owned: Owned[StatefulSet]) -> Decision:
    """Take one step of a StatefulSet."""
    if owned.ousted:
        return UNCHANGED  # Whose name it had is known once it is gone.
    return _Step(owned).taken()


def is_settled(wanted: StatefulSet, template: Template, pods: Sequence[PodView]) -> bool:
    """Tell whether all pods that a StatefulSet asks for are ready, and of this template."""
    staying = [pod for pod in pods if pod.intent.wanted == "run"]
    return len(staying) == wanted.spec.replicas and all(
        pod.ready and pod.intent.hash == template.hash for pod in staying
    )


def max_unavailable(wanted: StatefulSet) -> int:
    """Return how many pods may be missing while others are replaced: at least one."""
    return max(1, share(_rolling(wanted).max_unavailable, wanted.spec.replicas, up=True))


def least_available(wanted: StatefulSet) -> int:
    """Return how many pods a rollout keeps available, at the least."""
    return max(0, wanted.spec.replicas - max_unavailable(wanted))


def current_template(owned: Owned[StatefulSet]) -> Template:
    """Return the template that a StatefulSet had before its rollout began; the present one when there is none."""
    present, revisions = owned.template, sorted(owned.revisions, key=_number)
    if not revisions or (revisions[-1].hash == present.hash and revisions[-1].settled):
        return present
    others = [one for one in revisions if one.hash != present.hash and one.spec is not None]
    before = next((one for one in reversed(others) if one.settled), others[0] if others else None)
    if before is None or before.spec is None:
        return present
    return Template(before.hash, before.spec, before.labels, before.annotations)


def _number(revision: TemplateRevision) -> int:
    return revision.number


def _rolling(wanted: StatefulSet) -> RollingUpdateStatefulSetStrategy:
    return wanted.spec.update_strategy.rolling_update or RollingUpdateStatefulSetStrategy()


class _Step:
    """One StatefulSet at one moment."""

    def __init__(self, owned: Owned[StatefulSet]) -> None:
        self._owned = owned
        self._wanted = owned.object
        self._ordinals = ordinals(owned.object)
        self._ordered = owned.object.spec.pod_management_policy == "OrderedReady"
        self._is_available = availability_of(owned, owned.object.spec.min_ready_seconds).of
        self._pods: dict[int, PodView] = {}
        """The pod of each number that has one: the one that is to stay, or else one that leaves."""
        self._second_ones: list[PodView] = []
        self._condemned: list[PodView] = []
        """Pods of no number that is asked for, the one to go first first."""
        self._sort()
        self._down = [at for at, pod in sorted(self._pods.items()) if not self._serves(pod)]

    def taken(self) -> Decision:
        """Pods that come, and pods that go. With OrderedReady what waits for others waits for all of them."""
        leaving = [_leaving(pod, "a second one of the same name") for pod in self._second_ones]
        wanted = self._arrivals()
        settled = not wanted and not self._down
        if settled or not self._ordered:
            leaving += self._surplus()
        if not self._condemned or not self._ordered:
            leaving += self._replaced(len(wanted), retire=settled or not self._ordered)
        return Decision(tuple(wanted), tuple(leaving)) if wanted or leaving else UNCHANGED

    def _sort(self) -> None:
        """Whoever has a name has it until nothing of the pod is left; of several that stay the best counts."""
        order = sorted(self._owned.pods, key=_worth)
        condemned: list[tuple[int, PodView]] = []
        for pod in order:
            ordinal = ordinal_of(self._wanted, pod.intent.name)
            if ordinal is None or ordinal not in self._ordinals:
                condemned.append((-1 if ordinal is None else ordinal, pod))
            elif ordinal not in self._pods:
                self._pods[ordinal] = pod
            elif _stays(pod):
                self._second_ones.append(pod)
        self._condemned = [pod for _, pod in sorted(condemned, key=lambda one: (-one[0], one[1].uid))]

    def _serves(self, pod: PodView) -> bool:
        return _stays(pod) and self._is_available(pod)

    def _arrivals(self) -> list[PodToCreate]:
        if not self._ordered:
            return [self._create(ordinal) for ordinal in self._ordinals if ordinal not in self._pods]
        first_down = self._down[0] if self._down else None
        for ordinal in self._ordinals:
            if ordinal == first_down:
                return []
            if ordinal not in self._pods:
                return [self._create(ordinal)]
        return []

    def _surplus(self) -> list[PodToDelete]:
        reason = f"scaled down from {self._count()} to {len(self._ordinals)}"
        if not self._ordered:
            return [_leaving(pod, reason) for pod in self._condemned if _stays(pod)]
        if not self._condemned or not all(map(_stays, self._condemned)):
            return []
        return [_leaving(self._condemned[0], reason)]

    def _replaced(self, arriving: int, *, retire: bool) -> list[PodToDelete]:
        """Those that serve nobody first, then the highest ordinals.

        What comes in their place must prove itself before more go: those that are on their way, or cannot be seen,
        count against what may be missing. `retire`: pods that serve may go, too."""
        outdated = [at for at in sorted(self._pods, reverse=True) if self._is_outdated(at)]
        if not outdated:
            return []
        most, down = max_unavailable(self._wanted), frozenset(self._down)
        broken = [at for at in outdated if at in down and self._pods[at].node.answers is not None]
        on_the_way = len(down) - len(broken) + arriving
        going = broken[: max(0, most - on_the_way)]
        if retire:
            serving = [at for at in outdated if at not in down]
            going += serving[: max(0, most - len(down) - arriving)]
        return [_leaving(self._pods[at], self._why_replaced(self._pods[at])) for at in going]

    def _is_outdated(self, ordinal: int) -> bool:
        """Whether the pod gives way to another one: of the present template, or on another node."""
        pod = self._pods[ordinal]
        if not _stays(pod):
            return False
        if eviction(pod):
            return True
        if self._wanted.spec.update_strategy.type == "OnDelete" or self._keeps_its_template(ordinal):
            return False
        return pod.intent.hash != self._owned.template.hash

    def _keeps_its_template(self, ordinal: int) -> bool:
        return ordinal - self._ordinals.start < _rolling(self._wanted).partition

    def _create(self, ordinal: int) -> PodToCreate:
        template = current_template(self._owned) if self._keeps_its_template(ordinal) else self._owned.template
        name = pod_name(self._wanted, ordinal)
        made = template_of_pod(self._wanted, template, name)
        return PodToCreate(
            owner=self._owned.ref,
            hash=made.hash,
            spec=made.spec,
            labels=dict(made.labels),
            action=Action.CREATE,
            reason=self._why_another(),
            name=name,
        )

    def _count(self) -> int:
        return sum(map(_stays, (*self._pods.values(), *self._condemned)))

    def _why_another(self) -> str:
        if any(map(self._is_outdated, self._pods)):
            return "rolling update"
        return f"{sum(map(_stays, self._pods.values()))} of {len(self._ordinals)} replicas exist"

    def _why_replaced(self, pod: PodView) -> str:
        return eviction(pod) or f"its template {pod.intent.hash} gives way to {self._owned.template.hash}"


def _worth(pod: PodView) -> tuple[bool, bool, bool, Uid]:
    """The pod that is worth most comes first."""
    return not _stays(pod), not pod.ready, not pod.running, pod.uid


def _stays(pod: PodView) -> bool:
    return pod.intent.wanted == "run"


def _leaving(pod: PodView, reason: str) -> PodToDelete:
    return PodToDelete(pod.uid, Action.DELETE, reason)
