"""A pod's status as a Kubernetes object: upstream's PodStatus, of what is known here."""

from typing import Any

from reconciler.model.plan import Condition, ContainerStatus, PodStatus
from reconciler.reporting.moments import rfc3339

_Object = dict[str, Any]


def pod_object(pod: PodStatus) -> _Object:
    """A leaving pod is Running with the reason Terminating: upstream knows no such phase."""
    leaving = pod.phase == "Terminating"
    metadata = _known(
        {
            "name": pod.ref.name,
            "namespace": pod.ref.namespace,
            "uid": pod.uid,
            "creationTimestamp": rfc3339(pod.created),
        }
    )
    if pod.owner:
        metadata["ownerReferences"] = [{"kind": pod.owner.kind, "name": pod.owner.name, "controller": True}]
    before = [one for one in pod.containers if one.kind != "container"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": _known({"nodeName": pod.node}),
        "status": {
            "phase": "Running" if leaving else pod.phase,
            **_known(
                {
                    "podIP": pod.ip,
                    "podIPs": [{"ip": pod.ip}] if pod.ip else [],
                    "reason": "Terminating" if leaving else pod.reason,
                    "message": pod.message,
                    "startTime": rfc3339(pod.created) if pod.node else "",
                }
            ),
            "qosClass": pod.qos,
            "conditions": [_condition(one) for one in pod.conditions or (Condition("Ready", pod.ready),)],
            **({"initContainerStatuses": [_container(one) for one in before]} if before else {}),
            "containerStatuses": [_container(one) for one in pod.containers if one.kind == "container"],
        },
    }


def _condition(condition: Condition) -> _Object:
    return {
        "type": condition.type,
        "status": "True" if condition.status else "False",
        **_known(
            {
                "lastTransitionTime": rfc3339(condition.since),
                "reason": condition.reason,
                "message": condition.message,
            }
        ),
    }


def _container(container: ContainerStatus) -> _Object:
    shown: _Object = {
        "name": container.name,
        "image": container.image,
        "ready": container.ready,
        "started": container.started,
        "restartCount": container.restarts,
        "state": {container.state: _state(container)},
    }
    if end := container.last_end:
        shown["lastState"] = {
            "terminated": {
                "exitCode": end.exit_code,
                "reason": end_reason(end.exit_code, end.oom_killed),
                **_known({"finishedAt": end.at}),
            }
        }
    return shown


def _state(container: ContainerStatus) -> _Object:
    why = {"reason": container.reason, "message": container.message}
    match container.state:
        case "running":
            return _known({"startedAt": container.started_at})
        case "terminated":
            code = {} if container.exit_code is None else {"exitCode": container.exit_code}
            times = {"startedAt": container.started_at, "finishedAt": container.finished_at}
            return {**code, **_known({**why, **times})}
        case "waiting":
            return _known(why)


def end_reason(exit_code: int, oom_killed: bool) -> str:
    """Kubernetes' own words for how a container ended."""
    if oom_killed:
        return "OOMKilled"
    return "Completed" if exit_code == 0 else "Error"


def _known(fields: dict[str, Any]) -> _Object:
    return {key: value for key, value in fields.items() if value}
