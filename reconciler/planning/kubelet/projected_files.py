"""The files of a ConfigMap, Secret, downward or projected volume: their paths, contents and modes, and for whom.

Rules: https://kubernetes.io/docs/concepts/storage/projected-volumes/
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.volume import DownwardAPIVolumeFile, KeyToPath, Volume
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.observed import Facts
from reconciler.model.operations import VolumeFile
from reconciler.model.secrets import SecretText
from reconciler.planning.kubelet.downward_api import field_of, resource_of_pod
from reconciler.planning.kubelet.security_context import user_of

_PLAIN_MODE = 0o644
_SECRET_MODE = 0o400
_SHARED_SECRET_MODE = 0o444
"""For readers of whom none can be the owner alone: the pod's directory on the host is closed to all others."""
_READABLE_FOR_GROUP = 0o440

_Content: TypeAlias = tuple[str | bytes | SecretText, bool]
"""And whether it is base64 of what is meant."""


class Readers(NamedTuple):
    """Who reads a volume's files: fields of WriteFiles of the same names."""

    owner: int | None = None
    group: int | None = None
    image: str = ""
    several: bool = False
    """They run as different users."""


class _FileSource(NamedTuple):
    """One source of a volume: a ConfigMap, a Secret, or the pod itself where it names no object."""

    ref: Ref | None
    items: tuple[KeyToPath, ...] = ()
    fields: tuple[DownwardAPIVolumeFile, ...] = ()


def sources_of(
    volume: Volume, intent: PodIntent, spec: PodSpec, desired: Desired, facts: Facts | None
) -> Iterator[str]:
    """What decides the files beside the volume's own text: digests of objects, and values of the pod."""
    for part in _parts(volume, intent.namespace):
        if part.ref is not None:
            yield desired.digests.get(part.ref, "")
        for item in part.fields:
            yield _value(item, intent, spec, desired, facts)


def readers_of(volume: Volume, spec: PodSpec) -> Readers:
    """Return who reads the files of a volume: the users of the containers that mount it. With an fsGroup they all
    are in that group, whoever they run as.

    This concerns Secrets only: anything else is for everyone, unless its manifest says otherwise.
    """
    group = spec.security_context.fs_group
    if group is not None or not _has_secrets(volume):
        return Readers(group=group)
    mounting = [
        container
        for container in (*spec.containers, *spec.init_containers)
        if any(mount.name == volume.name for mount in container.volume_mounts)
    ]
    users = {user_of(container, spec) for container in mounting}
    if len(users) > 1:
        return Readers(several=True)
    if users != {None}:
        return Readers(owner=next(iter(users), None))
    images = {container.image for container in mounting}
    if len(images) > 1:
        return Readers(several=True)
    return Readers(image=images.pop() if _default_mode(volume) is None else "")


def files_of(
    volume: Volume, intent: PodIntent, spec: PodSpec, desired: Desired, readers: Readers, facts: Facts | None
) -> tuple[VolumeFile, ...]:
    """Return the files of a volume, by path. What is not there is optional (manifests are checked for that), and
    left out.
    """
    default = _default_mode(volume)
    files: dict[str, VolumeFile] = {}
    for part in _parts(volume, intent.namespace):
        secret = part.ref is not None and part.ref.kind == "Secret"
        contents = _contents(part.ref, desired)
        for item in part.items or [KeyToPath(key, key) for key in contents]:
            if (content := contents.get(item.key)) is not None:
                mode = _mode(item.mode, default, secret, readers)
                files[item.path] = VolumeFile(item.path, content[0], mode, content[1])
        for field in part.fields:
            value = _value(field, intent, spec, desired, facts)
            files[field.path] = VolumeFile(field.path, value, _mode(field.mode, default, False, readers))
    return tuple(files[path] for path in sorted(files))


def _parts(volume: Volume, namespace: str) -> Iterable[_FileSource]:
    if config := volume.config_map:
        return (_FileSource(Ref("ConfigMap", namespace, config.name), config.items),)
    if secret := volume.secret:
        return (_FileSource(Ref("Secret", namespace, secret.secret_name), secret.items),)
    if downward := volume.downward_api:
        return (_FileSource(None, fields=downward.items),)
    return _projected(volume, namespace)


def _projected(volume: Volume, namespace: str) -> Iterator[_FileSource]:
    for source in volume.projected.sources if volume.projected else ():
        if source.config_map:
            yield _FileSource(Ref("ConfigMap", namespace, source.config_map.name), source.config_map.items)
        elif source.secret:
            yield _FileSource(Ref("Secret", namespace, source.secret.name), source.secret.items)
        elif source.downward_api:
            yield _FileSource(None, fields=source.downward_api.items)


def _contents(ref: Ref | None, desired: Desired) -> dict[str, _Content]:
    contents: dict[str, _Content] = {}
    if ref is None:
        return contents
    if config := desired.of(ConfigMap).get(ref):
        contents |= {key: (text, False) for key, text in config.data.items()}
        contents |= {key: (data, False) for key, data in config.binary_data.items()}
    elif secret := desired.of(Secret).get(ref):
        contents |= {key: (text, False) for key, text in secret.data.items()}
        contents |= {key: (text, True) for key, text in secret.binary_data.items()}
    return contents


def _value(
    item: DownwardAPIVolumeFile, intent: PodIntent, spec: PodSpec, desired: Desired, facts: Facts | None
) -> str:
    if item.field_ref:
        return field_of(item.field_ref.field_path, intent, desired)
    return resource_of_pod(item.resource_field_ref, spec, facts) if item.resource_field_ref else ""


def _has_secrets(volume: Volume) -> bool:
    if volume.projected is not None:
        return any(source.secret is not None for source in volume.projected.sources)
    return volume.secret is not None


def _default_mode(volume: Volume) -> int | None:
    for source in (volume.config_map, volume.secret, volume.downward_api, volume.projected):
        if source is not None:
            return source.default_mode
    return None


def _mode(own: int | None, default: int | None, secret: bool, readers: Readers) -> int:
    mode = default if own is None else own
    if mode is None:
        closed = _SHARED_SECRET_MODE if readers.several else _SECRET_MODE
        mode = closed if secret else _PLAIN_MODE
    # As upstream, also where a mode is given: fsGroup is asked for so that the group can read.
    return mode if readers.group is None else mode | _READABLE_FOR_GROUP
