"""What JSON Schema cannot say about one container: fields that exclude each other, amounts, who it runs as."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from reconciler.manifests.checks.pod_parts import check_distinct, containers_of
from reconciler.manifests.checks.probes import check_hooks, check_probes
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted, warning
from reconciler.model.api.core.container import (
    Container,
    Lifecycle,
    ResourceRequirements,
    SecurityContext,
    is_sidecar,
)
from reconciler.model.api.core.env import ResourceFieldSelector
from reconciler.model.api.core.pod import PodSecurityContext, PodSpec
from reconciler.model.quantities import Quantity

_CPU_UNITS: Final = frozenset({Fraction(1), Fraction(1, 1000)})
_LEAST_MEMORY: Final = 6 << 20
"""Bytes; Docker refuses to create a container with a lower limit."""
_MEMORY_UNITS: Final = frozenset(
    {Fraction(base) ** power for base, powers in ((1000, 7), (1024, 7)) for power in range(powers)}
)


_NO_LIFECYCLE: Final = Lifecycle()
_NO_CONTEXT: Final = SecurityContext()
_NO_POD_CONTEXT: Final = PodSecurityContext()
"""What containers have that say nothing of these: then nothing can be wrong with them."""


def check_container(container: Container, spec: PodSpec, at: Pointer, *, init: bool) -> Iterator[Finding]:
    """Errors and warnings about a container of the pod that has this spec; `at` is where it stands in its
    document."""
    if len(container.ports) > 1:
        ports = ((port.name, (*at, "ports", index)) for index, port in enumerate(container.ports) if port.name)
        yield from check_distinct(ports, "port", "name")
    if container.env or container.env_from:
        yield from _variables(container, spec, at)
    yield from _resources(container.resources, (*at, "resources"))
    if init or container.restart_policy:
        yield from _roles(container, at, init=init)
    yield from check_probes(container, at)
    if container.lifecycle != _NO_LIFECYCLE:
        yield from check_hooks(container, spec.termination_grace_period_seconds, at)
    if container.security_context != _NO_CONTEXT or spec.security_context != _NO_POD_CONTEXT:
        yield from _security(container, spec, at)


def check_resource_field(
    selector: ResourceFieldSelector, spec: PodSpec, at: Pointer, *, own: str = ""
) -> Iterator[Finding]:
    """Errors about a reference to an amount that a container asks for.

    `own` is the container that the amount is of where the selector names none.
    """
    names = [container.name for container, _, _ in containers_of(spec, ())]
    if (selector.container_name or own) not in names:
        message = f"the pod has no container {quoted(selector.container_name)}"
        fix = f"write one of {', '.join(names)}"
        yield Finding((*at, "containerName"), Code.UNKNOWN_CONTAINER, message, fix)
    units = _CPU_UNITS if selector.resource.endswith(".cpu") else _MEMORY_UNITS
    if selector.divisor is not None and selector.divisor.value not in (0, *units):
        known = "1 or 1m" if units is _CPU_UNITS else "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi or 1Ei"
        message = f"{selector.resource} is not told in units of {selector.divisor}"
        yield Finding((*at, "divisor"), Code.INVALID_VALUE, message, f"write {known}, or leave it out")


def _variables(container: Container, spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    for index, variable in enumerate(container.env):
        here = (*at, "env", index, "valueFrom")
        if variable.value and variable.value_from:
            yield Finding(here, Code.CONFLICTING_FIELDS, "both value and valueFrom are given", "keep one of them")
        if variable.value_from is not None and (amount := variable.value_from.resource_field_ref) is not None:
            yield from check_resource_field(amount, spec, (*here, "resourceFieldRef"), own=container.name)
    for index, source in enumerate(container.env_from):
        if (source.config_map_ref is None) == (source.secret_ref is None):
            fix = "name either a configMapRef or a secretRef; a second one is an entry of its own"
            yield Finding((*at, "envFrom", index), Code.CONFLICTING_FIELDS, "not exactly one source is given", fix)


def _resources(resources: ResourceRequirements, at: Pointer) -> Iterator[Finding]:
    for field, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        for name, amount in amounts.items():
            if amount.value.numerator < 0:
                message = f"{name} cannot be {amount}"
                yield Finding((*at, field, name), Code.IMPOSSIBLE_RESOURCES, message, "write 0 or more")
            elif name == "memory":
                yield from _memory(amount, (*at, field, name), limit=field == "limits")
    for name, requested in resources.requests.items():
        if (limit := resources.limits.get(name)) is not None and requested.value > limit.value:
            message = f"the request of {requested} {name} is above the limit of {limit}"
            fix = "raise the limit, or lower the request"
            yield Finding((*at, "requests", name), Code.IMPOSSIBLE_RESOURCES, message, fix)


def _memory(amount: Quantity, at: Pointer, *, limit: bool) -> Iterator[Finding]:
    """`m` is a thousandth of a byte, and nearly always a slip for `M` or `Mi`. A limit of 0 is none."""
    number = amount.text.removesuffix("m")
    meant = f"did you mean {number}M or {number}Mi?" if number != amount.text else ""
    if limit and 0 < amount.value < _LEAST_MEMORY:
        message = f"{amount} of memory is too little: no container starts with less than 6Mi"
        fix = meant or "write 6Mi or more, or leave the limit out"
        yield Finding(at, Code.IMPOSSIBLE_RESOURCES, message, fix)
    elif amount.value.denominator != 1:
        message = f"{amount} of memory ends in the middle of a byte, and is rounded up to {amount.whole:,}"
        yield warning(at, Code.IMPOSSIBLE_RESOURCES, message, meant or "write whole bytes")


def _roles(container: Container, at: Pointer, *, init: bool) -> Iterator[Finding]:
    if container.restart_policy and not init:
        message = "only an init container has a restartPolicy of its own: with Always it is a sidecar"
        fix = "remove it, or move the container to initContainers"
        yield Finding((*at, "restartPolicy"), Code.RESTART_POLICY, message, fix)
    if not init or is_sidecar(container):
        return
    extra = {
        "startupProbe": container.startup_probe,
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "lifecycle": container.lifecycle.post_start or container.lifecycle.pre_stop,
    }
    for field, given in extra.items():
        if given is not None:
            message = f"an init container runs to its end, and has no {field}"
            fix = "remove it, or make it a sidecar with restartPolicy: Always"
            yield Finding((*at, field), Code.CONFLICTING_FIELDS, message, fix)


def _security(container: Container, spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    own, pods = container.security_context, spec.security_context
    here = (*at, "securityContext")
    if own.privileged and own.allow_privilege_escalation is False:
        message = "a privileged container has every privilege already"
        fix = "remove it, or remove privileged"
        yield Finding((*here, "allowPrivilegeEscalation"), Code.CONFLICTING_FIELDS, message, fix)
    user = pods.run_as_user if own.run_as_user is None else own.run_as_user
    must_not = pods.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    if must_not and user == 0:
        message = "runAsUser 0 is root, which runAsNonRoot forbids: the container would never start"
        yield Finding((*here, "runAsUser"), Code.CONFLICTING_FIELDS, message, "choose another user")
    group = pods.run_as_group if own.run_as_group is None else own.run_as_group
    if group is not None and user is None:
        message = f"runAsGroup {group} without a runAsUser: which user of the image it belongs to is not known"
        yield Finding((*here, "runAsGroup"), Code.CONFLICTING_FIELDS, message, "give runAsUser, too")
