"""The objects that a pod or an Ingress cannot do without, and where it names them; here, those of a pod."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from reconciler.manifests.checks.pod_parts import containers_of
from reconciler.manifests.findings import Pointer
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.volume import KeyToPath, Volume, VolumeProjection
from reconciler.model.names import Ref

How: TypeAlias = Literal["variable", "file", "claim", "login", "service", "ingress", "certificate"]


class Need(Struct, frozen=True):
    """An object, or one key of a ConfigMap or Secret, that another is made with."""

    ref: Ref
    key: str
    """Empty: all of them, or an object without keys."""
    optional: bool
    name_at: Pointer
    """Where the object's name stands."""
    key_at: Pointer
    """Where the key's name stands; the object's where no key is named."""
    how: How
    shapes_pod: bool
    """Other contents, other pods."""


def needs_of(spec: PodSpec, at: Pointer, namespace: str, *, files_shape_pod: bool) -> Iterator[Need]:
    """`at` is where the spec stands in its document; `files_shape_pod`: what is in its volumes, does, too."""
    for container, here, _ in containers_of(spec, at):
        yield from _variables(container, here, namespace)
    for index, volume in enumerate(spec.volumes):
        yield from _volume(volume, (*at, "volumes", index), namespace, files_shape_pod)
    for index, login in enumerate(spec.image_pull_secrets):
        named: Pointer = (*at, "imagePullSecrets", index, "name")
        yield Need(Ref("Secret", namespace, login.name), "", False, named, named, "login", False)


def _variables(container: Container, at: Pointer, namespace: str) -> Iterator[Need]:
    for index, variable in enumerate(container.env):
        if (source := variable.value_from) is None:
            continue
        keys = (
            ("ConfigMap", "configMapKeyRef", source.config_map_key_ref),
            ("Secret", "secretKeyRef", source.secret_key_ref),
        )
        for kind, field, key in keys:
            if key is not None:
                here = (*at, "env", index, "valueFrom", field)
                ref = Ref(kind, namespace, key.name)
                yield Need(ref, key.key, key.optional, (*here, "name"), (*here, "key"), "variable", True)
    for index, whole in enumerate(container.env_from):
        wholes = (
            ("ConfigMap", "configMapRef", whole.config_map_ref),
            ("Secret", "secretRef", whole.secret_ref),
        )
        for kind, field, chosen in wholes:
            if chosen is not None:
                named = (*at, "envFrom", index, field, "name")
                yield Need(Ref(kind, namespace, chosen.name), "", chosen.optional, named, named, "variable", True)


def _volume(volume: Volume, at: Pointer, namespace: str, shapes: bool) -> Iterator[Need]:
    if (config_map := volume.config_map) is not None:
        ref, here = Ref("ConfigMap", namespace, config_map.name), (*at, "configMap")
        yield from _files(ref, config_map.items, config_map.optional, here, "name", shapes)
    if (secret := volume.secret) is not None:
        ref, here = Ref("Secret", namespace, secret.secret_name), (*at, "secret")
        yield from _files(ref, secret.items, secret.optional, here, "secretName", shapes)
    if (claim := volume.persistent_volume_claim) is not None:
        named = (*at, "persistentVolumeClaim", "claimName")
        ref = Ref("PersistentVolumeClaim", namespace, claim.claim_name)
        yield Need(ref, "", False, named, named, "claim", False)
    if volume.projected is not None:
        for index, source in enumerate(volume.projected.sources):
            yield from _projection(source, (*at, "projected", "sources", index), namespace, shapes)


def _projection(source: VolumeProjection, at: Pointer, namespace: str, shapes: bool) -> Iterator[Need]:
    if (config_map := source.config_map) is not None:
        ref, here = Ref("ConfigMap", namespace, config_map.name), (*at, "configMap")
        yield from _files(ref, config_map.items, config_map.optional, here, "name", shapes)
    if (secret := source.secret) is not None:
        ref, here = Ref("Secret", namespace, secret.name), (*at, "secret")
        yield from _files(ref, secret.items, secret.optional, here, "name", shapes)


def _files(
    ref: Ref, items: Iterable[KeyToPath], optional: bool, at: Pointer, field: str, shapes: bool
) -> Iterator[Need]:
    keys = [(item.key, (*at, "items", index, "key")) for index, item in enumerate(items)]
    for key, key_at in keys or [("", (*at, field))]:
        yield Need(ref, key, optional, (*at, field), key_at, "file", shapes)
