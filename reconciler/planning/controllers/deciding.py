"""Asks every controller, and gathers what they decide."""

from collections.abc import Collection, Mapping

from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.pod import Pod
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.planning.controllers import deployment as deployments
from reconciler.planning.controllers import pod as bare_pods
from reconciler.planning.controllers.succession import succession
from reconciler.planning.decisions import Decision, Wanted
from reconciler.planning.state.pods import PodView, by_owner


def decide(
    desired: Desired,
    pods: Mapping[Uid, PodView],
    owned: Mapping[Ref, list[PodView]],
    done: Collection[Ref],
    memory: Memory,
    since: Mapping[Uid, float],
    now: float,
) -> Decision:
    """What is to come and to go, each pod at most once; in the order of the manifests' names.

    `owned` are the same pods by what they exist for, `done` bare pods that ended on a node that is gone.
    """
    gone = succession(desired, pods, memory, since, now)
    leavers = (*bare_pods.port_conflicts(pods, memory), *gone.leaving)
    leaving = {leaver.uid: leaver for leaver in leavers}
    ousted = {pods[uid].owner for uid in leaving}
    staying = by_owner(pod for uid, pod in pods.items() if uid not in leaving) if leaving else owned
    wanted: list[Wanted] = []
    for ref in sorted({*desired.of(Deployment), *desired.of(Pod)}):
        existing, template_hash = staying.get(ref, []), desired.template_hashes[ref]
        if ref in desired.of(Deployment):
            decision = deployments.decide(desired.of(Deployment)[ref], template_hash, existing, since, now)
        elif ref not in ousted and (existing or ref not in done):
            decision = bare_pods.decide(desired.of(Pod)[ref], template_hash, existing)
        else:
            continue
        wanted += decision.wanted
        leaving |= {leaver.uid: leaver for leaver in decision.leaving}
    kept = {uid: refs for uid, refs in gone.staying.items() if uid not in leaving} if gone.staying else {}
    return Decision(tuple(wanted), tuple(leaving.values()), kept, gone.wake_at)
