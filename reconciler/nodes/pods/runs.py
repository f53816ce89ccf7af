"""The runs of a pod's containers: whether what a pod has shown is still true of it. Pure."""

from collections.abc import Iterable

from reconciler.model.observed import ObservedContainer

PodRun = tuple[tuple[str, str], ...]
"""Container id and start of every running container of a pod: another value, another run of the pod."""


def still_runs(answered: PodRun, now: PodRun) -> bool:
    """All that ran when it answered. Others may have come since: on a host's own network, those of other pods."""
    return bool(answered) and set(answered) <= set(now)


def pod_run(containers: Iterable[ObservedContainer], ip: str) -> PodRun:
    """The present run of the pod at this address; empty: nothing runs there."""
    containers = list(containers)
    uids = {container.uid for container in containers if container.ip == ip and container.state == "running"}
    return tuple(
        sorted((c.id, c.started_at) for c in containers if uids and c.uid in uids and c.state == "running")
    )
