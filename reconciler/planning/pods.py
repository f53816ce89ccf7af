"""How each pod stands: its intent beside what its node says of its containers."""

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import Final, Literal

from msgspec import Struct

from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import SANDBOX, Ref, Uid
from reconciler.model.observed import ObservedContainer
from reconciler.planning.controllers.node import NodeView
from reconciler.planning.matching import NO_CONTAINERS, Containers

NO_CHECKS: Collection[str] = ()
_RESTARTS: Final = attrgetter("restart_count")


class PodView(Struct, frozen=True):
    intent: PodIntent
    node: NodeView
    containers: Containers
    """As last seen, where the node is silent."""
    running: bool
    """Every container it should have is running, its sandbox too, and all are in the sandbox's network."""
    ready: bool
    """Running, and each port that a service sends connections to has answered. Never of a silent node."""
    proven: bool
    """Ready, with at least one port that has answered."""
    serving: bool
    """Services may send it connections: it is ready, or its node fell silent just now; never once it leaves."""
    finished: Literal["", "Succeeded", "Failed"]
    """Ran to its end, and is not to be started again."""
    restarted: bool
    """A container of it has crashed before."""

    @property
    def uid(self) -> Uid:
        return self.intent.uid

    @property
    def owner(self) -> Ref:
        """The object it exists for: its Deployment, or itself."""
        return self.intent.owner or self.intent.ref


def view_pod(
    intent: PodIntent, node: NodeView, containers: Containers, checks: Collection[str], was_ready: bool
) -> PodView:
    """`was_ready`: before this look."""
    running = _running(intent, containers)
    last = node.last
    ready = running and last is not None and (not checks or _answered(checks, last.listening, was_ready))
    if node.answers:
        serving = ready
    else:
        # HAProxy checks the pod itself; that we cannot see it is no reason to take it out at once.
        serving = not node.lost and (ready or last is None)
    return PodView(
        intent=intent,
        node=node,
        containers=containers,
        running=running,
        ready=ready and node.answers is not None,
        proven=ready and bool(checks),
        serving=serving and intent.wanted == "run",
        finished="" if running or not containers else _finished(intent, containers),
        restarted=any(map(_RESTARTS, containers.values())),
    )


def view_pods(
    pods: Mapping[Uid, PodIntent],
    containers: Mapping[Uid, Containers],
    nodes: Mapping[str, NodeView],
    checks: Mapping[Uid, Collection[str]],
    memory: Memory,
) -> dict[Uid, PodView]:
    """Every pod on a node of the revision."""
    return {
        uid: view_pod(
            intent,
            nodes[intent.node],
            containers.get(uid, NO_CONTAINERS),
            checks.get(uid, NO_CHECKS),
            uid in memory.ready_since,
        )
        for uid, intent in pods.items()
        if intent.node in nodes
    }


def by_owner(pods: Iterable[PodView]) -> dict[Ref, list[PodView]]:
    groups: dict[Ref, list[PodView]] = {}
    for pod in pods:
        groups.setdefault(pod.owner, []).append(pod)
    return groups


def ready_since(pods: Mapping[Uid, PodView], memory: Memory, now: float) -> Mapping[Uid, float]:
    """Since when each pod has been ready without a break; a silent node breaks nothing."""
    before = memory.ready_since
    began = {uid: now for uid, pod in pods.items() if pod.ready and uid not in before}
    ended = [uid for uid in before if uid not in pods or not (pods[uid].ready or pods[uid].node.silent)]
    if not began and not ended:
        return before
    return {**{uid: since for uid, since in before.items() if uid not in ended}, **began}


def _answered(checks: Collection[str], listening: frozenset[str], was_ready: bool) -> bool:
    """All have; or the pod was ready, and some that are asked for only since now are still to answer."""
    return listening.issuperset(checks) or (was_ready and not listening.isdisjoint(checks))


def _running(intent: PodIntent, containers: Containers) -> bool:
    if not containers:
        return False
    for container in containers.values():
        if container.state != "running":
            return False
    spec = intent.spec
    if spec is None:
        return True
    if len(spec.containers) == 1:
        return spec.containers[0].name in containers
    return (
        SANDBOX in containers
        and all(container.name in containers for container in spec.containers)
        and not any(left_behind(container, containers) for container in containers.values())
    )


def left_behind(container: ObservedContainer, containers: Containers) -> bool:
    """Runs in a network that is gone: Docker, or somebody, has restarted its pod's sandbox since it joined.

    All of a pod's moments are of one host's clock, where the sandbox always starts first. Their decimals have no
    zeros at the end, so they are compared without the `Z`; a look that tells no moment accuses nobody.
    """
    sandbox = containers.get(SANDBOX)
    if sandbox is None or container is sandbox or sandbox.state != "running" or container.state != "running":
        return False
    joined, began = container.started_at.removesuffix("Z"), sandbox.started_at.removesuffix("Z")
    return bool(joined) and joined < began


def _finished(intent: PodIntent, containers: Containers) -> Literal["", "Succeeded", "Failed"]:
    spec = intent.spec
    if spec is None or spec.restart_policy == "Always":
        return ""
    ends = [containers[part.name] for part in spec.containers if part.name in containers]
    if len(ends) < len(spec.containers) or any(end.state != "exited" for end in ends):
        return ""
    if all(end.exit_code == 0 for end in ends):
        return "Succeeded"
    return "Failed" if spec.restart_policy == "Never" else ""
