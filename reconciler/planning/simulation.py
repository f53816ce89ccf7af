"""What the hosts would look like once a plan had been carried out and nothing had gone wrong: for the dry run."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.container import is_sidecar
from reconciler.model.containers import ClaimMount, ContainerConfig, HostNetwork, PodAddress
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Uid
from reconciler.model.observed import NetworkState, Observed, ObservedContainer, Probed, Reachable, labelled
from reconciler.model.operations import (
    ConnectPod,
    CreateContainer,
    HoldContainer,
    MakeDirectory,
    Operation,
    PodWork,
    PullImage,
    RemoveContainer,
    RemoveFiles,
    RemoveVolume,
    RenameContainer,
    SetLimits,
    SetRestartPolicy,
    StartContainer,
    StopContainers,
    UnpauseContainer,
    WriteFiles,
)
from reconciler.model.plan import Plan
from reconciler.planning.kubelet.image_policy import tagged

_SET_UP = NetworkState(fingerprint="projected")
_PROBED = Probed(started=True, ready=True)
_NOBODY: Set[SocketAddress] = frozenset()


def project(desired: Desired, observed: Observed, plan: Plan) -> Observed:
    """The next look at the hosts. The same object where nothing would have changed."""
    probed = {one.container for containers in plan.probed.values() for one in containers}
    rotation = frozenset(one.ip for behind in plan.endpoints.values() for one in behind if one.ready)
    work, answering = _work_by_node(plan), _answering_by_node(plan)
    nodes = {
        name: _Host(observation, plan, probed).after(work.get(name, ()), answering.get(name, _NOBODY), rotation)
        if isinstance(observation, Reachable)
        else observation
        for name, observation in observed.nodes.items()
        if name in desired.nodes
    }
    same = len(nodes) == len(observed.nodes) and all(nodes[name] == observed.nodes[name] for name in nodes)
    return observed if same else Observed(nodes)


def _work_by_node(plan: Plan) -> Mapping[str, Sequence[PodWork]]:
    found: defaultdict[str, list[PodWork]] = defaultdict(list)
    for work in plan.work:
        found[work.node].append(work)
    return found


def _answering_by_node(plan: Plan) -> Mapping[str, Set[SocketAddress]]:
    """The ports of every endpoint that is a pod, by the pod's node."""
    found: defaultdict[str, set[SocketAddress]] = defaultdict(set)
    for behind in plan.endpoints.values():
        for one in behind:
            if one.uid:
                found[one.node].update(SocketAddress(one.ip, port) for port in one.ports if port)
    return found


class _Host:
    """One host, as a plan's work changes it."""

    def __init__(self, node: Reachable, plan: Plan, probed: set[str]) -> None:
        self._node = node
        self._pods: Mapping[Uid, PodIntent] = plan.memory.pods
        self._probed = probed
        self._containers = {one.name: one for one in node.containers if one.state != "removing"}
        self._images = set(node.images)
        self._files = dict(node.files)
        self._directories = set(node.directories)
        self._volumes = set(node.volumes or ())
        self._anew: set[str] = set()
        """Addresses whose container was started or removed: what listened there before does so no more."""
        self._moment = max((_number(one.started_at) for one in node.containers), default=0)

    def after(self, work: Sequence[PodWork], answering: Set[SocketAddress], rotation: frozenset[str]) -> Reachable:
        """`answering` are the ports of pods that accept connections by then, `rotation` the pods that get any."""
        for each in work:
            for operation in each.operations:
                self._carry_out(operation)
        node = self._node
        return replace(
            node,
            containers=tuple(self._with_probes(self._containers[each]) for each in sorted(self._containers)),
            images=frozenset(self._images),
            files=self._files,
            directories=frozenset(self._directories),
            volumes=frozenset(self._volumes) if node.volumes is not None else None,
            network=node.network if node.network.fingerprint else _SET_UP,
            proxy=replace(node.proxy, routed=rotation, connected=frozenset()),
            listening=frozenset(answering | {one for one in node.listening if not self._is_over(one)}),
            pulling={},
            busy=frozenset(),
        )

    def _carry_out(self, operation: Operation) -> None:
        containers = self._containers
        match operation:
            case PullImage(image):
                self._images.add(tagged(image))
            case WriteFiles(uid, volume, fingerprint=fingerprint):
                self._files[f"{uid}/{volume}"] = fingerprint
                self._directories.add(uid)
            case MakeDirectory(uid):
                self._directories.add(uid)
            case RemoveFiles(uid):
                self._files = {key: value for key, value in self._files.items() if not key.startswith(f"{uid}/")}
                self._directories.discard(uid)
            case CreateContainer(config):
                containers[config.name] = _created(config)
                self._volumes |= {mount.volume for mount in config.mounts if isinstance(mount, ClaimMount)}
            case StartContainer(name):
                self._anew.add(containers[name].ip)
                containers[name] = self._started(containers[name])
            case SetRestartPolicy(name, policy):
                containers[name] = replace(containers[name], restart_policy=policy)
            case SetLimits(name, limits, pids):
                containers[name] = replace(containers[name], limits=limits, pids_limit=pids)
            case ConnectPod(name, ip):
                containers[name] = replace(containers[name], ip=ip)
            case UnpauseContainer(name):
                containers[name] = replace(containers[name], state="running")
            case StopContainers(stops, _):
                for stop in stops:
                    containers[stop.container] = replace(containers[stop.container], state="exited")
            case HoldContainer(name):
                containers[name] = replace(containers[name], state="exited")
            case RenameContainer(container_id, name):
                before = next(key for key, one in containers.items() if one.id == container_id)
                containers[name] = replace(containers.pop(before), name=name)
            case RemoveContainer(name, _):
                if (removed := containers.pop(name, None)) is not None:
                    self._anew.add(removed.ip)
            case RemoveVolume(volume):
                self._volumes.discard(volume)

    def _is_over(self, listening: SocketAddress) -> bool:
        return listening.ip in self._anew

    def _started(self, container: ObservedContainer) -> ObservedContainer:
        """An init container does its work at once, and well."""
        self._moment += 1
        began = f"{_LATER}{self._moment:09}"
        if self._is_init(container):
            return replace(container, state="exited", exit_code=0, started_at=began, started=0.0, probed=None)
        return replace(container, state="running", exit_code=0, started_at=began, started=0.0, probed=None)

    def _is_init(self, container: ObservedContainer) -> bool:
        intent = self._pods.get(container.uid)
        spec = intent.spec if intent else None
        return spec is not None and any(
            one.name == container.container and not is_sidecar(one) for one in spec.init_containers
        )

    def _with_probes(self, container: ObservedContainer) -> ObservedContainer:
        """Its probes succeed as soon as it runs."""
        if container.state != "running" or container.name not in self._probed or container.probed is not None:
            return container
        return replace(container, probed=_PROBED)


_LATER = "~"
"""Begins every projected moment: it sorts after all that a host has told."""


def _number(moment: str) -> int:
    return int(moment[1:]) if moment.startswith(_LATER) else 0


def _created(config: ContainerConfig) -> ObservedContainer:
    network = config.network
    return replace(
        labelled(config.labels),
        id=config.name,
        name=config.name,
        image=config.image,
        state="created",
        restart_policy=config.restart_policy,
        ip=network.ip if isinstance(network, PodAddress | HostNetwork) else "",
    )
