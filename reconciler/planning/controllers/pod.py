"""Bare pods: one of the name, of the right spec, on one node; and pods that cannot have their host port."""

from collections.abc import Mapping, Sequence

from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import ref_of
from reconciler.model.memory import Backoff, Memory
from reconciler.model.names import Uid
from reconciler.model.plan import Action
from reconciler.planning.decisions import UNCHANGED, Decision, Leaving, Wanted
from reconciler.planning.host_ports import host_ports
from reconciler.planning.state.pods import PodView, eviction


def decide(pod: Pod, spec_hash: str, existing: Sequence[PodView]) -> Decision:
    """Never a second one while anything of the first may still run, wherever that is: no move, no surge."""
    if not existing:
        reason = "in the manifests, and not on any node"
        return Decision(
            wanted=(Wanted(ref_of(pod), spec_hash, pod.spec, pod.metadata.labels, Action.CREATE, reason),)
        )
    staying = [view for view in existing if view.intent.wanted == "run"]
    right = [view for view in staying if view.intent.hash == spec_hash and not eviction(view)]
    keep = min(right, key=lambda view: (not view.ready, not view.running, view.uid), default=None)
    leaving = tuple(_end(view, keep, spec_hash) for view in staying if view is not keep)
    return Decision(leaving=leaving) if leaving else UNCHANGED


def _end(view: PodView, keep: PodView | None, spec_hash: str) -> Leaving:
    if view.intent.hash != spec_hash:
        return Leaving(view.uid, Action.DELETE, f"its spec changed ({view.intent.hash} to {spec_hash})")
    if why := eviction(view):
        return Leaving(view.uid, Action.DELETE, why)
    where = keep.node.name if keep else ""
    return Leaving(view.uid, Action.DELETE, f"a second one of the same name: the one on {where} stays")


def port_conflicts(pods: Mapping[Uid, PodView], memory: Memory) -> tuple[Leaving, ...]:
    """Pods that never started because another container has their host port: another node is to have them."""
    leaving = []
    whole = {uid for uid, held in memory.backoffs.items() if _conflicts(held)}
    single = {uid for uid, failures in memory.failures.items() if any(map(_conflicts, failures.values()))}
    for uid in sorted(whole | single):
        pod = pods.get(uid)
        if pod is None or pod.node.answers is None:
            continue
        never_ran = all(container.state == "created" for container in pod.containers.values())
        holders = {port: pod.node.answers.used_ports.get(port) for port in host_ports(pod.intent.spec)}
        taken = [f"{port} by {holder}" for port, holder in holders.items() if holder]
        if pod.intent.wanted == "run" and never_ran and taken:
            reason = f"host port taken on {pod.node.name}: {', '.join(taken)}"
            leaving.append(Leaving(uid, Action.DELETE, reason))
    return tuple(leaving)


def _conflicts(held: Backoff) -> bool:
    return held.reason == "PortConflict"
