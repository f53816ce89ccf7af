"""How a pod leaves: out of rotation on every proxy first, then stopped and removed, then forgotten."""

from collections.abc import Iterable, Mapping

from reconciler.model.memory import Memory
from reconciler.model.names import Uid
from reconciler.planning.controllers.node import NodeView
from reconciler.planning.pods import PodView

LET_GO_SECONDS = 10.0
"""So long a proxy that cannot let go of a pod delays its end."""
FINISH_SECONDS = 1.0
"""So long do connections that were made before: enough for short ones, and for those the pod has yet to accept.
Longer ones have the grace period."""


def leaving_since(pods: Mapping[Uid, PodView], memory: Memory, now: float) -> Mapping[Uid, float]:
    """When each leaving pod began to; the mapping remembered where nothing changes."""
    before = memory.leaving_since
    leaving = [uid for uid, pod in pods.items() if pod.intent.wanted == "leave"]
    if len(leaving) == len(before) and all(uid in before for uid in leaving):
        return before
    return {uid: before.get(uid, now) for uid in leaving}


def is_gone(pod: PodView) -> bool:
    """Confirmed by its own node: nothing of it is left, no files either, and nothing is under way."""
    answers, uid = pod.node.answers, pod.uid
    if answers is None or pod.containers:
        return False
    return uid not in answers.busy and uid not in answers.directories


def held_until(pod: PodView, nodes: Iterable[NodeView], since: float, now: float) -> float | None:
    """Until when it must not be stopped, since a proxy still sends it connections, or has some that are short;
    None: it may go now."""
    ip = pod.intent.ip
    proxies = [node.answers.proxy for node in nodes if node.answers] if ip else []
    if any(ip in proxy.routed for proxy in proxies):
        until = since + LET_GO_SECONDS
    elif any(ip in proxy.connected for proxy in proxies):
        until = since + FINISH_SECONDS
    else:
        return None
    return until if now < until else None
