"""Endpoints: the pods behind each Service, and the ports that must answer before one is ready."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.service import Service, ServicePort
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Endpoint
from reconciler.model.services import is_headless
from reconciler.planning.kubelet.draining import Rotation
from reconciler.planning.state.pod_containers import lasting
from reconciler.planning.state.pods import PodView


class Backend(Struct, frozen=True, gc=False):
    """A pod that a Service selects."""

    uid: Uid
    ports: tuple[int, ...]
    """The pod's port for each of the Service's ports; 0 where it has none."""
    checks: Sequence[SocketAddress]
    """Each port that no readiness probe covers: all must have answered before the pod is in rotation."""
    published: bool
    """The service takes it, ready or not."""


def select(
    desired: Desired, pods: Mapping[Uid, PodIntent]
) -> tuple[dict[Ref, list[Backend]], dict[Uid, Collection[SocketAddress]]]:
    """Find the pods of each Service; and for each of these pods the ports that must answer.

    One that publishes addresses that are not ready waits for no answer."""
    labelled = _by_label(pods)
    backends: dict[Ref, list[Backend]] = {}
    checks: dict[Uid, Collection[SocketAddress]] = {}
    for ref, service in desired.of(Service).items():
        backends[ref] = chosen = []
        published = service.spec.publish_not_ready_addresses
        resolved: dict[tuple[Ref | None, str], tuple[tuple[int, ...], tuple[int, ...]]] = {}
        for intent in _selected(service, labelled):
            key = (intent.owner, intent.hash) if intent.owner else (intent.ref, intent.hash)
            known = resolved.get(key)
            if known is None:
                numbers = tuple(_port(port, intent.spec) for port in service.spec.ports)
                known = resolved[key] = (numbers, () if published else tuple(_unprobed(numbers, intent.spec)))
            ports, unprobed = known
            needed = [SocketAddress(intent.ip, port) for port in unprobed]
            chosen.append(Backend(intent.uid, ports, needed, published))
            if needed:
                checks[intent.uid] = [*checks[intent.uid], *needed] if intent.uid in checks else needed
    return backends, checks


def endpoints(
    desired: Desired,
    backends: Mapping[Ref, Sequence[Backend]],
    pods: Mapping[Uid, PodView],
    rotation: Rotation,
) -> dict[Ref, tuple[Endpoint, ...]]:
    """Return the pods of each Service that run, by name."""
    services = desired.of(Service)
    return {
        ref: _running(ref, chosen, pods, rotation if _is_balanced_everywhere(services[ref]) else None)
        for ref, chosen in backends.items()
    }


def _running(
    service: Ref, chosen: Sequence[Backend], pods: Mapping[Uid, PodView], rotation: Rotation | None
) -> tuple[Endpoint, ...]:
    """`rotation`: what the proxies have; None: they need not have the pods of this service."""
    found = []
    for backend in chosen:
        pod = pods.get(backend.uid)
        if pod is not None and (pod.running or pod.serving or _partly(pod)):
            intent = pod.intent
            # Of a pod whose node has not been seen since we began, the proxies know whether it was ready before.
            seen = pod.node.last is not None or rotation is None or rotation.has(intent.ip)
            ready = (pod.serving and seen) or _in_rotation(pod, backend)
            hostname = _hostname(intent.spec, service)
            found.append(Endpoint(intent.uid, intent.name, intent.node, intent.ip, backend.ports, ready, hostname))
    found.sort(key=_name)
    return tuple(found)


def _is_balanced_everywhere(service: Service) -> bool:
    """The proxy of each node has all its ready pods, wherever they run."""
    spec = service.spec
    return bool(spec.ports) and spec.internal_traffic_policy == "Cluster" and not is_headless(service)


def _hostname(spec: PodSpec | None, service: Ref) -> str:
    return spec.hostname if spec is not None and spec.subdomain == service.name else ""


def _name(endpoint: Endpoint) -> tuple[str, Uid]:
    return endpoint.pod, endpoint.uid


def _in_rotation(pod: PodView, backend: Backend) -> bool:
    """Whatever is published, a pod that leaves is out. A port that only another Service asks for is no reason to
    leave the rotation of this one."""
    node = pod.node
    if pod.intent.wanted != "run" or node.lost:
        return False
    if backend.published:
        return True
    return pod.healthy and node.last is not None and node.last.listening.issuperset(backend.checks)


def _partly(pod: PodView) -> bool:
    return any(container.state == "running" for container in pod.containers.values())


def _by_label(pods: Mapping[Uid, PodIntent]) -> dict[tuple[str, str, str], list[PodIntent]]:
    labelled: dict[tuple[str, str, str], list[PodIntent]] = {}
    for intent in pods.values():
        if intent.ip:
            namespace = intent.namespace
            for key, value in intent.labels.items():
                labelled.setdefault((namespace, key, value), []).append(intent)
    return labelled


def _selected(service: Service, labelled: Mapping[tuple[str, str, str], list[PodIntent]]) -> Sequence[PodIntent]:
    """A Service without a selector selects nothing, as upstream, and an ExternalName has no endpoints."""
    namespace, selector = service.metadata.namespace, service.spec.selector
    if not selector or service.spec.type == "ExternalName":
        return ()
    candidates = min((labelled.get((namespace, key, value), []) for key, value in selector.items()), key=len)
    if len(selector) == 1:
        return candidates
    wanted = selector.items()
    return [intent for intent in candidates if wanted <= intent.labels.items()]


def _unprobed(ports: Iterable[int], spec: PodSpec | None) -> Iterable[int]:
    """Those whose container has no readiness probe. A port that no container names is the only container's."""
    containers = lasting(spec) if spec else ()
    owners = {offered.container_port: one for one in containers for offered in one.ports}
    alone = containers[0] if len(containers) == 1 else None
    for port in filter(None, ports):
        owner = owners.get(port, alone)
        if owner is None or owner.readiness_probe is None:
            yield port


def _port(port: ServicePort, spec: PodSpec | None) -> int:
    target = port.target_port or port.port
    if isinstance(target, int):
        return target
    for container in lasting(spec) if spec else ():
        for offered in container.ports:
            if offered.name == target:
                return offered.container_port
    return 0
