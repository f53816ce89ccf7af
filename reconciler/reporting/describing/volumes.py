"""A pod's volume on its page, in kubectl's words; what is in it is never shown."""

from collections.abc import Iterator

from reconciler.model.api.core.volume import Volume
from reconciler.reporting.describing.page import Entry, entry, heading


def volume_entry(volume: Volume) -> Entry:
    return heading(volume.name, _parts(volume))


def _parts(volume: Volume) -> Iterator[Entry]:
    if config := volume.config_map:
        yield entry("Type", "ConfigMap (a volume populated by a ConfigMap)")
        yield entry("Name", config.name)
        yield _optional(config.optional)
    elif secret := volume.secret:
        yield entry("Type", "Secret (a volume populated by a Secret)")
        yield entry("SecretName", secret.secret_name)
        yield _optional(secret.optional)
    elif volume.downward_api:
        yield entry("Type", "DownwardAPI (a volume populated by information about the pod)")
    elif projected := volume.projected:
        yield entry("Type", "Projected (a volume that contains injected data from multiple sources)")
        for source in projected.sources:
            if source.config_map:
                yield entry("ConfigMapName", source.config_map.name)
            if source.secret:
                yield entry("SecretName", source.secret.name)
            if source.downward_api:
                yield entry("DownwardAPI", "true")
    elif empty := volume.empty_dir:
        yield entry("Type", "EmptyDir (a temporary directory that shares a pod's lifetime)")
        yield entry("Medium", empty.medium)
        yield entry("SizeLimit", empty.size_limit.text if empty.size_limit else "<unset>")
    elif path := volume.host_path:
        yield entry("Type", "HostPath (bare host directory volume)")
        yield entry("Path", path.path)
        yield entry("HostPathType", path.type)
    elif claim := volume.persistent_volume_claim:
        yield entry("Type", "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)")
        yield entry("ClaimName", claim.claim_name)
        yield entry("ReadOnly", str(claim.read_only).lower())
    elif nfs := volume.nfs:
        yield entry("Type", "NFS (an NFS mount that lasts the lifetime of a pod)")
        yield entry("Server", nfs.server)
        yield entry("Path", nfs.path)
        yield entry("ReadOnly", str(nfs.read_only).lower())


def _optional(optional: bool) -> Entry:
    return entry("Optional", str(optional).lower())
