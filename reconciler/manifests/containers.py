"""What JSON Schema cannot say about a pod: names that must differ, fields that exclude each other, amounts."""

from collections.abc import Iterable, Iterator

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted
from reconciler.model.pods import Container, PodSpec, Resources


def check_pod_spec(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    """`at` is where the spec stands in its document."""
    names = ((container.name, (*at, "containers", index)) for index, container in enumerate(spec.containers))
    yield from _differ(names, "container", "name")
    yield from _host_ports(spec, at)
    for index, container in enumerate(spec.containers):
        yield from _container(container, (*at, "containers", index))
    for index, toleration in enumerate(spec.tolerations):
        here = (*at, "tolerations", index)
        if toleration.operator == "Exists" and toleration.value:
            fix = "remove the value, or write operator: Equal"
            yield Finding((*here, "value"), Code.CONFLICTING_FIELDS, "Exists takes no value", fix)
        if toleration.operator == "Equal" and not toleration.key:
            fix = "add the key, or write operator: Exists to tolerate every taint"
            yield Finding(here, Code.CONFLICTING_FIELDS, "a toleration without a key tolerates nothing", fix)


def _container(container: Container, at: Pointer) -> Iterator[Finding]:
    ports = ((port.name, (*at, "ports", index)) for index, port in enumerate(container.ports) if port.name)
    yield from _differ(ports, "port", "name")
    for index, variable in enumerate(container.env):
        if variable.value and variable.value_from:
            here = (*at, "env", index, "valueFrom")
            yield Finding(here, Code.CONFLICTING_FIELDS, "both value and valueFrom are given", "keep one of them")
    for index, source in enumerate(container.env_from):
        if (source.config_map_ref is None) == (source.secret_ref is None):
            fix = "name either a configMapRef or a secretRef; a second one is an entry of its own"
            yield Finding((*at, "envFrom", index), Code.CONFLICTING_FIELDS, "not exactly one source is given", fix)
    yield from _resources(container.resources, (*at, "resources"))


def _resources(resources: Resources, at: Pointer) -> Iterator[Finding]:
    for field, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        for name, amount in amounts.items():
            if amount.value < 0:
                message = f"{name} cannot be {amount}"
                yield Finding((*at, field, name), Code.IMPOSSIBLE_RESOURCES, message, "write 0 or more")
    for name, requested in resources.requests.items():
        if (limit := resources.limits.get(name)) is not None and requested.value > limit.value:
            message = f"the request of {requested} {name} is above the limit of {limit}"
            fix = "raise the limit, or lower the request"
            yield Finding((*at, "requests", name), Code.IMPOSSIBLE_RESOURCES, message, fix)


def _host_ports(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    taken: set[tuple[int, str]] = set()
    for number, container in enumerate(spec.containers):
        for index, port in enumerate(container.ports):
            key = (port.host_port, port.protocol)
            if port.host_port and key in taken:
                here = (*at, "containers", number, "ports", index, "hostPort")
                message = f"the host port {port.host_port} is taken by another port of this pod"
                yield Finding(here, Code.DUPLICATE_PORT, message, "choose another one, or leave it out")
            taken.add(key)


def _differ(named: Iterable[tuple[str, Pointer]], what: str, field: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for name, at in named:
        if name in seen:
            message = f"another {what} is named {quoted(name)}"
            yield Finding((*at, field), Code.DUPLICATE_NAME, message, "give each its own name")
        seen.add(name)
