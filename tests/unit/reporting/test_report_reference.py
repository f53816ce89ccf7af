"""The reference names every field that the JSON forms have."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.kinds import KIND_BY_NAME
from reconciler.model.api.core.container_status import ContainerState, ContainerStateTerminated
from reconciler.model.api.core.persistent_volume_claim import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
)
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import LoadBalancerIngress, LoadBalancerStatus, ServicePort
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.api.networking import Ingress, IngressSpec, IngressStatus
from reconciler.model.desired import Revision
from reconciler.model.names import Ref
from reconciler.model.plan import Action, FieldChange, Hold, ObjectChange, PodChange, Unschedulable
from reconciler.model.problems import Place, Problem
from reconciler.model.quantities import Quantity
from reconciler.model.records import Event
from reconciler.reporting import (
    PlanReport,
    RejectedBase,
    UnreachableNode,
    event_json,
    object_json,
    object_list,
    plan_json,
    problems_json,
)
from reconciler.reporting.usage import NodeUsage, PodUsage, usage_json
from tests import published
from tests.published import condition, running, terminated, waiting

REFERENCE = Path(__file__).parents[3] / "docs/reference/report.md"

REF = Ref("Pod", "shop", "web")
PLACE = Place("a.yaml", 1, 1)
PROBLEM = Problem(PLACE, "code", "message")
FULL = PlanReport(
    revision=Revision("8c1f2d3e", "/srv/shop"),
    nodes=1,
    objects=(ObjectChange("~", REF, (FieldChange("a", 1, 2),), PLACE),),
    changes=(PodChange(Action.MOVE, REF, "u", "node-1", "why", REF, "node-2", PLACE),),
    unplaced=(Unschedulable(REF, 1, {}),),
    unreachable=(UnreachableNode("node-1", "why"),),
    hold=Hold("reason", "fix"),
    rejected_base=RejectedBase(Revision("1a2b3c4d", "/srv/shop"), 2),
    warnings=(PROBLEM,),
)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def replace_times(pod: Pod) -> Pod:
    """With what only a published pod has."""
    return replace(pod, status=replace(pod.status, start_time="t", host_ip="192.0.2.11"))


def metadata_and_status(thing: Any) -> Any:
    """Without the spec, which is as in the manifest."""
    kind = KIND_BY_NAME[type(thing).__name__]
    shown = object_json(thing, kind.names, kind.encode)
    return {key: value for key, value in shown.items() if key != "spec"}


ENDED = ContainerState(terminated=ContainerStateTerminated(1, "Error", "why", "t", "t"))
OWNER = Ref("Deployment", "shop", "web")
OBJECTS = (
    replace_times(
        published.pod(
            REF,
            running("web", at="t"),
            terminated("job", "i", 1, "why", "why", "t", "t"),
            ip="10.244.0.2",
            phase="Terminating",
            reason="why",
            message="why",
            owner=OWNER,
            init=(waiting("init", "i", "why", "why", last_state=ENDED),),
            conditions=(condition("Ready", False, "why", "why", 1.0),),
            created=1.0,
        )
    ),
    published.deployment(OWNER, 1, 2, 1, 1, 1, "why"),
    published.node("node-1", True, "why", 1000, 1, True, "10.244.0.0/24", "20.10"),
    published.service(
        Ref("Service", "shop", "web"),
        "LoadBalancer",
        ports=(ServicePort(80, node_port=30080),),
        edges=("192.0.2.1", "edge.example.org"),
        message="why",
        created=1.0,
    ),
    published.service(Ref("Service", "shop", "mail"), "ExternalName", "", (), external_name="mail.example.org"),
    published.endpoints(Ref("Service", "shop", "web"), 80, "10.244.0.2"),
    Ingress(
        ObjectMeta("web", "shop"),
        IngressSpec("haproxy"),
        status=IngressStatus(LoadBalancerStatus((LoadBalancerIngress("192.0.2.7"),))),
    ),
    PersistentVolumeClaim(
        ObjectMeta("data", "shop"),
        PersistentVolumeClaimSpec(volume_name="c_shop_data"),
        PersistentVolumeClaimStatus(
            "Bound", ("ReadWriteOnce",), {"storage": Quantity.parse(1)}, (condition("Bound", True),)
        ),
    ),
)
OTHERS = (
    *(metadata_and_status(thing) for thing in OBJECTS),
    object_list([]),
    event_json(Event(REF, "Normal", "Started", "why", "node-1", 1.0)),
    usage_json(PodUsage(REF, "web", 1, 1)),
    usage_json(NodeUsage("node-1", 1, 1, 1, 1)),
)


def test_the_reference_names_every_field_of_the_json_forms() -> None:
    named = set(re.findall(r"`(\w+)(?:\[\])?`", REFERENCE.read_text(encoding="utf-8")))
    assert {*keys(plan_json(FULL)), *keys(problems_json((PROBLEM,)))} <= named
    assert {key for shown in OTHERS for key in keys(shown)} <= named
