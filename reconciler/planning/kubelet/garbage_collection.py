"""What is taken away from hosts because it belongs to nobody: second copies, orphans, directories, claims' data.

Only from nodes that answer, and never because something is not known: a wrong guess here loses data.
"""

from collections.abc import Collection, Iterable, Mapping

from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.operations import PodWork, RemoveFiles, RemoveVolume
from reconciler.planning.kubelet.sync import Clocks, Works, removal_of
from reconciler.planning.options import Options
from reconciler.planning.state.adoption import Matched
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.volume_binding import claims_of


def tidy(
    matched: Matched,
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodView],
    clocks: Clocks,
    options: Options,
    worked_on: Collection[Uid],
) -> Works:
    """Second copies of a pod that runs where it should; and, where someone asked for it, what nobody explains.

    `worked_on` are the pods that have work now: a copy waits until that is done.
    """
    stale = [
        stray
        for stray in matched.duplicates
        if stray.container.uid not in worked_on and _runs(pods.get(stray.container.uid))
    ]
    removed = removal_of(stale, nodes, clocks, "a second copy: the pod was given to another node")
    if not options.prune_orphans or not matched.orphans:
        return removed
    named = [stray for stray in matched.orphans if stray.container.uid and stray.container.uid not in pods]
    pruned = removal_of(named, nodes, clocks, "an orphan: no manifest and no record explains it")
    return Works((*removed.work, *pruned.work), (*removed.changes, *pruned.changes), (*removed.due, *pruned.due))


def forgotten_files(
    matched: Matched, nodes: Mapping[str, NodeView], pods: Mapping[Uid, PodView], clocks: Clocks
) -> Works:
    """Directories of pods that neither an intent nor any container on their node knows."""
    work: list[PodWork] = []
    due: list[tuple[Ref, float]] = []
    for node in nodes.values():
        if node.answers is None or not node.answers.directories:
            continue
        present = {container.uid for container in node.answers.containers}
        for uid in sorted(node.answers.directories - node.answers.busy - present):
            if uid in pods or uid in matched.pods:
                continue
            held = clocks.backoffs.get(uid)
            nobody = Ref("Pod", "", uid)
            if held is not None and clocks.now < held.not_before:
                due.append((nobody, held.not_before))
            else:
                work.append(PodWork(node.name, nobody, uid, (RemoveFiles(uid),)))
    return Works(tuple(work), (), tuple(due))


def released_volumes(
    desired: Desired,
    claims: Mapping[Ref, ClaimRecord],
    nodes: Mapping[str, NodeView],
    pods: Iterable[PodIntent],
    clocks: Clocks,
) -> Works:
    """The data of claims that are gone, whose reclaim policy was Delete, and that no pod uses any more."""
    released = {
        ref: record
        for ref, record in claims.items()
        if record.delete and ref not in desired.of(PersistentVolumeClaim)
    }
    if not released:
        return Works()
    used = {ref for intent in pods for ref in claims_of(intent.namespace, intent.spec)}
    work: list[PodWork] = []
    due: list[tuple[Ref, float]] = []
    for ref in sorted(released.keys() - used):
        record = released[ref]
        node = nodes.get(record.node)
        if node is None or node.answers is None or record.volume in node.answers.busy:
            continue
        held = clocks.backoffs.get(record.volume)
        if held is not None and clocks.now < held.not_before:
            due.append((ref, held.not_before))
        else:
            work.append(PodWork(record.node, ref, record.volume, (RemoveVolume(record.volume),)))
    return Works(tuple(work), (), tuple(due))


def _runs(pod: PodView | None) -> bool:
    return pod is not None and pod.running and pod.node.answers is not None
