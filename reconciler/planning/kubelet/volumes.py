"""A pod's volumes on its host: where each is, what is mounted of it, and what is still to be made or written.

Rules: https://kubernetes.io/docs/concepts/storage/volumes/
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.volume import HostPathVolumeSource, Volume, VolumeMount
from reconciler.model.container_config import ClaimMount, HostMount, Mount, NfsMount
from reconciler.model.desired import Desired
from reconciler.model.host_paths import allowing, is_only_read, ways_to
from reconciler.model.memory import PodIntent
from reconciler.model.names import (
    LABEL_CLAIM,
    LABEL_CLUSTER,
    LABEL_NAMESPACE,
    Ref,
    disk_directory,
    memory_directory,
)
from reconciler.model.observed import Facts
from reconciler.model.operations import MakeDirectory, WriteFiles
from reconciler.planning.kubelet.environment import Value, expand
from reconciler.planning.kubelet.projected_files import files_of, readers_of, sources_of
from reconciler.planning.kubelet.resources import memory_of

_FORMAT = b"1"
"""Another number, and every volume of files is written again."""


def stale_files(
    intent: PodIntent,
    spec: PodSpec,
    desired: Desired,
    in_force: Mapping[str, str],
    facts: Facts | None = None,
    due: Iterable[Container] | None = None,
) -> tuple[WriteFiles, ...]:
    """The pod's volumes of files that are not, or not as they should be, on its host.

    Asked for every pod in every plan. `in_force`: `Reachable.files` of its node. `facts`: as for its containers.
    `due`: only what these mount; the image of any other container need not be on the host yet.
    """
    stale = []
    mounted = None if due is None else {mount.name for container in due for mount in container.volume_mounts}
    for volume in spec.volumes:
        if not _is_of_files(volume) or (mounted is not None and volume.name not in mounted):
            continue
        wanted = _fingerprint(volume, intent, spec, desired, facts)
        if in_force.get(f"{intent.uid}/{volume.name}") != wanted:
            stale.append(_writing(volume, wanted, intent, spec, desired, facts))
    return tuple(stale)


def directories(spec: PodSpec, intent: PodIntent) -> tuple[MakeDirectory, ...]:
    """The pod's emptyDirs. One in memory is no larger than what all its containers together may use."""
    return tuple(
        MakeDirectory(
            intent.uid,
            volume.name,
            memory=(memory := volume.empty_dir.medium == "Memory"),
            size_bytes=_size(volume, spec) if memory else 0,
            group=spec.security_context.fs_group,
        )
        for volume in spec.volumes
        if volume.empty_dir is not None
    )


def claim_volume(cluster: str, namespace: str, claim: str) -> str:
    """The Docker volume of a claim. Every part is a DNS name, so that the separator is never part of one."""
    return f"{cluster}_{namespace}_{claim}"


def claim_of_volume(cluster: str, volume: str) -> Ref | None:
    """The inverse; None for a name that is not ours."""
    parts = volume.split("_")
    return Ref("PersistentVolumeClaim", parts[1], parts[2]) if len(parts) == 3 and parts[0] == cluster else None


def mounts_of(
    container: Container, intent: PodIntent, spec: PodSpec, values: Mapping[str, Value], desired: Desired
) -> tuple[Mount, ...]:
    """`values`: the container's environment, for subPathExpr."""
    if not container.volume_mounts:
        return ()
    volumes = {volume.name: volume for volume in spec.volumes}
    return tuple(
        _mount(volumes[mount.name], mount, _sub_path(mount, values), intent, spec, desired)
        for mount in container.volume_mounts
        if mount.name in volumes
    )


def _mount(
    volume: Volume, mount: VolumeMount, sub_path: str, intent: PodIntent, spec: PodSpec, desired: Desired
) -> Mount:
    cluster, target = desired.cluster.metadata.name, mount.mount_path
    if empty := volume.empty_dir:
        root = memory_directory(cluster) if empty.medium == "Memory" else disk_directory(cluster)
        return HostMount(_below(root, intent, volume), target, mount.read_only, sub_path=sub_path)
    if host := volume.host_path:
        return _host_mount(volume.name, host, mount, sub_path, intent, spec, desired)
    if claim := volume.persistent_volume_claim:
        return ClaimMount(
            claim_volume(cluster, intent.namespace, claim.claim_name),
            target,
            {
                LABEL_CLUSTER: cluster,
                LABEL_NAMESPACE: intent.namespace,
                LABEL_CLAIM: claim.claim_name,
            },
            mount.read_only or claim.read_only,
            sub_path,
            spec.security_context.fs_group,
        )
    if nfs := volume.nfs:
        path = f"{nfs.path.rstrip('/')}/{sub_path}" if sub_path else nfs.path
        return NfsMount(nfs.server, path, target, mount.read_only or nfs.read_only)
    # The container cannot write there: what it sees is changed by writing the volume anew.
    return HostMount(_below(memory_directory(cluster), intent, volume), target, read_only=True, sub_path=sub_path)


def _host_mount(
    volume: str,
    host: HostPathVolumeSource,
    mount: VolumeMount,
    sub_path: str,
    intent: PodIntent,
    spec: PodSpec,
    desired: Desired,
) -> HostMount:
    made = HostMount(host.path, mount.mount_path, mount.read_only, host.type, sub_path)
    policy, namespace = desired.cluster.spec.pod_security, intent.namespace
    if policy.namespaces.get(namespace, policy.default) == "privileged":
        return made
    rule = allowing(policy, host.path, namespace, read_only=is_only_read(spec, volume))
    beneath = ways_to(policy, rule) if rule is not None else ()
    return msgspec.structs.replace(made, beneath=beneath, makes=rule is not None and not rule.read_only)


def _below(root: str, intent: PodIntent, volume: Volume) -> str:
    return f"{root}/pods/{intent.uid}/{volume.name}"


def _sub_path(mount: VolumeMount, values: Mapping[str, Value]) -> str:
    """A Secret's value has no place in a path, which everyone on the host can see."""
    return expand(mount.sub_path_expr, values) if mount.sub_path_expr else mount.sub_path


def _size(volume: Volume, spec: PodSpec) -> int:
    most = memory_of((*spec.containers, *spec.init_containers))
    wanted = volume.empty_dir.size_limit if volume.empty_dir else None
    if wanted is None:
        return most
    return min(wanted.whole, most) if most else wanted.whole


def _is_of_files(volume: Volume) -> bool:
    return (
        volume.config_map is not None
        or volume.secret is not None
        or volume.projected is not None
        or volume.downward_api is not None
    )


def _fingerprint(volume: Volume, intent: PodIntent, spec: PodSpec, desired: Desired, facts: Facts | None) -> str:
    """Of what decides the files, without looking at their contents; a spec is the same for a pod's whole life."""
    digest = hashlib.sha256(_FORMAT)
    digest.update(_ENCODER.encode(volume))
    for text in sources_of(volume, intent, spec, desired, facts):
        digest.update(b"\0")
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def _writing(
    volume: Volume, fingerprint: str, intent: PodIntent, spec: PodSpec, desired: Desired, facts: Facts | None
) -> WriteFiles:
    readers = readers_of(volume, spec)
    files = files_of(volume, intent, spec, desired, readers, facts)
    return WriteFiles(intent.uid, volume.name, files, fingerprint, readers.owner, readers.group, readers.image)


def _plain(value: Any) -> str:
    return str(value)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
