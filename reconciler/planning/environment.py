"""A container's environment: from literals, ConfigMaps, Secrets and the pod itself.

Rules: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.observed import Facts
from reconciler.model.pod_sources import EnvFrom, EnvSource
from reconciler.model.pods import Container, PodSpec
from reconciler.model.secrets import SecretText
from reconciler.planning.pod_fields import field_of, resource_of, resource_of_pod

Value: TypeAlias = str | SecretText

_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


def environment(
    container: Container, intent: PodIntent, spec: PodSpec, desired: Desired, facts: Facts | None = None
) -> dict[str, Value]:
    """Whole ConfigMaps and Secrets first, then single variables; a later one of the same name wins.

    `facts` are the node's, for limits that are not set.
    """
    values: dict[str, Value] = {}
    for source in container.env_from:
        values.update(_everything(source, intent.namespace, desired))
    for variable in container.env:
        value: Value | None
        if variable.value_from is None:
            value = _expand_value(variable.value, values)
        elif resource := variable.value_from.resource_field_ref:
            value = (
                resource_of_pod(resource, spec, facts)
                if resource.container_name
                else resource_of(resource, container, facts)
            )
        else:
            value = _read(variable.value_from, intent, desired)
        if value is not None:
            values[variable.name] = value
    return values


def expand(text: str, values: Mapping[str, Value]) -> str:
    """`$(NAME)` in a command or an argument. Never a Secret's value: arguments are seen by everyone on a host."""
    return _REFERENCE.sub(lambda match: _plain(match, values), text) if "$" in text else text


def _expand_value(text: str, values: Mapping[str, Value]) -> Value:
    if "$" not in text:
        return text
    names = {match[1] for match in _REFERENCE.finditer(text) if match[1]}
    secrets = {name: value for name in names if isinstance(value := values.get(name), SecretText)}
    if not secrets:
        return expand(text, values)
    # What holds a Secret's value is a secret itself, and stays one.
    revealed = {**values, **{name: value.reveal() for name, value in secrets.items()}}
    return SecretText(expand(text, revealed))


def _plain(match: re.Match[str], values: Mapping[str, Value]) -> str:
    if match[0] == "$$":
        return "$"
    value = values.get(match[1])
    return value if isinstance(value, str) else match[0]


def _everything(source: EnvFrom, namespace: str, desired: Desired) -> Iterator[tuple[str, Value]]:
    if source.config_map_ref and (
        config := desired.config_maps.get(Ref("ConfigMap", namespace, source.config_map_ref.name))
    ):
        for key, text in config.data.items():
            yield source.prefix + key, text
    if source.secret_ref and (secret := desired.secrets.get(Ref("Secret", namespace, source.secret_ref.name))):
        for key, value in secret.data.items():
            yield source.prefix + key, value


def _read(source: EnvSource, intent: PodIntent, desired: Desired) -> Value | None:
    """None where it is optional and not there."""
    if selector := source.config_map_key_ref:
        config = desired.config_maps.get(Ref("ConfigMap", intent.namespace, selector.name))
        return config.data.get(selector.key) if config else None
    if selector := source.secret_key_ref:
        secret = desired.secrets.get(Ref("Secret", intent.namespace, selector.name))
        return secret.data.get(selector.key) if secret else None
    return field_of(source.field_ref.field_path, intent, desired) if source.field_ref else None
