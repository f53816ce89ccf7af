"""How each pod stands: its intent beside what its node says of its containers."""

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import Final, Literal

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.container import is_sidecar
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import SANDBOX, Ref, Uid
from reconciler.model.observed import ObservedContainer
from reconciler.planning.kubelet.changed_by_hand import is_detached, is_limited_otherwise
from reconciler.planning.scheduling.taints import evicted
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pod_containers import (
    NO_CONTAINERS,
    Containers,
    RestartRecords,
    all_running,
    has_done_its_work,
    lasting,
    left_behind,
)
from reconciler.planning.state.pod_info import PodInfo, pod_info_of
from reconciler.planning.state.readiness import LastKnown, all_ready, closed_gates

NO_CHECKS: Collection[SocketAddress] = ()
_NO_RUNS: Final[RestartRecords] = {}
_RESTARTS: Final = attrgetter("restart_count")
"""Docker counts its own; it begins anew with each of ours."""
_LAST: Final = "~~"
_NEVER_RAN: Final = frozenset({126, 127})
"""Exit codes of a container whose command could not be run, or is not there."""


class PodView(Struct, frozen=True, gc=False):
    intent: PodIntent
    node: NodeView
    containers: Containers
    """The pod's containers; as last seen, if the node is silent."""
    running: bool
    """Every container that stays is running, the sandbox too, and all are in the sandbox's network."""
    healthy: bool
    """Running, its probes succeed, and its gates are open."""
    ready: bool
    """Healthy, and each unprobed port that a service sends connections to has answered. Never of a silent node."""
    proven: bool
    """Ready, by a readiness probe or by at least one port that has answered."""
    serving: bool
    """Services may send it connections: it is ready, or its node fell silent just now, or has not been seen yet;
    never once it leaves."""
    finished: Literal["", "Succeeded", "Failed"]
    """Ran to its end, and is not to be started again."""
    restarted: bool
    """A container of it has crashed before."""
    unlike: bool
    """Somebody changed it by hand: what Docker does when one of its containers ends, what that may use, or where
    it is on the network."""
    told: LastKnown
    """What is known of its containers from before this look."""
    shape: PodInfo
    gates: tuple[str, ...] = ()
    """The readiness gates that are closed."""

    @property
    def uid(self) -> Uid:
        return self.intent.uid

    @property
    def began(self) -> str:
        """When the last of its containers to start did so, by its host's clock: to sort by, as clocks differ. One
        that has not started sorts last."""
        return max((one.started_at.removesuffix("Z") for one in self.containers.values()), default="") or _LAST

    @property
    def created(self) -> float:
        """When the first of its containers was made, in Unix seconds by its host's clock; 0: none is there."""
        return min((one.created for one in self.containers.values() if one.created), default=0.0)

    @property
    def owner(self) -> Ref:
        """The object it exists for: its Deployment, or itself."""
        return self.intent.workload


def view_pod(
    intent: PodIntent,
    node: NodeView,
    containers: Containers,
    checks: Collection[SocketAddress],
    told: LastKnown,
    shape: PodInfo,
    gates: tuple[str, ...] = (),
    pids: int = 0,
) -> PodView:
    if shape.only:
        found = containers.get(shape.only)
        running = found is not None and found.state == "running" and not found.detached
        unlike = found is not None and _unlike(found, shape, pids)
    else:
        running = _running(intent, containers, shape, told.runs)
        unlike = any(_unlike(found, shape, pids) for found in containers.values())
    unlike = unlike or is_detached(containers, shape, intent)
    last, spec = node.last, intent.spec
    healthy = running and not gates and not intent.ended
    if healthy and spec is None:
        healthy = _healthy(containers)
    elif healthy and shape.waits and spec is not None:
        healthy = all_ready(spec, containers, told)
    ready = healthy and last is not None and (not checks or _answered(checks, last.listening, told.was_ready))
    if node.answers:
        serving = ready
    else:
        # HAProxy checks the pod itself; that we cannot see it is no reason to take it out at once.
        serving = not node.lost and (ready or (last is None and not gates and not intent.ended))
    return PodView(
        intent,
        node,
        containers,
        running,
        healthy,
        ready=ready and node.answers is not None,
        proven=ready and (bool(checks) or shape.proven),
        serving=serving and intent.wanted == "run",
        finished=intent.ended or ("" if running or not containers else _finished(intent, containers)),
        restarted=told.crashes or any(map(_RESTARTS, containers.values())),
        unlike=unlike,
        told=told,
        shape=shape,
        gates=gates,
    )


def new_pod(intent: PodIntent, node: NodeView, desired: Desired) -> PodView:
    """One that was given to its node a moment ago."""
    told = LastKnown(was_ready=False, runs=_NO_RUNS, crashes=False)
    gates = closed_gates(intent, desired)
    return view_pod(intent, node, NO_CONTAINERS, NO_CHECKS, told, pod_info_of(intent.spec), gates)


