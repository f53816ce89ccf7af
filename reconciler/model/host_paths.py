"""Which exception of a Cluster lets a pod mount a path of its host, and what it must stay below there. Pure.

Asked when a revision is read, and again when a container is made: on a host, links may be between a path and what
it leads to.
"""

from reconciler.model.api.cluster import HostPathRule, PodSecurity
from reconciler.model.api.core.pod import PodSpec


def allowing(policy: PodSecurity, path: str, namespace: str, *, read_only: bool) -> HostPathRule | None:
    """The exception for the path itself, or one above it, for this namespace, and for reading where no more is
    allowed. Of several, one that allows writing, and the one that allows most."""
    rules = [
        rule
        for rule in policy.host_paths
        if is_below(path, rule.path)
        and (not rule.namespaces or namespace in rule.namespaces)
        and (read_only or not rule.read_only)
    ]
    return min(rules, key=lambda rule: (rule.read_only, len(parts_of(rule.path))), default=None)


def ways_to(policy: PodSecurity, rule: HostPathRule) -> tuple[str, ...]:
    """The rule's path, after those above it where pods, of whatever namespace, may write, and so put links."""
    above = {
        other.path
        for other in policy.host_paths
        if not other.read_only and is_below(rule.path, other.path) and not is_below(other.path, rule.path)
    }
    return (*sorted(above, key=lambda path: len(parts_of(path))), rule.path)


def is_only_read(spec: PodSpec, volume: str) -> bool:
    """Whether every mount of this volume is read-only."""
    containers = (*spec.containers, *spec.init_containers)
    mounts = (mount for container in containers for mount in container.volume_mounts)
    return all(mount.read_only for mount in mounts if mount.name == volume)


def is_below(path: str, other: str) -> bool:
    """The same path, or one below it, as they are written."""
    parts = parts_of(other)
    return parts_of(path)[: len(parts)] == parts


def parts_of(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", "."))
