"""What is taken away from hosts because it belongs to nobody: second copies, orphans, directories, claims' data.

Only from nodes that answer, and never because something is not known: a wrong guess here loses data.
"""

from collections.abc import Collection

from reconciler.model.names import Ref, Uid
from reconciler.model.operations import PodWork, RemoveFiles, RemoveVolume
from reconciler.planning.decided import Decided
from reconciler.planning.kubelet.sync import PodSync, removal_of
from reconciler.planning.progress import Progress
from reconciler.planning.state.pods import PodView
from reconciler.planning.state.volume_binding import claims_of, released
from reconciler.planning.world import World


def collect_garbage(world: World, decided: Decided, progress: Progress, synced: PodSync) -> PodSync:
    """Find what nodes are asked to remove. A second copy of a pod waits until the pod's own work is done."""
    found = (
        _second_copies(world, decided, progress, {work.uid for work in synced.work}),
        _orphans(world, decided, progress),
        _forgotten_files(world, decided, progress),
        _released_volumes(world, decided, progress),
    )
    return PodSync(
        tuple(work for one in found for work in one.work),
        tuple(change for one in found for change in one.changes),
        tuple(moment for one in found for moment in one.due),
    )


def _second_copies(world: World, decided: Decided, progress: Progress, worked_on: Collection[Uid]) -> PodSync:
    """Second copies of a pod that runs where it should."""
    stale = [
        stray
        for stray in world.adopted.duplicates
        if stray.container.uid not in worked_on and _runs(decided.pods.get(stray.container.uid))
    ]
    return removal_of(stale, world, progress, "a second copy: the pod was given to another node")


def _orphans(world: World, decided: Decided, progress: Progress) -> PodSync:
    """What nobody explains, where someone asked for its removal."""
    if not world.rules.options.prune_orphans or not world.adopted.orphans:
        return PodSync()
    named = [
        stray for stray in world.adopted.orphans if stray.container.uid and stray.container.uid not in decided.pods
    ]
    return removal_of(named, world, progress, "an orphan: no manifest and no record explains it")


def _forgotten_files(world: World, decided: Decided, progress: Progress) -> PodSync:
    """Directories of pods that neither an intent nor any container on their node knows."""
    work: list[PodWork] = []
    due: list[tuple[Ref, float]] = []
    for node in world.nodes.values():
        if node.answers is None or not node.answers.directories:
            continue
        present = {container.uid for container in node.answers.containers}
        for uid in sorted(node.answers.directories - node.answers.busy - present):
            if uid in decided.pods or uid in world.adopted.pods:
                continue
            held = progress.backoffs.get(uid)
            nobody = Ref("Pod", "", uid)
            if held is not None and progress.now < held.not_before:
                due.append((nobody, held.not_before))
            else:
                work.append(PodWork(node.name, nobody, uid, (RemoveFiles(uid),)))
    return PodSync(tuple(work), (), tuple(due))


def _released_volumes(world: World, decided: Decided, progress: Progress) -> PodSync:
    """The data of claims that are gone, where it is to go with them, and that no pod uses any more."""
    gone = released(world.desired, decided.claims)
    if not gone:
        return PodSync()
    used = {ref for intent in decided.intents.values() for ref in claims_of(intent.namespace, intent.spec)}
    work: list[PodWork] = []
    due: list[tuple[Ref, float]] = []
    for ref in sorted(gone.keys() - used):
        record = gone[ref]
        node = world.nodes.get(record.node)
        if node is None or node.answers is None or record.volume in node.answers.busy:
            continue
        held = progress.backoffs.get(record.volume)
        if held is not None and progress.now < held.not_before:
            due.append((ref, held.not_before))
        else:
            work.append(PodWork(record.node, ref, record.volume, (RemoveVolume(record.volume),)))
    return PodSync(tuple(work), (), tuple(due))


def _runs(pod: PodView | None) -> bool:
    return pod is not None and pod.running and pod.node.answers is not None
