"""How a pod leaves: out of rotation on every proxy first, then stopped and removed, then forgotten."""

from collections.abc import Iterable, Mapping, Sequence

from reconciler.model.memory import Leaving, Memory
from reconciler.model.names import Uid
from reconciler.model.observed import ProxyState
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pods import PodView

LET_GO_SECONDS = 10.0
"""So long a proxy that cannot let go of a pod delays its end."""
FINISH_SECONDS = 1.0
"""So long do connections that were made before, from when the last proxy has let go: enough for short ones, and
for those the pod has yet to accept. Longer ones have the grace period."""


def leaving(
    pods: Mapping[Uid, PodView], nodes: Iterable[NodeView], memory: Memory, now: float
) -> Mapping[Uid, Leaving]:
    """How far each leaving pod has come; the mapping remembered where nothing changes."""
    before = memory.leaving
    leavers = [pod for pod in pods.values() if pod.intent.wanted == "leave"]
    if not leavers and not before:
        return before
    proxies = _proxies(nodes)
    after = {pod.uid: _leaving(pod, before.get(pod.uid), proxies, now) for pod in leavers}
    return before if after == before else after


def _leaving(pod: PodView, before: Leaving | None, proxies: Sequence[ProxyState], now: float) -> Leaving:
    since = before.since if before is not None else now
    if any(pod.intent.ip in proxy.routed for proxy in proxies):
        return Leaving(since)
    return Leaving(since, before.let_go if before is not None and before.let_go is not None else now)


def is_gone(pod: PodView) -> bool:
    """Confirmed by its own node: nothing of it is left, no files either, and nothing is under way."""
    answers, uid = pod.node.answers, pod.uid
    if answers is None or pod.containers:
        return False
    return uid not in answers.busy and uid not in answers.directories


def held_until(pod: PodView, nodes: Iterable[NodeView], leaving: Leaving, now: float) -> float | None:
    """Until when it must not be stopped, since a proxy still sends it connections, or has some that are short;
    None: it may go now."""
    ip = pod.intent.ip
    proxies = _proxies(nodes) if ip else []
    if any(ip in proxy.routed for proxy in proxies):
        until = leaving.since + LET_GO_SECONDS
    elif any(ip in proxy.connected for proxy in proxies):
        until = (now if leaving.let_go is None else leaving.let_go) + FINISH_SECONDS
    else:
        return None
    return until if now < until else None


def _proxies(nodes: Iterable[NodeView]) -> list[ProxyState]:
    return [node.answers.proxy for node in nodes if node.answers]