def view_pods(
    pods: Mapping[Uid, PodIntent],
    containers: Mapping[Uid, Containers],
    nodes: Mapping[str, NodeView],
    checks: Mapping[Uid, Collection[SocketAddress]],
    memory: Memory,
    desired: Desired,
) -> dict[Uid, PodView]:
    """Every pod on a node of the revision."""
    looping = {uid for uid, crashes in memory.crashes.items() if any(one.failures > 1 for one in crashes.values())}
    views: dict[Uid, PodView] = {}
    pids = desired.cluster.spec.pod_limits.pids
    for uid, intent in pods.items():
        node = nodes.get(intent.node)
        if node is not None:
            shape = pod_info_of(intent.spec)
            was_ready = uid in memory.ready_since or (shape.waits and _is_routed(intent, node))
            told = LastKnown(was_ready, memory.runs.get(uid, _NO_RUNS), uid in looping)
            gates = closed_gates(intent, desired) if shape.gated else ()
            found = containers.get(uid, NO_CONTAINERS)
            views[uid] = view_pod(intent, node, found, checks.get(uid, NO_CHECKS), told, shape, gates, pids)
    return views


def eviction(pod: PodView) -> str:
    """Why its node wants to be rid of it, in words; empty: it may stay.

    A lost node is another matter; and of a pod that ran to its end nothing is left to go: its work is done.
    """
    if not pod.node.manifest.spec.taints or pod.intent.spec is None or pod.node.lost or pod.finished:
        return ""
    taint = evicted(pod.intent.spec, pod.node.manifest)
    return f"{pod.node.name} evicts it: {taint}" if taint else ""


def by_owner(pods: Iterable[PodView]) -> dict[Ref, list[PodView]]:
    groups: dict[Ref, list[PodView]] = {}
    for pod in pods:
        groups.setdefault(pod.owner, []).append(pod)
    return groups


def ready_since(pods: Mapping[Uid, PodView], memory: Memory, now: float) -> Mapping[Uid, float]:
    """Since when each pod has been ready without a break; a silent node breaks nothing.

    One that is ready when it is first seen at all has been so since it began to run, for all we know."""
    before = memory.ready_since
    began = {
        uid: now if uid in memory.runs else _began_at(pod, now)
        for uid, pod in pods.items()
        if pod.ready and uid not in before
    }
    ended = [uid for uid in before if uid not in pods or not (pods[uid].ready or pods[uid].node.silent)]
    if not began and not ended:
        return before
    return {**{uid: since for uid, since in before.items() if uid not in ended}, **began}


def _began_at(pod: PodView, now: float) -> float:
    """When it began to run, by our clock; now, where its host does not tell."""
    clock = pod.node.answers.clock if pod.node.answers is not None else None
    started = [one.started for one in pod.containers.values()]
    return now if clock is None or not all(started) else min(now, max(started) - clock)


def _is_routed(intent: PodIntent, node: NodeView) -> bool:
    """The pod was ready before we were restarted: its node's own proxy still has it in rotation."""
    if node.last is None or (intent.spec is not None and intent.spec.host_network):
        return False
    return intent.ip in node.last.proxy.routed


def _answered(checks: Collection[SocketAddress], listening: frozenset[SocketAddress], was_ready: bool) -> bool:
    """All have; or the pod was ready, and some that are asked for only since now are still to answer."""
    return listening.issuperset(checks) or (was_ready and not listening.isdisjoint(checks))


def _healthy(containers: Containers) -> bool:
    """Of an adopted pod, whose template is not known: what its prober says is all there is."""
    return all(found.probed is None or found.probed.ready for found in containers.values())


def _running(intent: PodIntent, containers: Containers, shape: PodInfo, known: RestartRecords) -> bool:
    """Of a pod of several containers, or of an unknown template."""
    if not containers:
        return False
    spec = intent.spec
    if spec is None:
        return all(
            container.state == "running" or has_done_its_work(container) for container in containers.values()
        )
    if shape.sandbox and not _sandbox_runs(containers):
        return False
    return all_running(lasting(spec), containers) and not any(
        container.detached or left_behind(container, containers, known) for container in containers.values()
    )


def _unlike(found: ObservedContainer, shape: PodInfo, pids: int) -> bool:
    policy = shape.restarts.get(found.container)
    if policy is not None and found.restart_policy not in (None, policy):
        return True
    return is_limited_otherwise(found, shape, pids)


def _sandbox_runs(containers: Containers) -> bool:
    sandbox = containers.get(SANDBOX)
    return sandbox is not None and sandbox.state == "running"


def _finished(intent: PodIntent, containers: Containers) -> Literal["", "Succeeded", "Failed"]:
    """Rule: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase"""
    spec = intent.spec
    if spec is None or spec.restart_policy == "Always":
        return ""
    never = spec.restart_policy == "Never"
    if never and any(_failed(containers.get(one.name)) for one in spec.init_containers if not is_sidecar(one)):
        return "Failed"
    ends = [containers.get(one.name) for one in spec.containers]
    if all(_failed(end) or (end is not None and end.state == "exited") for end in ends):
        if not any(_failed(end) for end in ends):
            return "Succeeded"
        return "Failed" if never else ""
    return ""


def _failed(found: ObservedContainer | None) -> bool:
    """It ended, not well; or its command is none that could be run."""
    if found is None or found.exit_code == 0:
        return False
    return found.state == "exited" or (found.state == "created" and found.exit_code in _NEVER_RAN)
