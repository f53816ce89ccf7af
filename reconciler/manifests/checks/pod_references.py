"""The objects that pods cannot do without, and where their spec names them."""

from collections.abc import Iterable, Iterator

import msgspec

from reconciler.manifests.checks.configuration import check_key, check_login, check_variable
from reconciler.manifests.checks.pod_parts import containers_of
from reconciler.manifests.findings import Pointer
from reconciler.manifests.relations import PodTemplate, Reference, Relations, label_pairs
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.volume import KeyToPath, Volume, VolumeProjection
from reconciler.model.names import ANNOTATION_RESTART_ON_CHANGE, Ref


def with_pods(relations: Relations, template: PodTemplate, namespace: str) -> Relations:
    """The relations of an object together with those of its pods."""
    restart_on_change = template.annotations.get(ANNOTATION_RESTART_ON_CHANGE) == "true"
    found = _references(template.spec, template.spec_at, namespace, files_shape_pod=restart_on_change)
    return msgspec.structs.replace(
        relations,
        references=(*relations.references, *found),
        labels=(*relations.labels, *label_pairs(namespace, template.labels)),
        template=template,
    )


def _references(spec: PodSpec, at: Pointer, namespace: str, *, files_shape_pod: bool) -> Iterator[Reference]:
    """`at` is where the spec stands in its document; `files_shape_pod`: other contents of volumes, other pods."""
    for container, here, _ in containers_of(spec, at):
        yield from _variables(container, here, namespace)
    for index, volume in enumerate(spec.volumes):
        yield from _volume(volume, (*at, "volumes", index), namespace, files_shape_pod)
    for index, login in enumerate(spec.image_pull_secrets):
        named: Pointer = (*at, "imagePullSecrets", index, "name")
        yield Reference(Ref("Secret", namespace, login.name), named, check=check_login)


def _variables(container: Container, at: Pointer, namespace: str) -> Iterator[Reference]:
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
                yield _variable(ref, key.key, key.optional, (*here, "name"), (*here, "key"))
    for index, whole in enumerate(container.env_from):
        wholes = (
            ("ConfigMap", "configMapRef", whole.config_map_ref),
            ("Secret", "secretRef", whole.secret_ref),
        )
        for kind, field, chosen in wholes:
            if chosen is not None:
                named = (*at, "envFrom", index, field, "name")
                yield _variable(Ref(kind, namespace, chosen.name), "", chosen.optional, named, named)


def _variable(ref: Ref, key: str, optional: bool, name_at: Pointer, key_at: Pointer) -> Reference:
    return Reference(
        ref,
        name_at,
        key=key,
        key_at=key_at,
        optional=optional,
        may_be_optional=True,
        shapes_pod=True,
        check=check_variable,
    )


def _volume(volume: Volume, at: Pointer, namespace: str, shapes: bool) -> Iterator[Reference]:
    if (config_map := volume.config_map) is not None:
        ref, here = Ref("ConfigMap", namespace, config_map.name), (*at, "configMap")
        yield from _files(ref, config_map.items, config_map.optional, here, "name", shapes)
    if (secret := volume.secret) is not None:
        ref, here = Ref("Secret", namespace, secret.secret_name), (*at, "secret")
        yield from _files(ref, secret.items, secret.optional, here, "secretName", shapes)
    if (claim := volume.persistent_volume_claim) is not None:
        named = (*at, "persistentVolumeClaim", "claimName")
        ref = Ref("PersistentVolumeClaim", namespace, claim.claim_name)
        yield Reference(ref, named)
    if volume.projected is not None:
        for index, source in enumerate(volume.projected.sources):
            yield from _projection(source, (*at, "projected", "sources", index), namespace, shapes)


def _projection(source: VolumeProjection, at: Pointer, namespace: str, shapes: bool) -> Iterator[Reference]:
    if (config_map := source.config_map) is not None:
        ref, here = Ref("ConfigMap", namespace, config_map.name), (*at, "configMap")
        yield from _files(ref, config_map.items, config_map.optional, here, "name", shapes)
    if (secret := source.secret) is not None:
        ref, here = Ref("Secret", namespace, secret.name), (*at, "secret")
        yield from _files(ref, secret.items, secret.optional, here, "name", shapes)


def _files(
    ref: Ref, items: Iterable[KeyToPath], optional: bool, at: Pointer, field: str, shapes: bool
) -> Iterator[Reference]:
    keys = [(item.key, (*at, "items", index, "key")) for index, item in enumerate(items)]
    for key, key_at in keys or [("", (*at, field))]:
        yield Reference(
            ref,
            (*at, field),
            key=key,
            key_at=key_at,
            optional=optional,
            may_be_optional=True,
            shapes_pod=shapes,
            check=check_key,
        )
