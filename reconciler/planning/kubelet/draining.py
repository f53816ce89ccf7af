"""How a pod leaves: out of rotation on every proxy first, then stopped and removed, then forgotten."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from reconciler.model.memory import Draining, Memory
from reconciler.model.names import Uid
from reconciler.planning.state.nodes import NodeView, routed_sets
from reconciler.planning.state.pods import PodView

LET_GO_SECONDS = 10.0
"""So long a proxy that cannot let go of a pod delays its end."""
FINISH_SECONDS = 1.0
"""So long do connections that were made before, from when the last proxy has let go: enough for short ones, and
for those the pod has yet to accept. Longer ones have the grace period."""


class Rotation(Struct, frozen=True):
    """The pod addresses that the proxies of all answering nodes know, gathered once for a plan."""

    routed: Sequence[frozenset[str]] = ()
    """Sent new connections by some proxy: the different sets there are."""
    connected: Sequence[frozenset[str]] = ()
    """Sent none, and still connected to some proxy."""

    def has(self, ip: str) -> bool:
        """Whether some proxy sends this pod new connections."""
        return any(ip in addresses for addresses in self.routed)

    def is_connected(self, ip: str) -> bool:
        """Whether some proxy has connections to this pod, and gives it no new ones."""
        return any(ip in addresses for addresses in self.connected)


def rotation_of(nodes: Iterable[NodeView]) -> Rotation:
    nodes = tuple(nodes)
    connected = [node.answers.proxy.connected for node in nodes if node.answers and node.answers.proxy.connected]
    return Rotation(routed_sets(nodes), connected)


def leaving(pods: Mapping[Uid, PodView], rotation: Rotation, memory: Memory, now: float) -> Mapping[Uid, Draining]:
    """How far each leaving pod has come; the mapping remembered where nothing changes."""
    before = memory.leaving
    leavers = [pod for pod in pods.values() if pod.intent.wanted == "leave"]
    if not leavers and not before:
        return before
    after = {pod.uid: _leaving(pod, before.get(pod.uid), rotation, now) for pod in leavers}
    return before if after == before else after


def _leaving(pod: PodView, before: Draining | None, rotation: Rotation, now: float) -> Draining:
    """Return how far a pod has come; what is remembered of it, itself, where it has come no further."""
    if rotation.has(pod.intent.ip):
        return (
            before if before is not None and before.let_go is None else Draining(before.since if before else now)
        )
    if before is not None and before.let_go is not None:
        return before
    return Draining(before.since if before is not None else now, now)


def is_gone(pod: PodView) -> bool:
    """Confirmed by its own node: nothing of it is left, no files either, and nothing is under way."""
    answers, uid = pod.node.answers, pod.uid
    if answers is None or pod.containers:
        return False
    return uid not in answers.busy and uid not in answers.directories


def held_until(pod: PodView, rotation: Rotation, leaving: Draining, now: float) -> float | None:
    """Until when it must not be stopped, since a proxy still sends it connections, or has some that are short;
    None: it may go now."""
    ip = pod.intent.ip
    if ip and rotation.has(ip):
        until = leaving.since + LET_GO_SECONDS
    elif ip and rotation.is_connected(ip):
        until = (now if leaving.let_go is None else leaving.let_go) + FINISH_SECONDS
    else:
        return None
    return until if now < until else None
