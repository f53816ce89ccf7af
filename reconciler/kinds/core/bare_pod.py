"""Bare pods: one of the name, of the right spec, on one node."""

from reconciler.model.api.core.pod import Pod
from reconciler.model.plan import Action
from reconciler.planning.decisions import UNCHANGED, Decision, PodToCreate, PodToDelete
from reconciler.planning.state.pods import PodView, eviction
from reconciler.planning.workload import Owned, Standing, Workload, WorkloadStatus


def reconcile(owned: Owned[Pod]) -> Decision:
    """Decide about one bare pod: never a second one while anything of the first may still run, wherever that is.

    So there is no move and no surge; and one that ran to its end does not begin again.
    """
    if owned.ousted or (not owned.pods and owned.done):
        return UNCHANGED
    template = owned.template
    if not owned.pods:
        reason = "in the manifests, and not on any node"
        wanted = PodToCreate(
            owner=owned.ref,
            hash=template.hash,
            spec=template.spec,
            labels=dict(template.labels),
            action=Action.CREATE,
            reason=reason,
            name=owned.ref.name,
        )
        return Decision(wanted=(wanted,))
    staying = owned.staying
    right = [view for view in staying if view.intent.hash == template.hash and not eviction(view)]
    keep = min(right, key=lambda view: (not view.ready, not view.running, view.uid), default=None)
    leaving = tuple(_end(view, keep, template.hash) for view in staying if view is not keep)
    return Decision(leaving=leaving) if leaving else UNCHANGED


def _end(view: PodView, keep: PodView | None, spec_hash: str) -> PodToDelete:
    if view.intent.hash != spec_hash:
        return PodToDelete(view.uid, Action.DELETE, f"its spec changed ({view.intent.hash} to {spec_hash})")
    if why := eviction(view):
        return PodToDelete(view.uid, Action.DELETE, why)
    where = keep.node.name if keep else ""
    return PodToDelete(view.uid, Action.DELETE, f"a second one of the same name: the one on {where} stays")


def _status(standing: Standing[Pod]) -> WorkloadStatus:
    owned = standing.owned
    return WorkloadStatus(None, owned.done or any(pod.ready or pod.finished for pod in owned.pods))


BARE_POD = Workload(type=Pod, reconcile=reconcile, least_available=lambda _: 1, status=_status)
