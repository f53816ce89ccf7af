"""A container's environment: from literals, ConfigMaps, Secrets and the pod itself.

Rules: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.env import EnvFromSource, EnvVarSource
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.observed import Facts
from reconciler.model.references import expand_references, references
from reconciler.model.secrets import SecretText
from reconciler.planning.kubelet.downward_api import field_of, resource_of, resource_of_pod

Value: TypeAlias = str | SecretText


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

    def plain(name: str) -> str | None:
        value = values.get(name)
        return value if isinstance(value, str) else None

    return expand_references(text, plain)


def _expand_value(text: str, values: Mapping[str, Value]) -> Value:
    secrets = {name: value for name in references(text) if isinstance(value := values.get(name), SecretText)}
    if not secrets:
        return expand(text, values)
    # What holds a Secret's value is a secret itself, and stays one.
    revealed = {**values, **{name: value.reveal() for name, value in secrets.items()}}
    return SecretText(expand(text, revealed))


def _everything(source: EnvFromSource, namespace: str, desired: Desired) -> Iterator[tuple[str, Value]]:
    if source.config_map_ref and (
        config := desired.of(ConfigMap).get(Ref("ConfigMap", namespace, source.config_map_ref.name))
    ):
        for key, text in config.data.items():
            yield source.prefix + key, text
    if source.secret_ref and (secret := desired.of(Secret).get(Ref("Secret", namespace, source.secret_ref.name))):
        for key, value in secret.data.items():
            yield source.prefix + key, value


def _read(source: EnvVarSource, intent: PodIntent, desired: Desired) -> Value | None:
    """None where it is optional and not there."""
    if selector := source.config_map_key_ref:
        config = desired.of(ConfigMap).get(Ref("ConfigMap", intent.namespace, selector.name))
        return config.data.get(selector.key) if config else None
    if selector := source.secret_key_ref:
        secret = desired.of(Secret).get(Ref("Secret", intent.namespace, selector.name))
        return secret.data.get(selector.key) if secret else None
    return field_of(source.field_ref.field_path, intent, desired) if source.field_ref else None
