"""What happened to pods on their hosts, as events: the difference between two observations. Pure.

Words and reasons are kubelet's where it has any.
"""

from collections.abc import Iterator, Mapping

from reconciler.model.api.core.container_status import ContainerStatus
from reconciler.model.api.core.pod import Pod, container_statuses_of, is_terminating
from reconciler.model.names import LABEL_CONTAINER, SANDBOX, Ref
from reconciler.model.observed import Ended, Observation, Observed, ObservedContainer, Reachable
from reconciler.model.operations import (
    CreateContainer,
    Outcome,
    PullImage,
    RemoveContainer,
    StartContainer,
    WriteFiles,
)
from reconciler.model.plan import Status
from reconciler.model.records import Event

_BACKING_OFF = frozenset({"CrashLoopBackOff", "ImagePullBackOff"})
_LONGEST_LOG = 1024
"""Characters of its end."""


def of_containers(before: Observed | None, after: Observed, statuses: Mapping[Ref, Status]) -> Iterator[Event]:
    """Runs that failed, probes that fail, containers that were restarted for it.

    Only of hosts that were seen before: what a master finds at its start is not news. Only of pods that are
    meant to run: how a container ends that was told to end says nothing.
    """
    if before is after:
        return
    earlier = before.nodes if before else {}
    for name, node in after.nodes.items():
        if node is (one := earlier.get(name)):
            continue
        was = _last_seen(one)
        if was is None or not isinstance(node, Reachable) or node.containers is was.containers:
            continue
        known = {container.id: container for container in was.containers}
        for container in node.containers:
            found = known.get(container.id)
            if found is not container and _is_meant_to_run(container, statuses):
                yield from _of_container(name, found, container)


def of_statuses(before: Mapping[Ref, Status] | None, after: Mapping[Ref, Status]) -> Iterator[Event]:
    """Back-offs that began since. `after` may be only those that may differ."""
    if before is None:
        return
    for ref, pod in after.items():
        was = before.get(ref)
        if not isinstance(pod, Pod) or was is pod:
            continue
        same = isinstance(was, Pod) and was.metadata.uid == pod.metadata.uid
        known = container_statuses_of(was) if isinstance(was, Pod) and same else ()
        reasons = {container.name: container.state.reason for container in known}
        for container in container_statuses_of(pod):
            reason = container.state.reason
            if reason in _BACKING_OFF and reasons.get(container.name) != reason:
                yield Event(ref, "Warning", "BackOff", _back_off(container), node=pod.spec.node_name)


def of_work_done(node: str, outcome: Outcome) -> Iterator[Event]:
    """What one pod's operations came to."""
    pod, operations = outcome.work.pod, outcome.work.operations
    for remark in outcome.remarks:
        yield Event(pod, "Warning", remark.reason, remark.message, node=node)
    if outcome.failed is not None or outcome.unknown:
        reason = outcome.reason or ("Unknown" if outcome.unknown else "Failed")
        yield Event(pod, "Warning", reason, outcome.message, node=node)
        if outcome.unknown or outcome.failed is None:
            return
        operations = operations[: operations.index(outcome.failed)]
    names = {
        operation.config.name: operation.config.labels.get(LABEL_CONTAINER, "")
        for operation in operations
        if isinstance(operation, CreateContainer)
    }
    started = [
        name
        for operation in operations
        if isinstance(operation, StartContainer)
        if (name := names.get(operation.container, _in_pod(operation.container))) != SANDBOX
    ]
    if started:
        yield Event(pod, "Normal", "Started", f"Started container {', '.join(started)}", node=node)
    written = [operation.volume for operation in operations if isinstance(operation, WriteFiles)]
    if written and not names and not started:
        yield Event(pod, "Normal", "VolumeUpdated", f"Updated volume {', '.join(written)} in place", node=node)
    is_whole = outcome.failed is None
    if is_whole and not started and any(isinstance(operation, RemoveContainer) for operation in operations):
        yield Event(pod, "Normal", "Removed", "nothing of the pod is left", node=node)


def of_pull_begun(node: str, pod: Ref, pull: PullImage) -> Event:
    return Event(pod, "Normal", "Pulling", f'Pulling image "{pull.image}"', node=node)


def of_pull_done(node: str, pod: Ref, pull: PullImage, seconds: float) -> Event:
    return Event(pod, "Normal", "Pulled", f'Successfully pulled image "{pull.image}" in {seconds:.1f}s', node=node)


def _of_container(node: str, was: ObservedContainer | None, now: ObservedContainer) -> Iterator[Event]:
    ref = Ref("Pod", now.namespace, now.pod)
    ended = now.last_end
    if ended is not None and ended.exit_code != 0 and (was is None or was.last_end != ended):
        yield Event(ref, "Warning", "OOMKilled" if ended.oom_killed else "Exited", _end(now, ended), node=node)
    probed, before = now.probed, was.probed if was else None
    if probed is None:
        return
    if probed.message and (before is None or before.message != probed.message):
        yield Event(ref, "Warning", "Unhealthy", probed.message, node=node)
    if before is not None and probed.killed > before.killed:
        words = f"Container {now.container} failed its liveness or startup probe, and is restarted"
        yield Event(ref, "Normal", "Killing", words, node=node)


def _end(container: ObservedContainer, ended: Ended) -> str:
    """`container web exited with code 1: last lines`."""
    why = " (out of memory)" if ended.oom_killed else ""
    words = f"container {container.container} exited with code {ended.exit_code}{why}"
    return f"{words}: {ended.log.strip()[-_LONGEST_LOG:]}" if ended.log.strip() else words


def _back_off(container: ContainerStatus) -> str:
    """Of a crash without the time it lasts: the same event each time, which is counted."""
    if container.state.reason == "CrashLoopBackOff":
        return f"Back-off restarting failed container {container.name}"
    words = f'Back-off pulling image "{container.image}"'
    message = container.state.message
    return f"{words}: {message}" if message else words


def _last_seen(observation: Observation | None) -> Reachable | None:
    return observation if isinstance(observation, Reachable) or observation is None else observation.last


def _is_meant_to_run(container: ObservedContainer, statuses: Mapping[Ref, Status]) -> bool:
    pod = statuses.get(Ref("Pod", container.namespace, container.pod))
    return (
        bool(container.pod)
        and container.container != SANDBOX
        and isinstance(pod, Pod)
        and pod.metadata.uid == container.uid
        and (pod.status.phase == "Unknown" or not is_terminating(pod))
        and pod.status.phase != "Succeeded"
    )


def _in_pod(name: str) -> str:
    """`web` of the container's name on its host (see `planning.identity.container_name`)."""
    parts = name.split("_")
    return parts[-2] if len(parts) > 1 else name
