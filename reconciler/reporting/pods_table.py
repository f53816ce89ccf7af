"""A pod in the columns of `kubectl get pods`.

Rules: https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go (printPod)
"""

from collections.abc import Iterable

from reconciler.model.plan import ContainerStatus, PodStatus
from reconciler.reporting.ages import age
from reconciler.reporting.moments import unix_seconds

STANDARD_CONDITIONS = frozenset({"PodScheduled", "Initialized", "ContainersReady", "Ready"})
"""Every other one is a readiness gate."""


def pod_columns(pod: PodStatus, wide: bool, now: float) -> dict[str, str]:
    """`now` is Unix seconds; 0: not known, so ages are not either."""
    counted = [one for one in pod.containers if one.kind != "init"]
    columns = {
        "NAME": pod.ref.name,
        "READY": f"{sum(one.ready for one in counted)}/{len(counted)}",
        "STATUS": pod_state(pod),
        "RESTARTS": _restarts(pod, now),
        "AGE": age(now - pod.created) if pod.created and now else "<unknown>",
    }
    if wide:
        gates = [one.status for one in pod.conditions if one.type not in STANDARD_CONDITIONS]
        columns |= {
            "IP": pod.ip or "<none>",
            "NODE": pod.node or "<none>",
            "READINESS GATES": f"{sum(gates)}/{len(gates)}" if gates else "<none>",
            "MESSAGE": pod.message or "<none>",
        }
    return columns


def pod_state(pod: PodStatus) -> str:
    """kubectl's STATUS: the phase, unless a container has more to say."""
    if pod.phase in ("Terminating", "Unknown"):
        return pod.phase
    if words := _initializing(pod):
        return words
    words = pod.phase if pod.reason == "Unschedulable" else pod.reason or pod.phase
    running = False
    for container in reversed([one for one in pod.containers if one.kind == "container"]):
        running = running or (container.state == "running" and container.ready)
        if container.state == "waiting" and container.reason:
            words = container.reason
        elif container.state == "terminated":
            words = _end(container)
    if words == "Completed" and running:
        return "Running" if pod.ready else "NotReady"
    return words


def _initializing(pod: PodStatus) -> str:
    """What holds the main containers up; empty where nothing does."""
    before = [one for one in pod.containers if one.kind != "container"]
    if any(condition.type == "Initialized" and condition.status for condition in pod.conditions):
        return ""
    for number, container in enumerate(before):
        if container.state == "terminated" and container.exit_code == 0 and container.kind == "init":
            continue
        if container.kind == "sidecar" and container.started:
            continue
        if container.state == "terminated":
            return f"Init:{_end(container)}"
        if container.state == "waiting" and container.reason not in ("", "PodInitializing", "ContainerCreating"):
            return f"Init:{container.reason}"
        return f"Init:{number}/{len(before)}"
    return ""


def _end(container: ContainerStatus) -> str:
    code = container.exit_code or 0
    return container.reason or (f"Signal:{code - 128}" if code > 128 else f"ExitCode:{code}")


def _restarts(pod: PodStatus, now: float) -> str:
    """While it initializes, of init containers; later, of all that stay."""
    kinds = ("init", "sidecar") if _initializing(pod) else ("sidecar", "container")
    counted = [one for one in pod.containers if one.kind in kinds]
    number = sum(one.restarts for one in counted)
    last = max(_ends(counted), default=0.0)
    return f"{number} ({age(now - last)} ago)" if number and last and now else str(number)


def _ends(containers: Iterable[ContainerStatus]) -> list[float]:
    return [unix_seconds(one.last_end.at) for one in containers if one.last_end]
