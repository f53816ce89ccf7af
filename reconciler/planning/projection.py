"""What the hosts would look like once a plan had been carried out and nothing had gone wrong: for the dry run."""

from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.observed import NetworkState, Observed, ObservedContainer, Reachable, labelled
from reconciler.model.operations import (
    ContainerConfig,
    CreateContainer,
    Operation,
    PodAddress,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainers,
    UnpauseContainer,
)
from reconciler.model.plan import Plan
from reconciler.planning.images import tagged

_SET_UP = NetworkState(fingerprint="projected")


def project(desired: Desired, observed: Observed, plan: Plan) -> Observed:
    """The next look at the hosts. The same object where nothing would have changed."""
    nodes = {
        name: _projected(name, observation, plan) if isinstance(observation, Reachable) else observation
        for name, observation in observed.nodes.items()
        if name in desired.nodes
    }
    same = len(nodes) == len(observed.nodes) and all(nodes[name] == observed.nodes[name] for name in nodes)
    return observed if same else Observed(nodes)


def _projected(name: str, node: Reachable, plan: Plan) -> Reachable:
    containers = {one.name: one for one in node.containers if one.state != "removing"}
    images = set(node.images)
    for work in plan.work:
        if work.node == name:
            for operation in work.operations:
                _carry_out(operation, containers, images)
    behind = [one for endpoints in plan.endpoints.values() for one in endpoints]
    answering = {f"{one.ip}:{port}" for one in behind if one.node == name for port in one.ports if port}
    return replace(
        node,
        containers=tuple(containers[each] for each in sorted(containers)),
        images=frozenset(images),
        network=node.network if node.network.fingerprint else _SET_UP,
        proxy=replace(node.proxy, routed=frozenset(one.ip for one in behind if one.ready)),
        listening=frozenset(answering | node.listening),
        busy=frozenset(),
    )


def _carry_out(operation: Operation, containers: dict[str, ObservedContainer], images: set[str]) -> None:
    match operation:
        case PullImage(image):
            images.add(tagged(image))
        case CreateContainer(config):
            containers[config.name] = _created(config)
        case StartContainer(name) | UnpauseContainer(name):
            containers[name] = replace(containers[name], state="running")
        case StopContainers(stops, _):
            for stop in stops:
                containers[stop.container] = replace(containers[stop.container], state="exited")
        case RemoveContainer(name, _):
            containers.pop(name, None)


def _created(config: ContainerConfig) -> ObservedContainer:
    return replace(
        labelled(config.labels),
        id=config.name,
        name=config.name,
        image=config.image,
        state="created",
        ip=config.network.ip if isinstance(config.network, PodAddress) else "",
    )
