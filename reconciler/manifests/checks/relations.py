"""What an object refers to, and by what others find it: worked out once, so that checks across all are short."""

from typing import TypeAlias

from msgspec import Struct

from reconciler.manifests.checks.ingresses import needs_of_ingress
from reconciler.manifests.checks.needs import Need, needs_of
from reconciler.manifests.findings import Pointer
from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.container import is_sidecar
from reconciler.model.api.core.pod import Pod, PodSpec
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import LABEL_SERVICE_NAME, EndpointSlice, service_of
from reconciler.model.api.meta import Object
from reconciler.model.api.networking import Ingress
from reconciler.model.names import ANNOTATION_RESTART_ON_CHANGE

Pair: TypeAlias = tuple[str, str, str]
"""A namespace, and a label's key and value in it."""


class Uses(Struct, frozen=True):
    """Of one object."""

    needs: tuple[Need, ...] = ()
    labels: tuple[Pair, ...] = ()
    """Of the pods that it makes, or is; of an EndpointSlice, the one that names its Service."""
    selector: tuple[Pair, ...] = ()
    port_names: frozenset[str] = frozenset()
    """Of the pods that it makes, or is."""
    target_ports: tuple[tuple[str, Pointer], ...] = ()
    """The names that a Service looks for in its pods."""
    spec: PodSpec | None = None
    spec_at: Pointer = ()


_NONE = Uses()


def uses_of(thing: Object) -> Uses:
    namespace = thing.metadata.namespace
    match thing:
        case Pod():
            labels = _pairs(namespace, thing.metadata.labels)
            return _pods(thing.spec, ("spec",), namespace, labels, (), thing.metadata.annotations)
        case Deployment():
            template = thing.spec.template
            labels = _pairs(namespace, template.metadata.labels)
            selector = _pairs(namespace, thing.spec.selector.match_labels)
            at = ("spec", "template", "spec")
            return _pods(template.spec, at, namespace, labels, selector, template.metadata.annotations)
        case Service():
            targets = tuple(
                (port.target_port, ("spec", "ports", index, "targetPort"))
                for index, port in enumerate(thing.spec.ports)
                if isinstance(port.target_port, str)
            )
            if thing.spec.selector:
                return Uses(selector=_pairs(namespace, thing.spec.selector), target_ports=targets)
            alias = thing.spec.type == "ExternalName"
            return Uses(selector=() if alias else _slices(namespace, thing.metadata.name))
        case EndpointSlice():
            service = service_of(thing)
            at = ("metadata", "labels", LABEL_SERVICE_NAME)
            need = Need(service, "", False, at, at, "service", False)
            return Uses(needs=(need,), labels=_slices(namespace, service.name))
        case Ingress():
            return Uses(needs=tuple(needs_of_ingress(thing)))
        case _:
            return _NONE


def _pods(
    spec: PodSpec,
    at: Pointer,
    namespace: str,
    labels: tuple[Pair, ...],
    selector: tuple[Pair, ...],
    annotations: dict[str, str],
) -> Uses:
    """A Service finds the named ports of containers and sidecars, not of what has ended by then."""
    serving = (*spec.containers, *filter(is_sidecar, spec.init_containers))
    restart_on_change = annotations.get(ANNOTATION_RESTART_ON_CHANGE) == "true"
    return Uses(
        needs=tuple(needs_of(spec, at, namespace, files_shape_pod=restart_on_change)),
        labels=labels,
        selector=selector,
        port_names=frozenset(port.name for container in serving for port in container.ports if port.name),
        spec=spec,
        spec_at=at,
    )


def _slices(namespace: str, service: str) -> tuple[Pair, ...]:
    """What the EndpointSlices of a Service have; one without a selector looks for them in this way."""
    return ((namespace, LABEL_SERVICE_NAME, service),)


def _pairs(namespace: str, labels: dict[str, str]) -> tuple[Pair, ...]:
    return tuple((namespace, key, value) for key, value in labels.items())
