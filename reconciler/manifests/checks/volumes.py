"""What JSON Schema cannot say about the volumes of a pod: one source each, paths of their own, mounts that fit."""

from collections.abc import Iterable, Iterator

from reconciler.manifests.checks.containers import check_resource_field
from reconciler.manifests.checks.pod_parts import check_distinct, containers_of
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted, warning
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.volume import DownwardAPIVolumeFile, Volume, VolumeProjection
from reconciler.model.references import references

_Placed = tuple[str, Pointer]
"""The path of a file in a volume, and where it is written."""


def check_volumes(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    """Errors and warnings about the volumes of a pod spec and their mounts; `at` is where the spec stands."""
    if spec.volumes:
        volumes = [(volume, (*at, "volumes", index)) for index, volume in enumerate(spec.volumes)]
        yield from check_distinct(((volume.name, here) for volume, here in volumes), "volume", "name")
        for volume, here in volumes:
            yield from _volume(volume, spec, here)
    names = frozenset(volume.name for volume in spec.volumes)
    for container, here, _ in containers_of(spec, at):
        if container.volume_mounts:
            yield from _mounts(container, names, here)


def _volume(volume: Volume, spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    sources = (
        volume.config_map,
        volume.secret,
        volume.downward_api,
        volume.projected,
        volume.empty_dir,
        volume.host_path,
        volume.persistent_volume_claim,
        volume.nfs,
    )
    if sum(source is not None for source in sources) != 1:
        fix = "give it one, for example `emptyDir: {}`; a second one is a volume of its own"
        yield Finding(at, Code.CONFLICTING_FIELDS, "not exactly one source is given", fix)
    if volume.config_map is not None:
        yield from _files((item.path for item in volume.config_map.items), (*at, "configMap", "items"))
    if volume.secret is not None:
        yield from _files((item.path for item in volume.secret.items), (*at, "secret", "items"))
    if volume.downward_api is not None:
        yield from _fields(volume.downward_api.items, spec, (*at, "downwardAPI", "items"))
    if volume.projected is not None:
        yield from _projected(volume.projected.sources, spec, (*at, "projected", "sources"))
    directory = volume.empty_dir
    if directory is not None and directory.size_limit is not None:
        here = (*at, "emptyDir", "sizeLimit")
        if directory.medium != "Memory":
            message = '"sizeLimit" changes nothing here. A directory on a disk has no size of its own.'
            yield warning(here, Code.IGNORED_FIELD, message, "remove it, or write medium: Memory", at_key=True)
        elif directory.size_limit.value <= 0:
            message = f"a volume of {directory.size_limit} bytes holds nothing"
            yield Finding(here, Code.INVALID_VALUE, message, "write more than 0")


def _projected(sources: Iterable[VolumeProjection], spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    paths: list[_Placed] = []
    for index, source in enumerate(sources):
        for name, part in (("configMap", source.config_map), ("secret", source.secret)):
            if part is not None:
                here: Pointer = (*at, index, name, "items")
                paths += ((item.path, (*here, number, "path")) for number, item in enumerate(part.items))
        if source.downward_api is not None:
            here = (*at, index, "downwardAPI", "items")
            yield from _fields(source.downward_api.items, spec, here, among_others=True)
            items = enumerate(source.downward_api.items)
            paths += ((item.path, (*here, number, "path")) for number, item in items)
    yield from _paths(paths)


def _fields(
    items: Iterable[DownwardAPIVolumeFile], spec: PodSpec, at: Pointer, *, among_others: bool = False
) -> Iterator[Finding]:
    items = list(items)
    for index, item in enumerate(items):
        if (item.field_ref is None) == (item.resource_field_ref is None):
            fix = "write either a fieldRef or a resourceFieldRef"
            yield Finding((*at, index), Code.CONFLICTING_FIELDS, "not exactly one source is given", fix)
        if item.resource_field_ref is not None:
            yield from check_resource_field(item.resource_field_ref, spec, (*at, index, "resourceFieldRef"))
    if not among_others:
        yield from _files((item.path for item in items), at)


def _files(paths: Iterable[str], at: Pointer) -> Iterator[Finding]:
    yield from _paths([(path, (*at, index, "path")) for index, path in enumerate(paths)])


def _paths(placed: Iterable[_Placed]) -> Iterator[Finding]:
    """No two are the same, or one the directory of the other."""
    taken: dict[tuple[str, ...], None] = {}
    for path, at in placed:
        parts = _parts(path)
        if any(parts[: len(other)] == other or other[: len(parts)] == parts for other in taken):
            message = f"another file of this volume is at {quoted(path)}, above it or below it"
            yield Finding(at, Code.DUPLICATE_PATH, message, "give each its own path")
        taken[parts] = None


def _mounts(container: Container, volumes: frozenset[str], at: Pointer) -> Iterator[Finding]:
    taken: set[tuple[str, ...]] = set()
    for index, mount in enumerate(container.volume_mounts):
        here: Pointer = (*at, "volumeMounts", index)
        if mount.name not in volumes:
            fix = f"use one of {', '.join(sorted(volumes))}" if volumes else "add it to the pod's volumes"
            message = f"the pod has no volume {quoted(mount.name)}"
            yield Finding((*here, "name"), Code.UNKNOWN_VOLUME, message, fix)
        parts = _parts(mount.mount_path)
        if parts in taken:
            message = f"another volume is mounted at {quoted(mount.mount_path)}"
            yield Finding((*here, "mountPath"), Code.DUPLICATE_PATH, message, "give each its own path")
        taken.add(parts)
        if mount.sub_path and mount.sub_path_expr:
            message = "both subPath and subPathExpr are given"
            yield Finding((*here, "subPathExpr"), Code.CONFLICTING_FIELDS, message, "keep one of them")
        yield from _expanded(mount.sub_path_expr, container, (*here, "subPathExpr"))


def _expanded(expression: str, container: Container, at: Pointer) -> Iterator[Finding]:
    """Every variable of a path is known, and none is a Secret's value, which a path would show to everyone."""
    variables = {variable.name: variable.value_from for variable in container.env}
    for name in references(expression):
        source = variables.get(name)
        if name not in variables and not container.env_from:
            message = f"the container has no variable {quoted(name)}"
            yield Finding(at, Code.MISSING_KEY, message, "name one of its `env`")
        elif source is not None and source.secret_key_ref is not None:
            message = f"{quoted(name)} is a Secret's value, and a path is seen by everyone on the host"
            yield Finding(at, Code.CONFLICTING_FIELDS, message, "use a variable that is no secret")


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", "."))
