"""Pods that never started because another container has their host port: another node is to have them."""

from collections.abc import Mapping

from reconciler.model.memory import Backoff, Memory
from reconciler.model.names import Uid
from reconciler.model.plan import Action
from reconciler.planning.decisions import PodToDelete
from reconciler.planning.host_ports import host_ports
from reconciler.planning.state.pods import PodView


def port_conflicts(pods: Mapping[Uid, PodView], memory: Memory) -> tuple[PodToDelete, ...]:
    """Decide which pods are to leave their node, since what has their host port is still there."""
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
            leaving.append(PodToDelete(uid, Action.DELETE, reason))
    return tuple(leaving)


def _conflicts(held: Backoff) -> bool:
    return held.reason == "PortConflict"
