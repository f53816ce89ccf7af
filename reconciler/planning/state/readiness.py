"""What probes and gates say of a pod. A running pod serves only when both allow it.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-status
"""

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent, RestartRecord
from reconciler.model.names import ANNOTATION_CONDITIONS, Ref
from reconciler.model.observed import ObservedContainer
from reconciler.planning.state.pod_containers import Containers, lasting

_OPEN = "True"


class LastKnown(NamedTuple):
    """What is remembered of a pod from before this look. It stands for what a prober has not told of yet."""

    was_ready: bool
    runs: Mapping[str, RestartRecord]
    crashes: bool
    """A container of it has crashed again and again of late."""


def is_ready(one: Container, found: ObservedContainer | None, told: LastKnown) -> bool:
    """It runs; where it has probes, they have succeeded in this run of it."""
    if found is None or found.state != "running":
        return False
    if one.readiness_probe is None and one.startup_probe is None:
        return True
    if found.probed is not None:
        return found.probed.ready and found.probed.started
    return _as_before(one, found, told)


def has_started(one: Container, found: ObservedContainer | None, told: LastKnown) -> bool:
    """It runs, and its startup probe, if any, has succeeded in this run of it."""
    if found is None or found.state != "running":
        return False
    if one.startup_probe is None:
        return True
    return found.probed.started if found.probed is not None else _as_before(one, found, told)


def all_ready(spec: PodSpec, containers: Containers, told: LastKnown) -> bool:
    """Say whether containers that all run are ready, too."""
    for one in lasting(spec):
        if (one.readiness_probe or one.startup_probe) and not is_ready(one, containers.get(one.name), told):
            return False
    return True


def closed_gates(intent: PodIntent, desired: Desired) -> tuple[str, ...]:
    """The pod's readiness gates whose condition is not True, in the manifest's order."""
    spec = intent.spec
    if spec is None or not spec.readiness_gates:
        return ()
    conditions = _conditions(intent.workload, desired)
    return tuple(
        gate.condition_type for gate in spec.readiness_gates if conditions.get(gate.condition_type) != _OPEN
    )


def _conditions(owner: Ref, desired: Desired) -> Mapping[str, str]:
    """`type=True,other=False`, of the owner's own metadata: the last one of a type counts."""
    found = desired.get(owner)
    text = found.metadata.annotations.get(ANNOTATION_CONDITIONS, "") if found else ""
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _as_before(one: Container, found: ObservedContainer, told: LastKnown) -> bool:
    """A prober that we have just begun to hear says nothing yet: what was in rotation stays there until then. So
    does one whose run Docker does not tell."""
    known = told.runs.get(one.name)
    return told.was_ready and (known is None or known.run == found.run or not found.inspected)
