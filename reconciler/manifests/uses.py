"""What an object refers to, and by what others find it: worked out once, so that checks across all are short."""

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from reconciler.manifests.findings import Pointer
from reconciler.model.names import Ref
from reconciler.model.objects import Deployment, Object, Pod, Service
from reconciler.model.pods import PodSpec

Pair: TypeAlias = tuple[str, str, str]
"""A namespace, and a label's key and value in it."""


class Need(Struct, frozen=True):
    """A ConfigMap or Secret, or one key of it, that a variable is read from."""

    ref: Ref
    key: str
    """Empty: all of them."""
    optional: bool
    pointer: Pointer


class Uses(Struct, frozen=True):
    """Of one object."""

    needs: tuple[Need, ...] = ()
    labels: tuple[Pair, ...] = ()
    """Of the pods that it makes, or is."""
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
            return _pods(thing.spec, ("spec",), namespace, _pairs(namespace, thing.metadata.labels), ())
        case Deployment():
            template = thing.spec.template
            labels = _pairs(namespace, template.metadata.labels)
            selector = _pairs(namespace, thing.spec.selector.match_labels)
            return _pods(template.spec, ("spec", "template", "spec"), namespace, labels, selector)
        case Service():
            targets = tuple(
                (port.target_port, ("spec", "ports", index, "targetPort"))
                for index, port in enumerate(thing.spec.ports)
                if isinstance(port.target_port, str)
            )
            return Uses(selector=_pairs(namespace, thing.spec.selector), target_ports=targets)
        case _:
            return _NONE


def _pods(
    spec: PodSpec, at: Pointer, namespace: str, labels: tuple[Pair, ...], selector: tuple[Pair, ...]
) -> Uses:
    return Uses(
        needs=tuple(_needs(spec, at, namespace)),
        labels=labels,
        selector=selector,
        port_names=frozenset(port.name for container in spec.containers for port in container.ports if port.name),
        spec=spec,
        spec_at=at,
    )


def _needs(spec: PodSpec, at: Pointer, namespace: str) -> Iterator[Need]:
    for number, container in enumerate(spec.containers):
        for index, variable in enumerate(container.env):
            here = (*at, "containers", number, "env", index, "valueFrom")
            if variable.value_from is None:
                continue
            if (key := variable.value_from.config_map_key_ref) is not None:
                ref = Ref("ConfigMap", namespace, key.name)
                yield Need(ref, key.key, key.optional, (*here, "configMapKeyRef"))
            if (key := variable.value_from.secret_key_ref) is not None:
                yield Need(Ref("Secret", namespace, key.name), key.key, key.optional, (*here, "secretKeyRef"))
        for index, source in enumerate(container.env_from):
            here = (*at, "containers", number, "envFrom", index)
            if (whole := source.config_map_ref) is not None:
                yield Need(Ref("ConfigMap", namespace, whole.name), "", whole.optional, (*here, "configMapRef"))
            if (whole := source.secret_ref) is not None:
                yield Need(Ref("Secret", namespace, whole.name), "", whole.optional, (*here, "secretRef"))


def _pairs(namespace: str, labels: dict[str, str]) -> tuple[Pair, ...]:
    return tuple((namespace, key, value) for key, value in labels.items())
